// Operations that only move elements: strided copies, planned once.
#include "engine/rules.h"

namespace talweg::rules {
namespace {

void addPlan(Builder& builder, const kernels::CopyPlan& plan, const View& from, const View& to) {
  builder.add([run = builder.kernels.copy, plan, source = from.data, destination = to.data] {
    run(plan, source, destination);
  });
}

kernels::Dims attribute(const Step& step, const char* name) { return toKernelDims(step.attributes[name].integers()); }

}  // namespace

bool copy(Builder& builder, const Step& step) {
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    View from = step.inputs[i];
    if (from.shape != step.outputs[i].shape) {  // a reshape
      from = builder.dense(from);
      from = contiguousView(from.dtype, step.outputs[i].shape, from.data);
    }
    builder.addCopy(from, step.outputs[i]);
  }
  return true;
}

bool broadcastInDim(Builder& builder, const Step& step) {
  builder.addCopy(broadcastTo(step.inputs[0], step.outputs[0].shape, step.attributes["dims"].integers()),
                  step.outputs[0]);
  return true;
}

bool transpose(Builder& builder, const Step& step) {
  builder.addCopy(transposed(step.inputs[0], step.attributes["permutation"].integers()), step.outputs[0]);
  return true;
}

bool slice(Builder& builder, const Step& step) {
  const View& from = step.inputs[0];
  addPlan(builder,
          kernels::planSlice(sizeOf(from.dtype), toKernelDims(from.shape), toKernelDims(from.strides),
                             attribute(step, "starts"), attribute(step, "limits"), attribute(step, "strides")),
          from, step.outputs[0]);
  return true;
}

bool concatenate(Builder& builder, const Step& step) {
  const View& to = step.outputs[0];
  const int dim = static_cast<int>(step.attributes["dim"].integer());
  std::int64_t start = 0;
  for (const View& part : step.inputs) {
    if (part.numElements() > 0) {
      addPlan(builder,
              kernels::planConcatenatePart(sizeOf(to.dtype), toKernelDims(part.shape), toKernelDims(part.strides),
                                           toKernelDims(to.shape), dim, start),
              part, to);
    }
    start += part.shape[dim];
  }
  return true;
}

bool pad(Builder& builder, const Step& step) {
  const View& from = step.inputs[0];
  const View& to = step.outputs[0];
  const kernels::Dims low = attribute(step, "low"), high = attribute(step, "high"),
                      interior = attribute(step, "interior");
  if (!kernels::padCoversResult(low, high, interior) || from.numElements() == 0) {
    builder.add([run = builder.kernels.fill, elementBytes = static_cast<std::int64_t>(sizeOf(to.dtype)),
                 value = step.inputs[1].data, count = to.numElements(),
                 destination = to.data] { run(elementBytes, value, count, destination); });
  }
  if (from.numElements() > 0) {
    addPlan(
        builder,
        kernels::planPad(sizeOf(to.dtype), toKernelDims(from.shape), toKernelDims(from.strides), low, high, interior),
        from, to);
  }
  return true;
}

bool reverse(Builder& builder, const Step& step) {
  const View& from = step.inputs[0];
  addPlan(builder,
          kernels::planReverse(sizeOf(from.dtype), toKernelDims(from.shape), toKernelDims(from.strides),
                               attribute(step, "dims")),
          from, step.outputs[0]);
  return true;
}

}  // namespace talweg::rules
