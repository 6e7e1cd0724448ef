// Data movement: strided copies, fills, gather and scatter.
//
// Every operation that only moves elements (transpose, broadcast, slice, concatenate, pad, reverse, convert-free
// reshape of a strided view) is one or several strided copies. A copy is planned once: dimensions of size 1 are
// dropped, neighbours merged, the order chosen so that the destination is written along its memory, and 2-D transposes
// are blocked.
#pragma once

#include "types.h"

namespace talweg::kernels {

/// A planned strided copy. Pointers given to the kernel are those of the whole operands; the offsets are added to them.
struct CopyPlan {
  enum class Form : uint8_t { empty, rows, transpose, general };
  Form form;
  int64_t elementBytes;                          // 1, 2, 4 or 8
  int64_t sourceOffsetBytes, destinationOffsetBytes;
  int rank;                                      // outer dimensions, outermost first, without the one or two inner ones
  int64_t sizes[maxRank], sourceStrides[maxRank], destinationStrides[maxRank];  // in bytes
  // The inner dimension (rows: contiguous bytes in both; general: strided), and for `transpose` the one before it,
  // along which the source is contiguous.
  int64_t innerSize, innerSourceStride, innerDestinationStride;
  int64_t columnSize, columnSourceStride, columnDestinationStride;
};

/// Plans destination[i] = source[i] over `sizes`, strides in elements (0 and negative ones allowed in the source),
/// offsets in elements. Throws std::invalid_argument if the ranks differ.
CopyPlan planCopy(int64_t elementBytes, const Dims& sizes, const Dims& sourceStrides, const Dims& destinationStrides,
                  int64_t sourceOffset = 0, int64_t destinationOffset = 0);

/// StableHLO's operations as copies into a row-major destination. `sourceStrides` are those of the operand's view.
CopyPlan planTranspose(int64_t elementBytes, const Dims& sourceSizes, const Dims& sourceStrides, const Dims& permutation);
CopyPlan planBroadcastInDim(int64_t elementBytes, const Dims& sourceSizes, const Dims& sourceStrides,
                            const Dims& resultSizes, const Dims& broadcastDims);
CopyPlan planSlice(int64_t elementBytes, const Dims& sourceSizes, const Dims& sourceStrides, const Dims& starts,
                   const Dims& limits, const Dims& steps);
CopyPlan planReverse(int64_t elementBytes, const Dims& sizes, const Dims& sourceStrides, const Dims& dims);
/// One operand of a concatenation: `start` is where it begins along `dim` of the result.
CopyPlan planConcatenatePart(int64_t elementBytes, const Dims& partSizes, const Dims& partStrides,
                             const Dims& resultSizes, int dim, int64_t start);
/// The copy of a pad; fill the result with the padding value first (unless the copy covers it: see `padCoversResult`).
/// Negative `low` and `high` cut, `interior` spreads.
CopyPlan planPad(int64_t elementBytes, const Dims& sourceSizes, const Dims& sourceStrides, const Dims& low,
                 const Dims& high, const Dims& interior);
bool padCoversResult(const Dims& low, const Dims& high, const Dims& interior);

/// A planned gather: for each row of starts, one window of the operand, clamped to lie inside.
struct GatherPlan {
  int64_t elementBytes;
  DType indexDType;                 // i32 or u32
  int64_t numWindows;
  // Batch dimensions of the result: where the starts of a window are read and where it goes.
  int batchRank;
  int64_t batchSizes[maxRank], batchIndexStrides[maxRank], batchResultStrides[maxRank];  // in elements
  int indexCount;                   // numbers in one index vector
  int64_t indexStride;              // between them, in elements
  int64_t indexLimits[maxRank];     // largest start allowed of each (operand size - window size)
  int64_t indexOperandStrides[maxRank];
  // The window: a contiguous run of `runElements` and loops around it.
  int windowRank;
  int64_t windowSizes[maxRank], windowOperandStrides[maxRank], windowResultStrides[maxRank];
  int64_t runElements;
};

/// Dimension numbers are StableHLO's. Operand and result are row-major, `indices` too.
/// Throws std::invalid_argument where shapes and dimension numbers disagree.
GatherPlan planGather(DType dtype, const Dims& operandSizes, DType indexDType, const Dims& indexSizes,
                      const Dims& offsetDims, const Dims& collapsedSliceDims, const Dims& startIndexMap,
                      int indexVectorDim, const Dims& sliceSizes);

/// A planned scatter. Deterministic at any number of threads: every element of the result sees its updates in the
/// order of the starts; with Combine::replace the last one wins.
struct ScatterPlan {
  DType dtype;
  Combine combine;
  DType indexDType;
  int64_t numWindows;
  int batchRank;
  int64_t batchSizes[maxRank], batchIndexStrides[maxRank], batchUpdateStrides[maxRank];
  int indexCount;
  int64_t indexStride;
  int64_t indexSizes[maxRank];          // operand's size along each indexed dimension
  int64_t indexWindowSizes[maxRank];    // the window's
  int64_t indexOperandStrides[maxRank];
  int windowRank;
  int64_t windowSizes[maxRank], windowOperandStrides[maxRank], windowUpdateStrides[maxRank];
  // For each window dimension, which index it moves with (-1: none), to drop single elements out of range.
  int windowIndex[maxRank];
  bool isRowScatter;                    // one index, windows are whole contiguous rows: the embedding's gradient
  int64_t rowElements, numRows;
};

/// Dimension numbers are StableHLO's. The result must already hold the operand's values (copy or in place).
/// An element of an update that falls outside the operand is dropped.
ScatterPlan planScatter(DType dtype, Combine combine, const Dims& operandSizes, DType indexDType, const Dims& indexSizes,
                        const Dims& updateSizes, const Dims& updateWindowDims, const Dims& insertedWindowDims,
                        const Dims& scatterDimsToOperandDims, int indexVectorDim);

using RunCopy = void (*)(const CopyPlan& plan, const void* source, void* destination);
/// Writes `count` elements equal to the one at `value`.
using RunFill = void (*)(int64_t elementBytes, const void* value, int64_t count, void* destination);
using RunGather = void (*)(const GatherPlan& plan, const void* operand, const void* indices, void* result);
using RunScatter = void (*)(const ScatterPlan& plan, const void* indices, const void* updates, void* result);

}  // namespace talweg::kernels
