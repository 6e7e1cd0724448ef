// What the kernels of linear models need beside their operands.
#include "../linear_model.h"

#include "row_chunks.h"

namespace talweg::kernels {

// For each chunk of rows: a sum a column, the loss and the errors.
int64_t linearGradientScratchBytes(const LinearModelPlan& plan) {
  return numRowChunks(plan.rows) * (plan.width + 2) * static_cast<int64_t>(sizeof(double));
}

// The weights, padded to vectors of any target, and the errors of a step's rows.
int64_t linearDescentScratchBytes(const LinearModelPlan& plan) {
  constexpr int64_t widestVector = 16;
  const int64_t padded = (plan.width + widestVector - 1) / widestVector * widestVector;
  const int64_t errors = (plan.batch + widestVector - 1) / widestVector * widestVector;
  return (padded + errors) * static_cast<int64_t>(sizeof(float));
}

}  // namespace talweg::kernels
