// Gather, scatter and random bits.
#include "engine/rules.h"

namespace talweg::rules {
namespace {

kernels::Dims attribute(const Step& step, const char* name) { return toKernelDims(step.attributes[name].integers()); }

int indexVectorDim(const Step& step) { return static_cast<int>(step.attributes["indexVectorDim"].integer()); }

}  // namespace

bool gather(Builder& builder, const Step& step) {
  const View operand = builder.dense(step.inputs[0]);
  const View starts = builder.dense(step.inputs[1]);
  const kernels::GatherPlan plan =
      kernels::planGather(operand.dtype, toKernelDims(operand.shape), starts.dtype, toKernelDims(starts.shape),
                          attribute(step, "offsetDims"), attribute(step, "collapsedSliceDims"),
                          attribute(step, "startIndexMap"), indexVectorDim(step), attribute(step, "sliceSizes"));
  builder.add([run = builder.kernels.gather, plan, from = operand.data, indices = starts.data,
               to = step.outputs[0].data] { run(plan, from, indices, to); });
  return true;
}

bool scatter(Builder& builder, const Step& step) {
  const View& result = step.outputs[0];
  // The kernel adds to what the result holds; where the compiler let it have the operand's memory, that's the operand.
  builder.addCopy(step.inputs[0], result);
  const View starts = builder.dense(step.inputs[1]);
  const View updates = builder.dense(step.inputs[2]);
  if (updates.numElements() == 0) return true;
  const kernels::ScatterPlan plan = kernels::planScatter(
      result.dtype, combineNamed(step.attributes["kind"].text()), toKernelDims(result.shape), starts.dtype,
      toKernelDims(starts.shape), toKernelDims(updates.shape), attribute(step, "updateWindowDims"),
      attribute(step, "insertedWindowDims"), attribute(step, "scatterDimsToOperandDims"), indexVectorDim(step));
  builder.add([run = builder.kernels.scatter, plan, indices = starts.data, from = updates.data, to = result.data] {
    run(plan, indices, from, to);
  });
  return true;
}

bool rngBitGenerator(Builder& builder, const Step& step) {
  const View state = builder.dense(step.inputs[0]);
  const View& bits = step.outputs[0];
  builder.add([run = builder.kernels.philox, key = state.as<const std::uint32_t>(), count = bits.numElements(),
               to = bits.as<std::uint32_t>()] { run(key, count, to); });
  return true;
}

}  // namespace talweg::rules
