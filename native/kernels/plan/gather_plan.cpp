// Planning of gather and scatter: StableHLO's dimension numbers become strides.
#include <stdexcept>
#include <string>

#include "../movement.h"

namespace talweg::kernels {

namespace {

bool contains(const Dims& dims, int64_t dim) {
  for (int i = 0; i < dims.rank; i++) {
    if (dims[i] == dim) return true;
  }
  return false;
}

void require(bool condition, const char* operation, const char* what) {
  if (!condition) throw std::invalid_argument(std::string(operation) + ": " + what);
}

/// Strides of the index tensor over its batch dimensions (all but `indexVectorDim`), and of the index vector.
int64_t splitIndexStrides(const Dims& indexSizes, int indexVectorDim, Dims& batchSizes, Dims& batchStrides) {
  const Dims strides = rowMajorStrides(indexSizes);
  for (int dim = 0; dim < indexSizes.rank; dim++) {
    if (dim == indexVectorDim) continue;
    batchSizes.append(indexSizes[dim]);
    batchStrides.append(strides[dim]);
  }
  return indexVectorDim < indexSizes.rank ? strides[indexVectorDim] : 0;
}

/// The result's (or updates') strides, split into those of batch dimensions and those of window dimensions.
void splitResultStrides(const Dims& resultSizes, const Dims& windowDims, Dims& batchStrides, Dims& windowStrides) {
  const Dims strides = rowMajorStrides(resultSizes);
  for (int dim = 0; dim < resultSizes.rank; dim++) (contains(windowDims, dim) ? windowStrides : batchStrides).append(strides[dim]);
}

void copyDims(const Dims& from, int64_t* to) {
  for (int i = 0; i < from.rank; i++) to[i] = from[i];
}

}  // namespace

GatherPlan planGather(DType dtype, const Dims& operandSizes, DType indexDType, const Dims& indexSizes,
                      const Dims& offsetDims, const Dims& collapsedSliceDims, const Dims& startIndexMap,
                      int indexVectorDim, const Dims& sliceSizes) {
  require(indexDType == DType::i32 || indexDType == DType::u32, "gather", "indices must be i32 or u32");
  require(sliceSizes.rank == operandSizes.rank, "gather", "sliceSizes has another rank than the operand");
  require(offsetDims.rank + collapsedSliceDims.rank == operandSizes.rank, "gather", "offset and collapsed dimensions don't make up the operand");
  const int64_t vectorSize = indexVectorDim < indexSizes.rank ? indexSizes[indexVectorDim] : 1;
  require(vectorSize == startIndexMap.rank, "gather", "startIndexMap and the index vector have different sizes");

  GatherPlan plan{};
  plan.elementBytes = elementSize(dtype);
  plan.indexDType = indexDType;
  Dims batchSizes, batchIndexStrides, batchResultStrides, windowResultStrides;
  plan.indexStride = splitIndexStrides(indexSizes, indexVectorDim, batchSizes, batchIndexStrides);

  // The result's shape: batch dimensions in order around the offset dimensions.
  Dims resultSizes, windowSizes, windowOperandStrides;
  const Dims operandStrides = rowMajorStrides(operandSizes);
  for (int dim = 0; dim < operandSizes.rank; dim++) {
    require(sliceSizes[dim] <= operandSizes[dim], "gather", "a slice is larger than the operand");
    if (contains(collapsedSliceDims, dim)) continue;
    windowSizes.append(sliceSizes[dim]);
    windowOperandStrides.append(operandStrides[dim]);
  }
  int batch = 0, offset = 0;
  for (int dim = 0; dim < batchSizes.rank + offsetDims.rank; dim++) {
    resultSizes.append(contains(offsetDims, dim) ? windowSizes[offset++] : batchSizes[batch++]);
  }
  splitResultStrides(resultSizes, offsetDims, batchResultStrides, windowResultStrides);

  plan.numWindows = numElements(resultSizes) == 0 ? 0 : numElements(batchSizes);
  plan.batchRank = batchSizes.rank;
  copyDims(batchSizes, plan.batchSizes);
  copyDims(batchIndexStrides, plan.batchIndexStrides);
  copyDims(batchResultStrides, plan.batchResultStrides);
  plan.indexCount = startIndexMap.rank;
  for (int i = 0; i < startIndexMap.rank; i++) {
    const int dim = static_cast<int>(startIndexMap[i]);
    plan.indexLimits[i] = operandSizes[dim] - sliceSizes[dim];
    plan.indexOperandStrides[i] = operandStrides[dim];
  }
  // Trailing window dimensions that are contiguous on both sides make one run.
  plan.runElements = 1;
  int last = windowSizes.rank;
  while (last > 0 && (windowSizes[last - 1] == 1 || (windowOperandStrides[last - 1] == plan.runElements &&
                                                     windowResultStrides[last - 1] == plan.runElements))) {
    plan.runElements *= windowSizes[--last];
  }
  for (int dim = 0; dim < last; dim++) {
    if (windowSizes[dim] == 1) continue;
    plan.windowSizes[plan.windowRank] = windowSizes[dim];
    plan.windowOperandStrides[plan.windowRank] = windowOperandStrides[dim];
    plan.windowResultStrides[plan.windowRank++] = windowResultStrides[dim];
  }
  return plan;
}

ScatterPlan planScatter(DType dtype, Combine combine, const Dims& operandSizes, DType indexDType, const Dims& indexSizes,
                        const Dims& updateSizes, const Dims& updateWindowDims, const Dims& insertedWindowDims,
                        const Dims& scatterDimsToOperandDims, int indexVectorDim) {
  require(indexDType == DType::i32 || indexDType == DType::u32, "scatter", "indices must be i32 or u32");
  require(updateWindowDims.rank + insertedWindowDims.rank == operandSizes.rank, "scatter", "window and inserted dimensions don't make up the operand");
  require(combine != Combine::sumOfSquares, "scatter", "sumOfSquares isn't a scatter's combination");
  const int64_t vectorSize = indexVectorDim < indexSizes.rank ? indexSizes[indexVectorDim] : 1;
  require(vectorSize == scatterDimsToOperandDims.rank, "scatter", "scatterDimsToOperandDims and the index vector have different sizes");

  ScatterPlan plan{};
  plan.dtype = dtype;
  plan.combine = combine;
  plan.indexDType = indexDType;
  Dims batchSizes, batchIndexStrides, batchUpdateStrides, windowUpdateStrides;
  plan.indexStride = splitIndexStrides(indexSizes, indexVectorDim, batchSizes, batchIndexStrides);
  splitResultStrides(updateSizes, updateWindowDims, batchUpdateStrides, windowUpdateStrides);
  require(batchUpdateStrides.rank == batchSizes.rank, "scatter", "updates and indices have different batch dimensions");

  plan.numWindows = numElements(updateSizes) == 0 ? 0 : numElements(batchSizes);
  plan.batchRank = batchSizes.rank;
  copyDims(batchSizes, plan.batchSizes);
  copyDims(batchIndexStrides, plan.batchIndexStrides);
  copyDims(batchUpdateStrides, plan.batchUpdateStrides);

  const Dims operandStrides = rowMajorStrides(operandSizes);
  int64_t operandWindow[maxRank];  // the window's size along each of the operand's dimensions
  int window = 0;
  for (int dim = 0; dim < operandSizes.rank; dim++) {
    operandWindow[dim] = 1;
    if (contains(insertedWindowDims, dim)) continue;
    operandWindow[dim] = updateSizes[static_cast<int>(updateWindowDims[window])];
    plan.windowSizes[window] = operandWindow[dim];
    plan.windowOperandStrides[window] = operandStrides[dim];
    plan.windowUpdateStrides[window] = windowUpdateStrides[window];
    plan.windowIndex[window] = -1;
    for (int i = 0; i < scatterDimsToOperandDims.rank; i++) {
      if (scatterDimsToOperandDims[i] == dim) plan.windowIndex[window] = i;
    }
    require(plan.windowIndex[window] >= 0 || operandWindow[dim] <= operandSizes[dim], "scatter", "a window is larger than the operand");
    window++;
  }
  plan.windowRank = window;
  plan.indexCount = scatterDimsToOperandDims.rank;
  for (int i = 0; i < scatterDimsToOperandDims.rank; i++) {
    const int dim = static_cast<int>(scatterDimsToOperandDims[i]);
    plan.indexSizes[i] = operandSizes[dim];
    plan.indexWindowSizes[i] = operandWindow[dim];
    plan.indexOperandStrides[i] = operandStrides[dim];
  }

  // Whole rows of a matrix, one index each: [V, D] <- [.., D].
  const bool isLeading = plan.indexCount == 1 && scatterDimsToOperandDims[0] == 0 && operandWindow[0] == 1;
  int64_t windowElements = 1;
  bool areRowsWhole = isLeading;
  for (int w = 0; w < plan.windowRank; w++) {
    windowElements *= plan.windowSizes[w];
    areRowsWhole = areRowsWhole && (plan.windowSizes[w] == 1 || plan.windowUpdateStrides[w] == plan.windowOperandStrides[w]);
  }
  areRowsWhole = areRowsWhole && windowElements == operandStrides[0];
  plan.isRowScatter = areRowsWhole;
  plan.numRows = operandSizes.rank > 0 ? operandSizes[0] : 1;
  plan.rowElements = operandSizes.rank > 0 ? operandStrides[0] : 1;
  return plan;
}

}  // namespace talweg::kernels
