// Softmax, layer norm, RMS norm, batch norm, GELU and softmax cross-entropy, forward and backward, each in one pass
// over its rows.
//
// Activations are f32 or bf16, each operand by its own `DType` as said in the plan; weights, statistics, losses and
// parameter gradients are f32. Rows are contiguous and follow each other. Sums over rows (parameter gradients, batch
// statistics) are kept per chunk of rows, fixed by the shape, and combined in order: same bits at any number of threads.
#pragma once

#include "types.h"

namespace talweg::kernels {

/// Rows of `width` elements each.
struct RowPlan {
  int64_t rows, width;
  DType inputDType = DType::f32;     // x
  DType outputDType = DType::f32;    // y
  DType gradientDType = DType::f32;  // dy, the incoming gradient
  DType resultDType = DType::f32;    // dx, the outgoing gradient
  float epsilon = 1e-5f;
};

/// Scratch of the backward normalisations and of batch norm, in bytes; 64-byte aligned.
int64_t normalizationScratchBytes(const RowPlan& plan);

/// y = exp(x - max x) / sum. A row of -inf gives NaN, as StableHLO's decomposition does.
using RunSoftmax = void (*)(const RowPlan& plan, const void* x, void* y);
/// y = x - max x - log sum exp(x - max x)
using RunLogSoftmax = void (*)(const RowPlan& plan, const void* x, void* y);
/// dx = y * (dy - sum(dy * y)); y has the plan's outputDType.
using RunSoftmaxGradient = void (*)(const RowPlan& plan, const void* y, const void* dy, void* dx);

/// y = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(variance + epsilon). `weight`, `bias` may be null (1, 0).
/// `mean`, `rstd`: f32[rows], or null.
using RunLayerNorm = void (*)(const RowPlan& plan, const void* x, const float* weight, const float* bias, void* y,
                              float* mean, float* rstd);
/// dx, dweight = sum dy * xhat, dbias = sum dy in one pass. `dweight`, `dbias` may be null.
using RunLayerNormGradient = void (*)(const RowPlan& plan, const void* x, const float* weight, const float* mean,
                                      const float* rstd, const void* dy, void* dx, float* dweight, float* dbias,
                                      void* scratch);

/// y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + epsilon). `weight` may be null; `rstd`: f32[rows] or null.
using RunRmsNorm = void (*)(const RowPlan& plan, const void* x, const float* weight, void* y, float* rstd);
using RunRmsNormGradient = void (*)(const RowPlan& plan, const void* x, const float* weight, const float* rstd,
                                    const void* dy, void* dx, float* dweight, void* scratch);

/// Training form over rows = N * H * W, width = channels. `mean`, `variance` (biased), `rstd`: f32[width]; `variance`
/// may be null. y = (x - mean) * rstd * weight + bias; `weight`, `bias` may be null.
using RunBatchNorm = void (*)(const RowPlan& plan, const void* x, const float* weight, const float* bias, void* y,
                              float* mean, float* variance, float* rstd, void* scratch);
/// dx = weight * rstd * (dy - mean(dy) - xhat * mean(dy * xhat)), dweight, dbias (never null).
using RunBatchNormGradient = void (*)(const RowPlan& plan, const void* x, const float* weight, const float* mean,
                                      const float* rstd, const void* dy, void* dx, float* dweight, float* dbias,
                                      void* scratch);

/// Batch norm in its training form, then ReLU, then max pooling by windows that lie side by side, over images
/// [bands, windowHeight, columns, windowWidth, width]: a band is a row of windows. Windows of 1 x 1 pool nothing.
struct BatchNormReluPlan {
  int64_t bands, windowHeight, columns, windowWidth;
  int64_t width;                     // channels
  DType inputDType = DType::f32;     // x
  DType outputDType = DType::f32;    // y
  DType gradientDType = DType::f32;  // dy
  DType resultDType = DType::f32;    // dx
  float epsilon = 1e-5f;
};

/// Scratch of both kernels below, in bytes; 64-byte aligned.
int64_t batchNormReluScratchBytes(const BatchNormReluPlan& plan);

/// y[bands, columns, width] = max of each window of relu((x - mean) * rstd * weight + bias), NaN where the window has one.
/// `mean`, `variance` (biased): f32[width].
using RunBatchNormRelu = void (*)(const BatchNormReluPlan& plan, const void* x, const float* weight, const float* bias,
                                  void* y, float* mean, float* variance, void* scratch);
/// From dy[bands, columns, width]: the first largest of a window gets its dy where it is above 0; then as RunBatchNormGradient.
using RunBatchNormReluGradient = void (*)(const BatchNormReluPlan& plan, const void* dy, const void* x,
                                          const float* weight, const float* bias, const float* mean,
                                          const float* variance, void* dx, float* dweight, float* dbias, void* scratch);

enum class Gelu : uint8_t { tanh, erf };
/// y = x * Phi(x), or its tanh form. `count` elements.
using RunGelu = void (*)(Gelu form, int64_t count, DType inputDType, const void* x, DType outputDType, void* y);
/// dx = dy * d gelu(x) / dx. dy and dx may be the same memory where their dtypes are.
using RunGeluGradient = void (*)(Gelu form, int64_t count, DType inputDType, const void* x, DType gradientDType,
                                 const void* dy, DType resultDType, void* dx);

/// Cross-entropy of the softmax of logits [rows, classes] with integer targets i32[rows].
/// loss = lse - (1 - smoothing) * logit[target] - smoothing / classes * sum(logits), 0 where the target is ignored.
/// A target outside [0, classes) that isn't the ignored one gives NaN.
struct CrossEntropyPlan {
  int64_t rows, classes;
  int64_t rowStride;                  // elements between rows of the logits (>= classes: padded vocabularies)
  int64_t gradientRowStride;          // of dlogits; what lies between classes and it is set to 0
  DType logitsDType = DType::f32;
  DType gradientDType = DType::f32;   // dlogits
  float labelSmoothing = 0;
  bool hasIgnoredTarget = false;
  int32_t ignoredTarget = -1;
};

using RunCrossEntropy = void (*)(const CrossEntropyPlan& plan, const void* logits, const int32_t* targets, float* losses,
                                 float* logSumExp);
/// dlogits[row] = dlosses[row] * (softmax(logits) - smoothed one-hot). `logSumExp` is the forward's. In place allowed.
/// `dlossStride` 0: one gradient for all rows.
using RunCrossEntropyGradient = void (*)(const CrossEntropyPlan& plan, const void* logits, const int32_t* targets,
                                         const float* logSumExp, const float* dlosses, int64_t dlossStride,
                                         void* dlogits);

}  // namespace talweg::kernels
