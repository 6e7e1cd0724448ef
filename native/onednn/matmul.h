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
Task prepareMatmul(const Session& session, Scratch& scratch, const View& left, const View& right, const View& out,
                   const float* bias, Activation activation);

}  // namespace talweg::onednn
