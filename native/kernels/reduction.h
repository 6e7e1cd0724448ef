// Reductions over any set of dimensions of a strided view.
//
// Sums don't depend on the number of threads: the reduced elements are cut into chunks fixed by the shape alone, each
// chunk is summed in vectors, and the chunks' partial results are combined in order, for f32 and bf16 in f64. The
// error of a sum is thus that of summing a few hundred f32 values, however many there are.
#pragma once

#include "types.h"

namespace talweg::kernels {

/// Columns that one task of a reduction over rows handles at a time.
constexpr int64_t reduceTileColumns = 1024;

/// A planned reduction in canonical loops: for each kept index, over the reduced ones.
struct ReducePlan {
  enum class Form : uint8_t {
    empty,    // no result element
    fill,     // nothing to combine: the initial value everywhere
    rows,     // the innermost reduced dimension is contiguous
    columns,  // the innermost kept dimension is contiguous
    general,
  };
  Form form;
  Combine combine;
  DType dtype, resultDType;
  // Outer loops, outermost first, strides of the source in elements. Without the inner dimension that the form names.
  int keptRank, reducedRank;
  int64_t keptSizes[maxRank], keptStrides[maxRank];
  int64_t reducedSizes[maxRank], reducedStrides[maxRank];
  int64_t innerSize;      // rows: length of the contiguous reduced run; columns: of the contiguous kept run; else 1
  int64_t numKept;        // product of keptSizes
  int64_t numReduced;     // product of reducedSizes
  // The reduced elements are cut into chunks: of the outer reduced positions, or (rows, numReduced 1) of the run.
  int64_t chunkSize, numChunks;
  int64_t scratchBytes;   // to be given to the kernel, 64-byte aligned; 0: none
};

/// Plans result = combine over `dims` of the operand, row-major over the dimensions that are kept.
/// `resultDType` is the operand's, or f32 for a bf16 operand (the sum isn't rounded then).
/// Throws std::invalid_argument on a dtype the combination isn't defined for.
ReducePlan planReduce(Combine combine, DType dtype, DType resultDType, const Dims& sizes, const Dims& strides,
                      const Dims& dims);

/// `initial`: one element of the result's dtype with which each result begins, or null for the neutral element.
using RunReduce = void (*)(const ReducePlan& plan, const void* source, const void* initial, void* result, void* scratch);

/// StableHLO's reduceWindow, as plain loops over row-major operands. For what oneDNN's pooling doesn't do.
struct WindowPlan {
  Combine combine;
  DType dtype;
  int rank;
  int64_t sourceSizes[maxRank], sourceStrides[maxRank];  // row-major
  int64_t resultSizes[maxRank];
  int64_t window[maxRank], strides[maxRank], paddingLow[maxRank], baseDilation[maxRank], windowDilation[maxRank];
};

/// Throws std::invalid_argument where ranks differ or a dtype has no such combination.
WindowPlan planReduceWindow(Combine combine, DType dtype, const Dims& sourceSizes, const Dims& window,
                            const Dims& strides, const Dims& paddingLow, const Dims& paddingHigh,
                            const Dims& baseDilation, const Dims& windowDilation);

/// `initial` as for RunReduce.
using RunReduceWindow = void (*)(const WindowPlan& plan, const void* source, const void* initial, void* result);
/// Gradient of a maximum: each result's gradient goes to the first largest element of its window (row-major order);
/// overlapping windows add. Parallel over the leading dimension where its windows don't overlap. Floats only.
using RunMaxPoolGradient = void (*)(const WindowPlan& plan, const void* source, const void* resultGradient,
                                    void* sourceGradient);

}  // namespace talweg::kernels
