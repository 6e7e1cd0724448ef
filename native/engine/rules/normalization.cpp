// Composites over rows: softmax, layer norm, RMS norm, batch norm, cross-entropy, and GELU.
//
// The kernels take f32 or bf16 activations, with weights, statistics and losses in f32; for anything else a rule says
// no and the decomposition is built.
#include "engine/rules.h"
#include "engine/rules/operands.h"

namespace talweg::rules {
namespace {

kernels::RowPlan rowsOf(const View& x) {
  kernels::RowPlan plan;
  plan.width = x.rank() == 0 ? 1 : x.shape.back();
  plan.rows = plan.width == 0 ? 0 : x.numElements() / plan.width;
  plan.inputDType = x.dtype;
  return plan;
}

void* scratchFor(Builder& builder, const kernels::RowPlan& plan) {
  return builder.scratch.take(static_cast<std::size_t>(kernels::normalizationScratchBytes(plan)));
}

kernels::Gelu formOf(const Step& step) {
  return step.attributes["approximate"].text() == "tanh" ? kernels::Gelu::tanh : kernels::Gelu::erf;
}

bool rowFunction(Builder& builder, const Step& step, kernels::RunSoftmax run) {
  const View& result = step.outputs[0];
  if (!areAll(isActivation, {&step.inputs[0], &result})) return false;
  const View x = builder.dense(step.inputs[0]);
  kernels::RowPlan plan = rowsOf(x);
  plan.outputDType = result.dtype;
  builder.add([run, plan, from = x.data, to = result.data] { run(plan, from, to); });
  return true;
}

}  // namespace

bool gelu(Builder& builder, const Step& step) {
  const View& result = step.outputs[0];
  if (!areAll(isActivation, {&step.inputs[0], &result})) return false;
  const View x = builder.dense(step.inputs[0]);
  builder.add([run = builder.kernels.gelu, form = formOf(step), x, result] {
    run(form, x.numElements(), x.dtype, x.data, result.dtype, result.data);
  });
  return true;
}

bool geluGradient(Builder& builder, const Step& step) {
  const View& result = step.outputs[0];
  if (!areAll(isActivation, {&step.inputs[0], &step.inputs[1], &result})) return false;
  const View dy = builder.dense(step.inputs[0]);
  const View x = builder.dense(step.inputs[1]);
  builder.add([run = builder.kernels.geluGradient, form = formOf(step), x, dy, result] {
    run(form, x.numElements(), x.dtype, x.data, dy.dtype, dy.data, result.dtype, result.data);
  });
  return true;
}

bool softmax(Builder& builder, const Step& step) { return rowFunction(builder, step, builder.kernels.softmax); }

// Operands: dy, y.
bool softmaxGradient(Builder& builder, const Step& step) {
  const View& result = step.outputs[0];
  if (!areAll(isActivation, {&step.inputs[0], &step.inputs[1], &result})) return false;
  const View dy = builder.dense(step.inputs[0]);
  const View y = builder.dense(step.inputs[1]);
  kernels::RowPlan plan = rowsOf(y);
  plan.outputDType = y.dtype;
  plan.gradientDType = dy.dtype;
  plan.resultDType = result.dtype;
  builder.add([run = builder.kernels.softmaxGradient, plan, y = y.data, dy = dy.data, dx = result.data] {
    run(plan, y, dy, dx);
  });
  return true;
}

// Operands: x, weight, bias. Results: y, mean, rstd.
bool layerNorm(Builder& builder, const Step& step) {
  const View &y = step.outputs[0], &mean = step.outputs[1], &rstd = step.outputs[2];
  if (!areAll(isActivation, {&step.inputs[0], &y})) return false;
  if (!areAll(isSingle, {&step.inputs[1], &step.inputs[2], &mean, &rstd})) return false;
  const View x = builder.dense(step.inputs[0]);
  const View weight = builder.dense(step.inputs[1]), bias = builder.dense(step.inputs[2]);
  kernels::RowPlan plan = rowsOf(x);
  plan.outputDType = y.dtype;
  plan.epsilon = static_cast<float>(step.attributes["epsilon"].number());
  builder.add([run = builder.kernels.layerNorm, plan, x, weight, bias, y, mean, rstd] {
    run(plan, x.data, weight.as<float>(), bias.as<float>(), y.data, mean.as<float>(), rstd.as<float>());
  });
  return true;
}

// Operands: dy, x, weight, mean, rstd. Results: dx, dweight, dbias.
bool layerNormGradient(Builder& builder, const Step& step) {
  const View &dx = step.outputs[0], &dweight = step.outputs[1], &dbias = step.outputs[2];
  if (!areAll(isActivation, {&step.inputs[0], &step.inputs[1], &dx})) return false;
  if (!areAll(isSingle, {&step.inputs[2], &step.inputs[3], &step.inputs[4], &dweight, &dbias})) return false;
  const View dy = builder.dense(step.inputs[0]), x = builder.dense(step.inputs[1]);
  const View weight = builder.dense(step.inputs[2]);
  const View mean = builder.dense(step.inputs[3]), rstd = builder.dense(step.inputs[4]);
  kernels::RowPlan plan = rowsOf(x);
  plan.gradientDType = dy.dtype;
  plan.resultDType = dx.dtype;
  builder.add([run = builder.kernels.layerNormGradient, plan, dy, x, weight, mean, rstd, dx, dweight, dbias,
               scratch = scratchFor(builder, plan)] {
    run(plan, x.data, weight.as<float>(), mean.as<float>(), rstd.as<float>(), dy.data, dx.data, dweight.as<float>(),
        dbias.as<float>(), scratch);
  });
  return true;
}

// Operands: x, weight. Results: y, rstd.
bool rmsNorm(Builder& builder, const Step& step) {
  const View &y = step.outputs[0], &rstd = step.outputs[1];
  if (!areAll(isActivation, {&step.inputs[0], &y}) || !areAll(isSingle, {&step.inputs[1], &rstd})) return false;
  const View x = builder.dense(step.inputs[0]), weight = builder.dense(step.inputs[1]);
  kernels::RowPlan plan = rowsOf(x);
  plan.outputDType = y.dtype;
  plan.epsilon = static_cast<float>(step.attributes["epsilon"].number());
  builder.add([run = builder.kernels.rmsNorm, plan, x, weight, y, rstd] {
    run(plan, x.data, weight.as<float>(), y.data, rstd.as<float>());
  });
  return true;
}

// Operands: dy, x, weight, rstd. Results: dx, dweight.
bool rmsNormGradient(Builder& builder, const Step& step) {
  const View &dx = step.outputs[0], &dweight = step.outputs[1];
  if (!areAll(isActivation, {&step.inputs[0], &step.inputs[1], &dx})) return false;
  if (!areAll(isSingle, {&step.inputs[2], &step.inputs[3], &dweight})) return false;
  const View dy = builder.dense(step.inputs[0]), x = builder.dense(step.inputs[1]);
  const View weight = builder.dense(step.inputs[2]), rstd = builder.dense(step.inputs[3]);
  kernels::RowPlan plan = rowsOf(x);
  plan.gradientDType = dy.dtype;
  plan.resultDType = dx.dtype;
  builder.add([run = builder.kernels.rmsNormGradient, plan, dy, x, weight, rstd, dx, dweight,
               scratch = scratchFor(builder, plan)] {
    run(plan, x.data, weight.as<float>(), rstd.as<float>(), dy.data, dx.data, dweight.as<float>(), scratch);
  });
  return true;
}

// Operands: x, weight, bias. Results: y, mean, variance.
bool batchNorm(Builder& builder, const Step& step) {
  const View &y = step.outputs[0], &mean = step.outputs[1], &variance = step.outputs[2];
  if (!areAll(isActivation, {&step.inputs[0], &y})) return false;
  if (!areAll(isSingle, {&step.inputs[1], &step.inputs[2], &mean, &variance})) return false;
  const View x = builder.dense(step.inputs[0]);
  const View weight = builder.dense(step.inputs[1]), bias = builder.dense(step.inputs[2]);
  const View rstd = builder.temporary(DType::f32, mean.shape);
  kernels::RowPlan plan = rowsOf(x);
  plan.outputDType = y.dtype;
  plan.epsilon = static_cast<float>(step.attributes["epsilon"].number());
  builder.add([run = builder.kernels.batchNorm, plan, x, weight, bias, y, mean, variance, rstd,
               scratch = scratchFor(builder, plan)] {
    run(plan, x.data, weight.as<float>(), bias.as<float>(), y.data, mean.as<float>(), variance.as<float>(),
        rstd.as<float>(), scratch);
  });
  return true;
}

namespace {

// 1 / sqrt(variance + epsilon)
View inverseDeviation(Builder& builder, const View& variance, double epsilon) {
  const View rstd = builder.temporary(DType::f32, variance.shape);
  kernels::ProgramSource source;
  source.shape = toKernelDims(variance.shape);
  const int input = source.input(DType::f32, toKernelDims(variance.strides));
  const int shift = source.constant(DType::f32, epsilon);
  const int sum = source.emit(kernels::Opcode::add, DType::f32, {input, shift});
  source.output(source.emit(kernels::Opcode::rsqrt, DType::f32, {sum}));
  auto program = std::make_shared<kernels::VectorProgram>(source);
  builder.add([run = builder.kernels.runVectorProgram, program, from = variance.data, to = rstd.data] {
    const void* inputs[] = {from};
    void* outputs[] = {to};
    run(program->view(), inputs, outputs);
  });
  return rstd;
}

}  // namespace

// Operands: dy, x, weight, mean, variance. Results: dx, dweight, dbias.
bool batchNormGradient(Builder& builder, const Step& step) {
  const View &dx = step.outputs[0], &dweight = step.outputs[1], &dbias = step.outputs[2];
  if (!areAll(isActivation, {&step.inputs[0], &step.inputs[1], &dx})) return false;
  if (!areAll(isSingle, {&step.inputs[2], &step.inputs[3], &step.inputs[4], &dweight, &dbias})) return false;
  const View dy = builder.dense(step.inputs[0]), x = builder.dense(step.inputs[1]);
  const View weight = builder.dense(step.inputs[2]), mean = builder.dense(step.inputs[3]);
  const View rstd = inverseDeviation(builder, step.inputs[4], step.attributes["epsilon"].number());
  kernels::RowPlan plan = rowsOf(x);
  plan.gradientDType = dy.dtype;
  plan.resultDType = dx.dtype;
  builder.add([run = builder.kernels.batchNormGradient, plan, dy, x, weight, mean, rstd, dx, dweight, dbias,
               scratch = scratchFor(builder, plan)] {
    run(plan, x.data, weight.as<float>(), mean.as<float>(), rstd.as<float>(), dy.data, dx.data, dweight.as<float>(),
        dbias.as<float>(), scratch);
  });
  return true;
}

namespace {

kernels::CrossEntropyPlan crossEntropyPlan(const Step& step, const View& logits) {
  kernels::CrossEntropyPlan plan{};
  plan.rows = logits.shape[0];
  plan.classes = logits.shape[1];
  plan.rowStride = logits.shape[0] == 1 ? plan.classes : logits.strides[0];
  plan.gradientRowStride = plan.classes;
  plan.logitsDType = logits.dtype;
  plan.labelSmoothing = static_cast<float>(step.attributes["labelSmoothing"].number());
  plan.hasIgnoredTarget = step.attributes.has("ignoredTarget");
  if (plan.hasIgnoredTarget) plan.ignoredTarget = static_cast<std::int32_t>(step.attributes["ignoredTarget"].integer());
  return plan;
}

// Rows may lie apart, as those of a padded vocabulary do.
View withContiguousRows(Builder& builder, const View& view) {
  const bool hasRows =
      view.rank() == 2 && (view.shape[1] == 1 || view.strides[1] == 1) && view.strides[0] >= view.shape[1];
  return hasRows ? view : builder.dense(view);
}

}  // namespace

// Operands: logits, targets. Results: losses, log of the sum of exponentials.
bool softmaxCrossEntropy(Builder& builder, const Step& step) {
  const View &losses = step.outputs[0], &logSumExp = step.outputs[1];
  if (!isActivation(step.inputs[0]) || !areAll(isSingle, {&losses, &logSumExp})) return false;
  if (step.inputs[0].rank() != 2 || step.inputs[1].dtype != DType::i32) return false;
  const View logits = withContiguousRows(builder, step.inputs[0]);
  const View targets = builder.dense(step.inputs[1]);
  builder.add(
      [run = builder.kernels.crossEntropy, plan = crossEntropyPlan(step, logits), logits, targets, losses, logSumExp] {
        run(plan, logits.data, targets.as<std::int32_t>(), losses.as<float>(), logSumExp.as<float>());
      });
  return true;
}

// Operands: dlosses, logits, targets, log of the sum of exponentials.
bool softmaxCrossEntropyGradient(Builder& builder, const Step& step) {
  const View& dlogits = step.outputs[0];
  const View& dlosses = step.inputs[0];
  if (!areAll(isActivation, {&step.inputs[1], &dlogits}) || !areAll(isSingle, {&dlosses, &step.inputs[3]}))
    return false;
  if (step.inputs[1].rank() != 2 || step.inputs[2].dtype != DType::i32) return false;
  const View logits = withContiguousRows(builder, step.inputs[1]);
  const View targets = builder.dense(step.inputs[2]), logSumExp = builder.dense(step.inputs[3]);
  kernels::CrossEntropyPlan plan = crossEntropyPlan(step, logits);
  plan.gradientDType = dlogits.dtype;
  builder.add([run = builder.kernels.crossEntropyGradient, plan, logits, targets, logSumExp, dlosses, dlogits] {
    run(plan, logits.data, targets.as<std::int32_t>(), logSumExp.as<float>(), dlosses.as<float>(), dlosses.strides[0],
        dlogits.data);
  });
  return true;
}

}  // namespace talweg::rules
