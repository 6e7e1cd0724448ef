// Reductions over dimensions and over windows.
#include "engine/rules.h"
#include "onednn/pooling.h"

namespace talweg::rules {
namespace {

struct Window {
  Dims window, strides, low, high, baseDilation, windowDilation;
};

Window windowOf(const Data& attributes) {
  Window result{attributes["window"].integers(),       attributes["strides"].integers(),       {}, {},
                attributes["baseDilation"].integers(), attributes["windowDilation"].integers()};
  for (const Data& pair : attributes["padding"].list()) {
    result.low.push_back(pair.list()[0].integer());
    result.high.push_back(pair.list()[1].integer());
  }
  return result;
}

kernels::WindowPlan planOf(kernels::Combine combine, const View& source, const Window& w) {
  return kernels::planReduceWindow(combine, source.dtype, toKernelDims(source.shape), toKernelDims(w.window),
                                   toKernelDims(w.strides), toKernelDims(w.low), toKernelDims(w.high),
                                   toKernelDims(w.baseDilation), toKernelDims(w.windowDilation));
}

// Whether oneDNN pools so: images (batch, two spatial dimensions, channels last) with whole windows over space alone.
bool isImagePooling(const View& source, const Window& w) {
  if (source.rank() != 4 || (source.dtype != DType::f32 && source.dtype != DType::bf16)) return false;
  for (int dim = 0; dim < 4; ++dim) {
    const bool isSpatial = dim == 1 || dim == 2;
    if (w.baseDilation[dim] != 1 || w.low[dim] < 0 || w.high[dim] < 0) return false;
    if (!isSpatial && (w.window[dim] != 1 || w.strides[dim] != 1 || w.low[dim] != 0 || w.high[dim] != 0)) return false;
    // oneDNN has no window that lies in the padding altogether.
    if (w.low[dim] >= (w.window[dim] - 1) * w.windowDilation[dim] + 1) return false;
    if (w.high[dim] >= (w.window[dim] - 1) * w.windowDilation[dim] + 1) return false;
  }
  return source.numElements() > 0;
}

onednn::Pooling poolingOf(const View& source, const View& result, const Window& w) {
  const Dims order{0, 3, 1, 2};
  const auto spatial = [](const Dims& dims) { return Dims{dims[1], dims[2]}; };
  return {transposed(source, order),
          transposed(result, order),
          spatial(w.window),
          spatial(w.strides),
          {w.windowDilation[1] - 1, w.windowDilation[2] - 1},
          spatial(w.low),
          spatial(w.high)};
}

// `attributes` are a reduction's.
bool addReduce(Builder& builder, const View& source, const View& result, const Data& attributes) {
  const kernels::ReducePlan plan = kernels::planReduce(
      combineNamed(attributes["kind"].text()), source.dtype, result.dtype, toKernelDims(source.shape),
      toKernelDims(source.strides), toKernelDims(attributes["dims"].integers()));
  void* scratch = plan.scratchBytes > 0 ? builder.scratch.take(plan.scratchBytes) : nullptr;
  builder.add([run = builder.kernels.reduce, plan, from = source.data, to = result.data, scratch] {
    run(plan, from, nullptr, to, scratch);
  });
  return true;
}

}  // namespace

bool reduce(Builder& builder, const Step& step) {
  return addReduce(builder, step.inputs[0], step.outputs[0], step.attributes);
}

// A conversion from bf16 to f32 and the reduction of that: the kernel reads bf16 and combines in f32 anyway.
bool widenedReduce(Builder& builder, const Step& step) {
  for (const Instruction& instruction : step.body->instructions) {
    if (instruction.operation != "reduce") continue;
    return addReduce(builder, step.inputs[0], step.outputs[0], instruction.attributes);
  }
  return false;
}

bool reduceWindow(Builder& builder, const Step& step) {
  const View source = builder.dense(step.inputs[0]);
  const View& result = step.outputs[0];
  const Window window = windowOf(step.attributes);
  const kernels::Combine combine = combineNamed(step.attributes["kind"].text());
  if (combine == kernels::Combine::maximum && isImagePooling(source, window)) {
    Task task = onednn::preparePooling(builder.session, builder.scratch, poolingOf(source, result, window));
    if (task) {
      builder.add(std::move(task));
      return true;
    }
  }
  const kernels::WindowPlan plan = planOf(combine, source, window);
  builder.add([run = builder.kernels.reduceWindow, plan, from = source.data, to = result.data] {
    run(plan, from, nullptr, to);
  });
  return true;
}

// Operands: dy, x, y.
bool maxPoolGradient(Builder& builder, const Step& step) {
  if (!isFloat(step.outputs[0].dtype)) return false;
  const View gradient = builder.dense(step.inputs[0]);
  const View source = builder.dense(step.inputs[1]);
  const View& result = step.outputs[0];
  const Window window = windowOf(step.attributes);
  if (isImagePooling(source, window)) {
    const Dims order{0, 3, 1, 2};
    Task task = onednn::preparePoolingGradient(builder.session, builder.scratch, poolingOf(source, gradient, window),
                                               transposed(gradient, order), transposed(result, order));
    if (task) {
      builder.add(std::move(task));
      return true;
    }
  }
  const kernels::WindowPlan plan = planOf(kernels::Combine::maximum, source, window);
  builder.add([run = builder.kernels.maxPoolGradient, plan, x = source.data, dy = gradient.data, dx = result.data] {
    run(plan, x, dy, dx);
  });
  return true;
}

}  // namespace talweg::rules
