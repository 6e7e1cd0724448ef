// Batched matrix products by oneDNN.
#pragma once

#include "onednn/session.h"

namespace talweg::onednn {

// No ReLU: oneDNN's makes 0 of NaN.
enum class Activation { none, geluTanh, geluErf, tanh, logistic };

// out[b,m,n] = activation(sum_k left[b,m,k] right[b,k,n] + bias[n])
//
// Views of 2 dimensions, or of 3 with a batch in front; f32 or bf16 operands (both alike), f32 or bf16 result, f32 bias
// (or null). Each operand's inner matrix must be plain: row- or column-major, with any leading dimension.
// Empty where oneDNN has no such product.
//
// Run by the team of `numThreads` threads. The number decides which products are cut into rows, and so, as in oneDNN
// itself, in which blocks sums are taken: another number may give other bits, the same one never.
Task prepareMatmul(const Session& session, Scratch& scratch, int numThreads, const View& left, const View& right,
                   const View& out, const float* bias, Activation activation);

}  // namespace talweg::onednn
