// Planning of reductions: canonical loops, and chunks that depend on the shape alone.
#include <algorithm>
#include <stdexcept>

#include "../reduction.h"

namespace talweg::kernels {

namespace {

struct Loop {
  int64_t size, stride;
};

/// Adds a loop, merged into the last one where the two are one walk.
void appendLoop(Loop* loops, int& count, Loop next) {
  if (next.size == 1) return;
  if (count > 0 && loops[count - 1].stride == next.stride * next.size) {
    loops[count - 1] = {loops[count - 1].size * next.size, next.stride};
  } else {
    loops[count++] = next;
  }
}

bool isDefined(Combine combine, DType dtype) {
  const bool isFloat = dtype == DType::f64 || dtype == DType::f32 || dtype == DType::bf16;
  switch (combine) {
    case Combine::add:
    case Combine::multiply:
    case Combine::maximum:
    case Combine::minimum: return true;
    case Combine::logicalAnd:
    case Combine::logicalOr: return !isFloat;
    case Combine::sumOfSquares: return isFloat;
    case Combine::replace: return false;
  }
  return false;
}

void cutIntoChunks(ReducePlan& plan) {
  plan.chunkSize = plan.numReduced;
  plan.numChunks = 1;
  constexpr int64_t enoughTasks = 64, mostChunks = 128;
  if (plan.form == ReducePlan::Form::rows && plan.numKept < enoughTasks) {
    constexpr int64_t leastElements = 16384;
    if (plan.numReduced == 1) {
      plan.chunkSize = std::max(leastElements, ((plan.innerSize + mostChunks - 1) / mostChunks + 4095) / 4096 * 4096);
      plan.numChunks = (plan.innerSize + plan.chunkSize - 1) / plan.chunkSize;
    } else {
      plan.chunkSize = std::max({int64_t{1}, leastElements / plan.innerSize, (plan.numReduced + mostChunks - 1) / mostChunks});
      plan.numChunks = (plan.numReduced + plan.chunkSize - 1) / plan.chunkSize;
    }
  }
  if (plan.form == ReducePlan::Form::columns) {
    const int64_t tiles = (plan.innerSize + reduceTileColumns - 1) / reduceTileColumns * plan.numKept;
    if (tiles < enoughTasks) {
      const int64_t leastRows = std::max<int64_t>(16, 16384 / plan.innerSize);
      plan.chunkSize = std::max(leastRows, (plan.numReduced + enoughTasks - 1) / enoughTasks);
      plan.numChunks = (plan.numReduced + plan.chunkSize - 1) / plan.chunkSize;
    }
  }
  const int64_t results = plan.numKept * (plan.form == ReducePlan::Form::columns ? plan.innerSize : 1);
  plan.scratchBytes = plan.numChunks > 1 ? (plan.numChunks * results * 8 + 63) / 64 * 64 : 0;
}

}  // namespace

ReducePlan planReduce(Combine combine, DType dtype, DType resultDType, const Dims& sizes, const Dims& strides,
                      const Dims& dims) {
  if (!isDefined(combine, dtype)) throw std::invalid_argument("reduce: the combination isn't defined on that dtype");
  if (resultDType != dtype && !(dtype == DType::bf16 && resultDType == DType::f32)) {
    throw std::invalid_argument("reduce: the result's dtype must be the operand's, or f32 for bf16");
  }
  if (sizes.rank != strides.rank) throw std::invalid_argument("reduce: sizes and strides have different ranks");
  bool isReduced[maxRank] = {};
  for (int i = 0; i < dims.rank; i++) {
    if (dims[i] < 0 || dims[i] >= sizes.rank) throw std::invalid_argument("reduce: a dimension is outside the operand");
    isReduced[dims[i]] = true;
  }

  ReducePlan plan{};
  plan.combine = combine;
  plan.dtype = dtype;
  plan.resultDType = resultDType;
  plan.innerSize = plan.numKept = plan.numReduced = 1;
  Loop kept[maxRank], reduced[maxRank], sorted[maxRank];
  int numKeptLoops = 0, numReducedLoops = 0, numSorted = 0;
  int64_t keptElements = 1, reducedElements = 1;
  for (int dim = 0; dim < sizes.rank; dim++) {
    (isReduced[dim] ? reducedElements : keptElements) *= sizes[dim];
    if (isReduced[dim]) {
      sorted[numSorted++] = {sizes[dim], strides[dim]};
    } else {
      appendLoop(kept, numKeptLoops, {sizes[dim], strides[dim]});
    }
  }
  if (keptElements == 0 || reducedElements == 0) {
    plan.form = keptElements == 0 ? ReducePlan::Form::empty : ReducePlan::Form::fill;
    plan.numKept = keptElements;
    return plan;
  }
  // Reduced dimensions may be walked in any order: along the memory.
  std::stable_sort(sorted, sorted + numSorted, [](const Loop& a, const Loop& b) { return a.stride > b.stride; });
  for (int i = 0; i < numSorted; i++) appendLoop(reduced, numReducedLoops, sorted[i]);

  plan.form = ReducePlan::Form::general;
  if (numReducedLoops > 0 && reduced[numReducedLoops - 1].stride == 1) {
    plan.form = ReducePlan::Form::rows;
    plan.innerSize = reduced[--numReducedLoops].size;
  } else if (numKeptLoops > 0 && kept[numKeptLoops - 1].stride == 1) {
    plan.form = ReducePlan::Form::columns;
    plan.innerSize = kept[--numKeptLoops].size;
  }
  plan.keptRank = numKeptLoops;
  plan.reducedRank = numReducedLoops;
  for (int i = 0; i < numKeptLoops; i++) {
    plan.keptSizes[i] = kept[i].size;
    plan.keptStrides[i] = kept[i].stride;
    plan.numKept *= kept[i].size;
  }
  for (int i = 0; i < numReducedLoops; i++) {
    plan.reducedSizes[i] = reduced[i].size;
    plan.reducedStrides[i] = reduced[i].stride;
    plan.numReduced *= reduced[i].size;
  }
  cutIntoChunks(plan);
  return plan;
}

WindowPlan planReduceWindow(Combine combine, DType dtype, const Dims& sourceSizes, const Dims& window,
                            const Dims& strides, const Dims& paddingLow, const Dims& paddingHigh,
                            const Dims& baseDilation, const Dims& windowDilation) {
  if (!isDefined(combine, dtype) || combine == Combine::sumOfSquares) {
    throw std::invalid_argument("reduceWindow: the combination isn't defined on that dtype");
  }
  for (const Dims* dims : {&window, &strides, &paddingLow, &paddingHigh, &baseDilation, &windowDilation}) {
    if (dims->rank != sourceSizes.rank) throw std::invalid_argument("reduceWindow: attributes and operand have different ranks");
  }
  WindowPlan plan{};
  plan.combine = combine;
  plan.dtype = dtype;
  plan.rank = sourceSizes.rank;
  const Dims rowMajor = rowMajorStrides(sourceSizes);
  for (int dim = 0; dim < plan.rank; dim++) {
    const int64_t spread = sourceSizes[dim] == 0 ? 0 : (sourceSizes[dim] - 1) * baseDilation[dim] + 1;
    const int64_t padded = spread + paddingLow[dim] + paddingHigh[dim];
    const int64_t reach = window[dim] == 0 ? 0 : (window[dim] - 1) * windowDilation[dim] + 1;
    plan.sourceSizes[dim] = sourceSizes[dim];
    plan.sourceStrides[dim] = rowMajor[dim];
    plan.resultSizes[dim] = padded < reach ? 0 : (padded - reach) / strides[dim] + 1;
    plan.window[dim] = window[dim];
    plan.strides[dim] = strides[dim];
    plan.paddingLow[dim] = paddingLow[dim];
    plan.baseDilation[dim] = baseDilation[dim];
    plan.windowDilation[dim] = windowDilation[dim];
  }
  return plan;
}

}  // namespace talweg::kernels
