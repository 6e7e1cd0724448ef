// Attention, forward and backward, block by block: the matrix of scores is never in memory.
//
//   scores[b,h,i,j] = scale * sum_d q[b,i,h,d] k[b,j,h/group,d] + mask[b,h,i,j]
//   out[b,i,h,:]    = sum_j softmax_j(scores) v[b,j,h/group,:],  logSumExp[b,h,i] = log sum_j exp(scores)
//
// q, out are [B, T, H, D]; k, v are [B, S, Hkv, D]; H is a multiple of Hkv (grouped queries). Each has its own strides
// for batch, position and head; D is contiguous, so q, k and v may be parts of one [B, T, 3 H D] product.
// All of them are f32, or all bf16: then sums are f32, and scores, probabilities and their gradients are rounded to
// bf16 where they enter a product (AVX512-BF16 dot products where the target has them).
// A query that may see no key gives 0, and logSumExp -inf; no gradient flows through it.
#pragma once

#include "types.h"

namespace talweg::kernels {

struct AttentionStrides {
  int64_t batch, position, head;  // in elements
};

enum class AttentionMask : uint8_t { none, additive, boolean };  // f32 added to scores; u8, 0 hides the key

struct AttentionPlan {
  DType dtype = DType::f32;
  int64_t batch, queries, keys, heads, keyHeads, headSize;  // B, T, S, H, Hkv, D
  float scale;
  bool isCausal = false;
  int64_t causalOffset = 0;   // query i sees keys j <= i + causalOffset (S - T aligns the last query with the last key)
  AttentionMask mask = AttentionMask::none;
  int64_t maskStrides[4] = {};  // over [B, H, T, S], in elements; 0 repeats; the last is 0 or 1
  AttentionStrides q, k, v, out;
  AttentionStrides dq, dk, dv, dout;  // backward only
  int numThreads = 1;           // the team that will run it: scratch is per thread
};

/// Row-major strides of [B, positions, heads, headSize].
constexpr AttentionStrides denseAttentionStrides(int64_t positions, int64_t heads, int64_t headSize) {
  return {positions * heads * headSize, heads * headSize, headSize};
}

/// Scratch in bytes, 64-byte aligned, for the target-independent worst case. Throws std::invalid_argument on a plan
/// that makes no sense.
int64_t attentionScratchBytes(const AttentionPlan& plan);
int64_t attentionGradientScratchBytes(const AttentionPlan& plan);

/// `logSumExp`: f32[B, H, T], may be null where no backward pass follows. `mask` may be null where there is none.
using RunAttention = void (*)(const AttentionPlan& plan, const void* q, const void* k, const void* v, const void* mask,
                              void* out, float* logSumExp, void* scratch);
/// dq, dk, dv from q, k, v, out, dout and logSumExp, the scores being computed again. No gradient of the mask.
using RunAttentionGradient = void (*)(const AttentionPlan& plan, const void* q, const void* k, const void* v,
                                      const void* mask, const void* out, const void* dout, const float* logSumExp,
                                      void* dq, void* dk, void* dv, void* scratch);

}  // namespace talweg::kernels
