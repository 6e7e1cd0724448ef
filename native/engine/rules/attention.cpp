// Attention, forward and backward, by the kernels that never hold the matrix of scores.
#include "engine/rules.h"

namespace talweg::rules {
namespace {

bool isHeads(const View& view, DType dtype) { return view.dtype == dtype && view.rank() == 4; }

// The kernel takes rows wherever they lie, as long as each row of a head is contiguous.
View withContiguousHeads(Builder& builder, const View& view) {
  return view.shape[3] == 1 || view.strides[3] == 1 ? view : builder.dense(view);
}

kernels::AttentionStrides stridesOf(const View& view) { return {view.strides[0], view.strides[1], view.strides[2]}; }

kernels::AttentionPlan planOf(const Builder& builder, const Step& step, const View& q, const View& k, const View& v) {
  kernels::AttentionPlan plan{};
  plan.dtype = q.dtype;
  plan.batch = q.shape[0];
  plan.queries = q.shape[1];
  plan.heads = q.shape[2];
  plan.headSize = q.shape[3];
  plan.keys = k.shape[1];
  plan.keyHeads = k.shape[2];
  plan.scale = static_cast<float>(step.attributes["scale"].number());
  plan.isCausal = step.attributes["causal"].boolean();
  plan.causalOffset = plan.keys - plan.queries;
  plan.q = stridesOf(q);
  plan.k = stridesOf(k);
  plan.v = stridesOf(v);
  plan.numThreads = builder.numThreads;
  return plan;
}

// bool [B|1, H|1, T|1, S]; null where there is none.
const void* setMask(Builder& builder, kernels::AttentionPlan& plan, const View* given) {
  if (given == nullptr) return nullptr;
  const View mask = given->strides[3] <= 1 ? *given : builder.dense(*given);
  plan.mask = kernels::AttentionMask::boolean;
  for (int dim = 0; dim < 4; ++dim) plan.maskStrides[dim] = mask.shape[dim] == 1 ? 0 : mask.strides[dim];
  return mask.data;
}

bool takes(const Step& step, std::size_t firstHeads) {
  const DType dtype = step.inputs[firstHeads].dtype;
  if (dtype != DType::f32 && dtype != DType::bf16) return false;
  for (std::size_t i = firstHeads; i < firstHeads + 3; ++i) {
    if (!isHeads(step.inputs[i], dtype)) return false;
  }
  return true;
}

}  // namespace

// Operands: query, key, value and, where masked, a mask. Results: out, log of the sum of exponentials [B, H, T].
bool attention(Builder& builder, const Step& step) {
  const View &out = step.outputs[0], &logSumExp = step.outputs[1];
  if (!takes(step, 0) || !isHeads(out, step.inputs[0].dtype) || !isFloat(logSumExp.dtype)) return false;
  const View q = withContiguousHeads(builder, step.inputs[0]);
  const View k = withContiguousHeads(builder, step.inputs[1]);
  const View v = withContiguousHeads(builder, step.inputs[2]);
  kernels::AttentionPlan plan = planOf(builder, step, q, k, v);
  const void* mask = setMask(builder, plan, step.attributes["masked"].boolean() ? &step.inputs[3] : nullptr);
  plan.out = stridesOf(out);
  // The kernel keeps it in f32.
  const View sums = logSumExp.dtype == DType::f32 ? logSumExp : builder.temporary(DType::f32, logSumExp.shape);
  char* scratch = builder.scratch.take(static_cast<std::size_t>(kernels::attentionScratchBytes(plan)));
  builder.add([run = builder.kernels.attention, plan, q, k, v, mask, out, sums, scratch] {
    run(plan, q.data, k.data, v.data, mask, out.data, sums.as<float>(), scratch);
  });
  if (sums.data != logSumExp.data) builder.addConvert(sums, logSumExp);
  return true;
}

// Operands: dout, query, key, value, the mask where there is one, out, log of the sum of exponentials.
// Results: dquery, dkey, dvalue.
bool attentionGradient(Builder& builder, const Step& step) {
  const bool isMasked = step.attributes["masked"].boolean();
  const DType dtype = step.inputs[1].dtype;
  if (!takes(step, 1) || !isHeads(step.inputs[0], dtype)) return false;
  for (const View& result : step.outputs) {
    if (!isHeads(result, dtype)) return false;
  }
  const View dout = withContiguousHeads(builder, step.inputs[0]);
  const View q = withContiguousHeads(builder, step.inputs[1]);
  const View k = withContiguousHeads(builder, step.inputs[2]);
  const View v = withContiguousHeads(builder, step.inputs[3]);
  kernels::AttentionPlan plan = planOf(builder, step, q, k, v);
  const void* mask = setMask(builder, plan, isMasked ? &step.inputs[4] : nullptr);
  const View out = withContiguousHeads(builder, step.inputs[isMasked ? 5 : 4]);
  const View logSumExp = builder.converted(step.inputs[isMasked ? 6 : 5], DType::f32);
  plan.out = stridesOf(out);
  plan.dout = stridesOf(dout);
  plan.dq = stridesOf(step.outputs[0]);
  plan.dk = stridesOf(step.outputs[1]);
  plan.dv = stridesOf(step.outputs[2]);
  char* scratch = builder.scratch.take(static_cast<std::size_t>(kernels::attentionGradientScratchBytes(plan)));
  builder.add([run = builder.kernels.attentionGradient, plan, q, k, v, mask, out, dout, logSumExp,
               dq = step.outputs[0].data, dk = step.outputs[1].data, dv = step.outputs[2].data, scratch] {
    run(plan, q.data, k.data, v.data, mask, out.data, dout.data, logSumExp.as<float>(), dq, dk, dv, scratch);
  });
  return true;
}

}  // namespace talweg::rules
