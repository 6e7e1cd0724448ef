// Linear and logistic regression: the gradient over all rows in one pass over them, and stochastic descent, many steps
// in a run. Rows are f32, contiguous, one after the other.
#pragma once

#include "types.h"

namespace talweg::kernels {

// The loss of a row with the score z = x · w + b and the target t, and its derivative by z:
//   squares   (z - t)^2 / 2, z - t
//   logistic  log(1 + exp z) - t z, 1 / (1 + exp -z) - t
enum class RowLoss : uint8_t { squares, logistic };

struct LinearModelPlan {
  RowLoss loss;
  DType targetDType;  // f32 or i32
  int64_t rows, width;
  // Of descent alone: steps, rows a step, and whether the intercept is moved.
  int64_t steps = 0, batch = 0;
  bool movesIntercept = true;
};

/// Sums over the rows, kept for each chunk of them in double precision: the same bits at any number of threads.
int64_t linearGradientScratchBytes(const LinearModelPlan& plan);
using RunLinearGradient = void (*)(const LinearModelPlan& plan, const float* features, const void* targets,
                                   const float* weights, float intercept, float* loss, float* weightGradient,
                                   float* interceptGradient, void* scratch);

/// w ← w - rate / batch Σ error x, step after step, each over the rows that `order` [steps, batch] names (an index out
/// of range is clamped). `losses` [steps]: the mean over a step's rows before it. New and old weights may be the same
/// memory.
int64_t linearDescentScratchBytes(const LinearModelPlan& plan);
using RunLinearDescent = void (*)(const LinearModelPlan& plan, const float* features, const void* targets,
                                  const int32_t* order, const float* rates, const float* weights, float intercept,
                                  float* newWeights, float* newIntercept, float* losses, void* scratch);

}  // namespace talweg::kernels
