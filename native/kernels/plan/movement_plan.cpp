// Planning of strided copies: which dimension is written along, which are merged, and whether the copy is a transpose.
#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "../movement.h"

namespace talweg::kernels {

namespace {

struct Loop {
  int64_t size, source, destination;  // strides in bytes
};

/// Dimensions above 1, outermost destination stride first; neighbours merged.
int collectLoops(int64_t elementBytes, const Dims& sizes, const Dims& sourceStrides, const Dims& destinationStrides,
                 Loop* loops) {
  int count = 0;
  for (int dim = 0; dim < sizes.rank; dim++) {
    if (sizes[dim] != 1) loops[count++] = {sizes[dim], sourceStrides[dim] * elementBytes, destinationStrides[dim] * elementBytes};
  }
  std::stable_sort(loops, loops + count, [](const Loop& a, const Loop& b) {
    return std::llabs(a.destination) > std::llabs(b.destination);
  });
  int merged = 0;
  for (int i = 0; i < count; i++) {
    const Loop& next = loops[i];
    if (merged > 0 && loops[merged - 1].source == next.source * next.size &&
        loops[merged - 1].destination == next.destination * next.size) {
      loops[merged - 1] = {loops[merged - 1].size * next.size, next.source, next.destination};
    } else {
      loops[merged++] = loops[i];
    }
  }
  return merged;
}

Dims sameRank(const Dims& like) {
  Dims dims;
  dims.rank = like.rank;
  return dims;
}

}  // namespace

CopyPlan planCopy(int64_t elementBytes, const Dims& sizes, const Dims& sourceStrides, const Dims& destinationStrides,
                  int64_t sourceOffset, int64_t destinationOffset) {
  if (sizes.rank != sourceStrides.rank || sizes.rank != destinationStrides.rank) {
    throw std::invalid_argument("copy: sizes and strides have different ranks");
  }
  CopyPlan plan{};
  plan.elementBytes = elementBytes;
  plan.sourceOffsetBytes = sourceOffset * elementBytes;
  plan.destinationOffsetBytes = destinationOffset * elementBytes;
  if (numElements(sizes) == 0) {
    plan.form = CopyPlan::Form::empty;
    return plan;
  }
  Loop loops[maxRank];
  int count = collectLoops(elementBytes, sizes, sourceStrides, destinationStrides, loops);
  Loop inner = count > 0 ? loops[--count] : Loop{1, elementBytes, elementBytes};
  if (inner.source == elementBytes && inner.destination == elementBytes) {
    plan.form = CopyPlan::Form::rows;
  } else {
    plan.form = CopyPlan::Form::general;
    // Written along its memory, read along another dimension: a transpose of the two, in blocks.
    for (int i = 0; i < count && inner.destination == elementBytes && inner.size >= 4; i++) {
      if (loops[i].source != elementBytes || loops[i].size < 4) continue;
      plan.form = CopyPlan::Form::transpose;
      plan.columnSize = loops[i].size;
      plan.columnSourceStride = loops[i].source;
      plan.columnDestinationStride = loops[i].destination;
      std::copy(loops + i + 1, loops + count, loops + i);
      count--;
      break;
    }
  }
  plan.innerSize = inner.size;
  plan.innerSourceStride = inner.source;
  plan.innerDestinationStride = inner.destination;
  plan.rank = count;
  for (int i = 0; i < count; i++) {
    plan.sizes[i] = loops[i].size;
    plan.sourceStrides[i] = loops[i].source;
    plan.destinationStrides[i] = loops[i].destination;
  }
  return plan;
}

CopyPlan planTranspose(int64_t elementBytes, const Dims& sourceSizes, const Dims& sourceStrides, const Dims& permutation) {
  Dims sizes = sameRank(sourceSizes), strides = sameRank(sourceSizes);
  for (int dim = 0; dim < sizes.rank; dim++) {
    sizes[dim] = sourceSizes[static_cast<int>(permutation[dim])];
    strides[dim] = sourceStrides[static_cast<int>(permutation[dim])];
  }
  return planCopy(elementBytes, sizes, strides, rowMajorStrides(sizes));
}

CopyPlan planBroadcastInDim(int64_t elementBytes, const Dims& sourceSizes, const Dims& sourceStrides,
                            const Dims& resultSizes, const Dims& broadcastDims) {
  Dims strides = sameRank(resultSizes);
  for (int dim = 0; dim < sourceSizes.rank; dim++) {
    if (sourceSizes[dim] != 1) strides[static_cast<int>(broadcastDims[dim])] = sourceStrides[dim];
  }
  return planCopy(elementBytes, resultSizes, strides, rowMajorStrides(resultSizes));
}

CopyPlan planSlice(int64_t elementBytes, const Dims& sourceSizes, const Dims& sourceStrides, const Dims& starts,
                   const Dims& limits, const Dims& steps) {
  Dims sizes = sameRank(sourceSizes), strides = sameRank(sourceSizes);
  int64_t offset = 0;
  for (int dim = 0; dim < sizes.rank; dim++) {
    sizes[dim] = std::max<int64_t>(0, (limits[dim] - starts[dim] + steps[dim] - 1) / steps[dim]);
    strides[dim] = sourceStrides[dim] * steps[dim];
    offset += starts[dim] * sourceStrides[dim];
  }
  return planCopy(elementBytes, sizes, strides, rowMajorStrides(sizes), offset);
}

CopyPlan planReverse(int64_t elementBytes, const Dims& sizes, const Dims& sourceStrides, const Dims& dims) {
  Dims strides = sourceStrides;
  int64_t offset = 0;
  for (int i = 0; i < dims.rank; i++) {
    const int dim = static_cast<int>(dims[i]);
    offset += (sizes[dim] - 1) * sourceStrides[dim];
    strides[dim] = -sourceStrides[dim];
  }
  return planCopy(elementBytes, sizes, strides, rowMajorStrides(sizes), offset);
}

CopyPlan planConcatenatePart(int64_t elementBytes, const Dims& partSizes, const Dims& partStrides,
                             const Dims& resultSizes, int dim, int64_t start) {
  const Dims strides = rowMajorStrides(resultSizes);
  return planCopy(elementBytes, partSizes, partStrides, strides, 0, start * strides[dim]);
}

CopyPlan planPad(int64_t elementBytes, const Dims& sourceSizes, const Dims& sourceStrides, const Dims& low,
                 const Dims& high, const Dims& interior) {
  Dims resultSizes = sameRank(sourceSizes), sizes = sameRank(sourceSizes), strides = sameRank(sourceSizes);
  for (int dim = 0; dim < sourceSizes.rank; dim++) {
    const int64_t spread = sourceSizes[dim] + std::max<int64_t>(sourceSizes[dim] - 1, 0) * interior[dim];
    resultSizes[dim] = spread + low[dim] + high[dim];
  }
  const Dims resultStrides = rowMajorStrides(resultSizes);
  int64_t sourceOffset = 0, resultOffset = 0;
  for (int dim = 0; dim < sourceSizes.rank; dim++) {
    // Element i goes to low + i * step; those that fall inside the result are a range [first, last].
    const int64_t step = interior[dim] + 1;
    const int64_t first = low[dim] >= 0 ? 0 : (-low[dim] + step - 1) / step;
    const int64_t room = resultSizes[dim] - 1 - low[dim];
    const int64_t last = room < 0 ? -1 : std::min(sourceSizes[dim] - 1, room / step);
    sizes[dim] = std::max<int64_t>(0, last - first + 1);
    sourceOffset += first * sourceStrides[dim];
    resultOffset += (low[dim] + first * step) * resultStrides[dim];
    strides[dim] = resultStrides[dim] * step;
  }
  return planCopy(elementBytes, sizes, sourceStrides, strides, sourceOffset, resultOffset);
}

bool padCoversResult(const Dims& low, const Dims& high, const Dims& interior) {
  for (int dim = 0; dim < low.rank; dim++) {
    if (low[dim] > 0 || high[dim] > 0 || interior[dim] > 0) return false;
  }
  return true;
}

}  // namespace talweg::kernels
