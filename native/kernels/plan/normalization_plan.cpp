// What the normalisations' kernels need beside their operands.
#include "../normalization.h"
#include "row_chunks.h"

namespace talweg::kernels {

// Two double-precision sums a column for each chunk of rows.
int64_t normalizationScratchBytes(const RowPlan& plan) {
  return numRowChunks(plan.rows) * 2 * plan.width * static_cast<int64_t>(sizeof(double));
}

// Two sums a column for each of 64 chunks, and four coefficients a column (target/batch_norm_relu.cpp).
int64_t batchNormReluScratchBytes(const BatchNormReluPlan& plan) {
  constexpr int64_t numChunks = 64;
  return plan.width * (numChunks * 2 * static_cast<int64_t>(sizeof(double)) + 4 * static_cast<int64_t>(sizeof(float)));
}

}  // namespace talweg::kernels
