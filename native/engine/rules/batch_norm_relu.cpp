// Batch norm with ReLU and pooling. Activations are f32 or bf16, statistics and weights f32; anything else is built
// from the decomposition.
#include "engine/rules.h"
#include "engine/rules/operands.h"

namespace talweg::rules {
namespace {

// x is [..., channels]; where there is a window, [batch, height, width, channels]. Without one all but the last two
// dimensions are bands.
kernels::BatchNormReluPlan planOf(const Step& step, const View& x) {
  const Dims window = step.attributes["window"].integers();
  kernels::BatchNormReluPlan plan{};
  plan.windowHeight = window[0];
  plan.windowWidth = window[1];
  plan.width = x.shape.back();
  plan.columns = x.rank() > 2 ? x.shape[x.rank() - 2] / window[1] : 1;
  plan.bands = x.numElements() / (plan.width * plan.columns * window[0] * window[1]);
  plan.inputDType = x.dtype;
  plan.epsilon = static_cast<float>(step.attributes["epsilon"].number());
  return plan;
}

// Whether activations and the others are of types that the kernels take, with at least one element.
bool areTaken(const std::vector<View>& views, std::size_t numActivations) {
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (i < numActivations ? !isActivation(views[i]) : !isSingle(views[i])) return false;
  }
  return views[0].rank() > 0 && views[0].numElements() > 0;
}

}  // namespace

// Operands: x, weight, bias. Results: y, mean, variance.
bool batchNormRelu(Builder& builder, const Step& step) {
  if (!areTaken(step.inputs, 1) || !areTaken(step.outputs, 1)) return false;
  const View x = builder.dense(step.inputs[0]);
  const View weight = builder.dense(step.inputs[1]), bias = builder.dense(step.inputs[2]);
  const View &y = step.outputs[0], &mean = step.outputs[1], &variance = step.outputs[2];
  kernels::BatchNormReluPlan plan = planOf(step, x);
  plan.outputDType = y.dtype;
  void* scratch = builder.scratch.take(static_cast<std::size_t>(kernels::batchNormReluScratchBytes(plan)));
  builder.add([run = builder.kernels.batchNormRelu, plan, x, weight, bias, y, mean, variance, scratch] {
    run(plan, x.data, weight.as<float>(), bias.as<float>(), y.data, mean.as<float>(), variance.as<float>(), scratch);
  });
  return true;
}

// Operands: dy, x, weight, bias, mean, variance. Results: dx, dweight, dbias.
bool batchNormReluGradient(Builder& builder, const Step& step) {
  if (!areTaken(step.inputs, 2) || !areTaken(step.outputs, 1)) return false;
  const View dy = builder.dense(step.inputs[0]), x = builder.dense(step.inputs[1]);
  const View weight = builder.dense(step.inputs[2]), bias = builder.dense(step.inputs[3]);
  const View mean = builder.dense(step.inputs[4]), variance = builder.dense(step.inputs[5]);
  const View &dx = step.outputs[0], &dweight = step.outputs[1], &dbias = step.outputs[2];
  kernels::BatchNormReluPlan plan = planOf(step, x);
  plan.gradientDType = dy.dtype;
  plan.resultDType = dx.dtype;
  void* scratch = builder.scratch.take(static_cast<std::size_t>(kernels::batchNormReluScratchBytes(plan)));
  builder.add([run = builder.kernels.batchNormReluGradient, plan, dy, x, weight, bias, mean, variance, dx, dweight,
               dbias, scratch] {
    run(plan, dy.data, x.data, weight.as<float>(), bias.as<float>(), mean.as<float>(), variance.as<float>(), dx.data,
        dweight.as<float>(), dbias.as<float>(), scratch);
  });
  return true;
}

}  // namespace talweg::rules
