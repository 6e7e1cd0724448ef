// Linear and logistic regression on rows that stay in memory. f32; any other type is built from the decomposition.
#include "engine/rules.h"
#include "engine/rules/operands.h"

namespace talweg::rules {
namespace {

// Operands of both: features and targets first.
bool takesRows(const Step& step) {
  const View &features = step.inputs[0], &targets = step.inputs[1];
  return features.dtype == DType::f32 && (targets.dtype == DType::f32 || targets.dtype == DType::i32);
}

kernels::LinearModelPlan planOf(const Step& step) {
  const View &features = step.inputs[0], &targets = step.inputs[1];
  kernels::LinearModelPlan plan{};
  plan.loss = step.attributes["model"].text() == "logistic" ? kernels::RowLoss::logistic : kernels::RowLoss::squares;
  plan.targetDType = targets.dtype;
  plan.rows = features.shape[0];
  plan.width = features.shape[1];
  return plan;
}

}  // namespace

// Operands: features, targets, weights, intercept. Results: sum of losses, gradients of weights and intercept.
bool linearGradient(Builder& builder, const Step& step) {
  const View &loss = step.outputs[0], &dweights = step.outputs[1], &dintercept = step.outputs[2];
  if (!takesRows(step) || !areAll(isSingle, {&step.inputs[2], &step.inputs[3], &loss, &dweights, &dintercept}))
    return false;
  const View features = builder.dense(step.inputs[0]), targets = builder.dense(step.inputs[1]);
  const View weights = builder.dense(step.inputs[2]), intercept = step.inputs[3];
  const kernels::LinearModelPlan plan = planOf(step);
  char* scratch = builder.scratch.take(static_cast<std::size_t>(kernels::linearGradientScratchBytes(plan)));
  builder.add([run = builder.kernels.linearGradient, plan, features, targets, weights, intercept, loss, dweights,
               dintercept, scratch] {
    run(plan, features.as<float>(), targets.data, weights.as<float>(), *intercept.as<float>(), loss.as<float>(),
        dweights.as<float>(), dintercept.as<float>(), scratch);
  });
  return true;
}

// Operands: features, targets, order [steps, batch], rates [steps], weights, intercept. Results: the new weights and
// intercept, the losses [steps].
bool linearDescent(Builder& builder, const Step& step) {
  const View &newWeights = step.outputs[0], &newIntercept = step.outputs[1], &losses = step.outputs[2];
  if (!takesRows(step) || step.inputs[2].dtype != DType::i32) return false;
  if (!areAll(isSingle, {&step.inputs[3], &step.inputs[4], &step.inputs[5], &newWeights, &newIntercept, &losses}))
    return false;
  const View features = builder.dense(step.inputs[0]), targets = builder.dense(step.inputs[1]);
  const View order = builder.dense(step.inputs[2]), rates = builder.dense(step.inputs[3]);
  const View weights = builder.dense(step.inputs[4]), intercept = step.inputs[5];
  kernels::LinearModelPlan plan = planOf(step);
  plan.steps = step.inputs[2].shape[0];
  plan.batch = step.inputs[2].shape[1];
  plan.movesIntercept = step.attributes["intercept"].boolean();
  char* scratch = builder.scratch.take(static_cast<std::size_t>(kernels::linearDescentScratchBytes(plan)));
  builder.add([run = builder.kernels.linearDescent, plan, features, targets, order, rates, weights, intercept,
               newWeights, newIntercept, losses, scratch] {
    run(plan, features.as<float>(), targets.data, order.as<std::int32_t>(), rates.as<float>(), weights.as<float>(),
        *intercept.as<float>(), newWeights.as<float>(), newIntercept.as<float>(), losses.as<float>(), scratch);
  });
  return true;
}

}  // namespace talweg::rules
