// What the normalisations' kernels need beside their operands.
#include "../normalization.h"

namespace talweg::kernels {

// Two double-precision sums a column for each chunk of rows, of which there are never more than 64 (target/rows.h);
// the sums of no rows at all want a place too.
int64_t normalizationScratchBytes(const RowPlan& plan) {
  constexpr int64_t maxChunks = 64, fewestRows = 64;
  const int64_t wanted = (plan.rows + fewestRows - 1) / fewestRows;
  const int64_t numChunks = wanted < 1 ? 1 : wanted < maxChunks ? wanted : maxChunks;
  return numChunks * 2 * plan.width * static_cast<int64_t>(sizeof(double));
}

// Two sums a column for each of 64 chunks, and four coefficients a column (target/batch_norm_relu.cpp).
int64_t batchNormReluScratchBytes(const BatchNormReluPlan& plan) {
  constexpr int64_t numChunks = 64;
  return plan.width * (numChunks * 2 * static_cast<int64_t>(sizeof(double)) + 4 * static_cast<int64_t>(sizeof(float)));
}

}  // namespace talweg::kernels
