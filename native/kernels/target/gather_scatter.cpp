// Gather and scatter with StableHLO's general dimension numbers, and fast rows for embeddings.
//
// A scatter is the same at any number of threads: each element of the result belongs to one thread, which goes through
// all updates in order. For rows the owners are interleaved by row, since frequent tokens tend to be neighbours.
#include "vector.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

namespace {

/// Position in a batch of index vectors, as offsets into the indices and into the result or the updates.
struct BatchCursor {
  int rank;
  const int64_t* sizes;
  const int64_t* indexStrides;
  const int64_t* otherStrides;
  int64_t at[maxRank] = {};
  int64_t indexOffset = 0, otherOffset = 0;

  void moveTo(int64_t position) {
    indexOffset = otherOffset = 0;
    for (int dim = rank - 1; dim >= 0; dim--) {
      at[dim] = position % sizes[dim];
      position /= sizes[dim];
      indexOffset += at[dim] * indexStrides[dim];
      otherOffset += at[dim] * otherStrides[dim];
    }
  }
  void next() {
    for (int dim = rank - 1; dim >= 0; dim--) {
      indexOffset += indexStrides[dim];
      otherOffset += otherStrides[dim];
      if (++at[dim] < sizes[dim]) return;
      indexOffset -= sizes[dim] * indexStrides[dim];
      otherOffset -= sizes[dim] * otherStrides[dim];
      at[dim] = 0;
    }
  }
};

TALWEG_INLINE int64_t readIndex(const void* indices, DType dtype, int64_t offset) {
  if (dtype == DType::u32) return static_cast<const uint32_t*>(indices)[offset];
  return static_cast<const int32_t*>(indices)[offset];
}

template <class T>
void copyRun(const T* source, int64_t count, T* destination) {
  if (count == 1) {
    *destination = *source;
  } else {
    std::memcpy(destination, source, static_cast<size_t>(count) * sizeof(T));
  }
}

template <class T>
void copyWindow(const GatherPlan& plan, int dim, const T* source, T* destination) {
  if (dim == plan.windowRank) return copyRun(source, plan.runElements, destination);
  for (int64_t i = 0; i < plan.windowSizes[dim]; i++) {
    copyWindow(plan, dim + 1, source + i * plan.windowOperandStrides[dim], destination + i * plan.windowResultStrides[dim]);
  }
}

template <class T>
void gatherTyped(const GatherPlan& plan, const T* operand, const void* indices, T* result) {
  if (plan.numWindows == 0) return;
  int64_t windowElements = plan.runElements;
  for (int dim = 0; dim < plan.windowRank; dim++) windowElements *= plan.windowSizes[dim];
  const int64_t group = larger<int64_t>(1, 2048 / windowElements);
  parallelFor(isWorthThreads(plan.numWindows * (windowElements * 2 + 64)), ceilDiv(plan.numWindows, group), [&](int64_t part) {
    const int64_t first = part * group;
    BatchCursor cursor{plan.batchRank, plan.batchSizes, plan.batchIndexStrides, plan.batchResultStrides};
    cursor.moveTo(first);
    const int64_t last = smaller(first + group, plan.numWindows);
    for (int64_t window = first; window < last; window++, cursor.next()) {
      int64_t offset = 0;
      for (int i = 0; i < plan.indexCount; i++) {
        const int64_t start = readIndex(indices, plan.indexDType, cursor.indexOffset + i * plan.indexStride);
        offset += smaller(larger<int64_t>(start, 0), plan.indexLimits[i]) * plan.indexOperandStrides[i];
      }
      copyWindow(plan, 0, operand + offset, result + cursor.otherOffset);
    }
  });
}

// ---- scatter ----

/// How one element takes an update. bf16 goes through f32.
template <class T>
TALWEG_INLINE T combined(Combine combine, T a, T b) {
  switch (combine) {
    case Combine::add: return a + b;
    case Combine::multiply: return a * b;
    case Combine::maximum: return (a > b) | (a != a) ? a : b;
    case Combine::minimum: return (a < b) | (a != a) ? a : b;
    case Combine::logicalAnd: return static_cast<T>(static_cast<int64_t>(a) & static_cast<int64_t>(b));
    case Combine::logicalOr: return static_cast<T>(static_cast<int64_t>(a) | static_cast<int64_t>(b));
    default: return b;
  }
}

struct Boolean {
  uint8_t value;
};

template <class T>
TALWEG_INLINE void combineInto(Combine combine, T& a, const T& b) { a = combined(combine, a, b); }
TALWEG_INLINE void combineInto(Combine combine, BFloat16& a, const BFloat16& b) {
  if (combine == Combine::replace) {
    a = b;
  } else {
    storeScalar(&a, combined(combine, loadScalar(&a), loadScalar(&b)));
  }
}
TALWEG_INLINE void combineInto(Combine combine, Boolean& a, const Boolean& b) {
  const bool isAnd = combine == Combine::multiply || combine == Combine::minimum || combine == Combine::logicalAnd;
  a.value = combine == Combine::replace ? b.value : isAnd ? a.value & b.value : a.value | b.value;
}

template <class T>
void combineRun(Combine combine, T* result, const T* updates, int64_t count) {
  if (combine == Combine::add) {
    for (int64_t i = 0; i < count; i++) combineInto(Combine::add, result[i], updates[i]);
  } else {
    for (int64_t i = 0; i < count; i++) combineInto(combine, result[i], updates[i]);
  }
}
void combineRun(Combine combine, float* result, const float* updates, int64_t count) {
  int64_t i = 0;
  if (combine == Combine::add) {
    for (; i + lanes <= count; i += lanes) store(result + i, load(result + i) + load(updates + i));
  }
  for (; i < count; i++) combineInto(combine, result[i], updates[i]);
}
void combineRun(Combine combine, BFloat16* result, const BFloat16* updates, int64_t count) {
  int64_t i = 0;
  if (combine == Combine::add) {
    for (; i + lanes <= count; i += lanes) store(result + i, load(result + i) + load(updates + i));
  }
  for (; i < count; i++) combineInto(combine, result[i], updates[i]);
}

/// Rows of a matrix: a thread owns a strip of columns (at least 64 wide) of every so-many-th row.
template <class T>
void scatterRows(const ScatterPlan& plan, const void* indices, const T* updates, T* result) {
  const auto runShare = [&](int64_t thread, int64_t numThreads) {
    const int64_t strips = larger<int64_t>(1, smaller(numThreads, plan.rowElements / 64));
    const int64_t owners = numThreads / strips;
    const int64_t strip = thread % strips, owner = thread / strips;
    const int64_t width = roundUp(ceilDiv(plan.rowElements, strips), 16);
    const int64_t begin = smaller(strip * width, plan.rowElements), count = smaller(width, plan.rowElements - begin);
    if (owner >= owners || count <= 0) return;
    BatchCursor cursor{plan.batchRank, plan.batchSizes, plan.batchIndexStrides, plan.batchUpdateStrides};
    for (int64_t window = 0; window < plan.numWindows; window++, cursor.next()) {
      const int64_t row = readIndex(indices, plan.indexDType, cursor.indexOffset);
      if (row < 0 || row >= plan.numRows || row % owners != owner) continue;
      combineRun(plan.combine, result + row * plan.rowElements + begin, updates + cursor.otherOffset + begin, count);
    }
  };
  shareOut(isWorthThreads(plan.numWindows * (plan.rowElements * 3 + 16)), runShare);
}

/// One window, element by element, those outside dropped.
template <class T>
void scatterWindow(const ScatterPlan& plan, int dim, const int64_t* starts, const T* updates, T* result) {
  if (dim == plan.windowRank) return combineInto(plan.combine, *result, *updates);
  const int index = plan.windowIndex[dim];
  int64_t from = 0, to = plan.windowSizes[dim];
  if (index >= 0) {
    from = larger<int64_t>(from, -starts[index]);
    to = smaller(to, plan.indexSizes[index] - starts[index]);
  }
  const int64_t updateStride = plan.windowUpdateStrides[dim], resultStride = plan.windowOperandStrides[dim];
  if (dim + 1 == plan.windowRank && updateStride == 1 && resultStride == 1) {
    if (from < to) combineRun(plan.combine, result + from, updates + from, to - from);
    return;
  }
  for (int64_t i = from; i < to; i++) scatterWindow(plan, dim + 1, starts, updates + i * updateStride, result + i * resultStride);
}

template <class T>
void scatterTyped(const ScatterPlan& plan, const void* indices, const T* updates, T* result) {
  if (plan.isRowScatter) return scatterRows(plan, indices, updates, result);
  BatchCursor cursor{plan.batchRank, plan.batchSizes, plan.batchIndexStrides, plan.batchUpdateStrides};
  for (int64_t window = 0; window < plan.numWindows; window++, cursor.next()) {
    int64_t starts[maxRank];
    int64_t offset = 0;
    bool isInside = true;
    for (int i = 0; i < plan.indexCount; i++) {
      starts[i] = readIndex(indices, plan.indexDType, cursor.indexOffset + i * plan.indexStride);
      offset += starts[i] * plan.indexOperandStrides[i];
      // An indexed dimension that isn't the window's has size 1 in it: inside or not as a whole.
      isInside = isInside && starts[i] > -plan.indexWindowSizes[i] && starts[i] < plan.indexSizes[i];
    }
    if (isInside) scatterWindow(plan, 0, starts, updates + cursor.otherOffset, result + offset);
  }
}

}  // namespace

void gather(const GatherPlan& plan, const void* operand, const void* indices, void* result) {
  switch (plan.elementBytes) {
    case 1: return gatherTyped(plan, static_cast<const uint8_t*>(operand), indices, static_cast<uint8_t*>(result));
    case 2: return gatherTyped(plan, static_cast<const uint16_t*>(operand), indices, static_cast<uint16_t*>(result));
    case 4: return gatherTyped(plan, static_cast<const uint32_t*>(operand), indices, static_cast<uint32_t*>(result));
    case 8: return gatherTyped(plan, static_cast<const uint64_t*>(operand), indices, static_cast<uint64_t*>(result));
  }
}

void scatter(const ScatterPlan& plan, const void* indices, const void* updates, void* result) {
  switch (plan.dtype) {
    case DType::f64: return scatterTyped(plan, indices, static_cast<const double*>(updates), static_cast<double*>(result));
    case DType::f32: return scatterTyped(plan, indices, static_cast<const float*>(updates), static_cast<float*>(result));
    case DType::bf16: return scatterTyped(plan, indices, static_cast<const BFloat16*>(updates), static_cast<BFloat16*>(result));
    case DType::i32: return scatterTyped(plan, indices, static_cast<const int32_t*>(updates), static_cast<int32_t*>(result));
    case DType::u32: return scatterTyped(plan, indices, static_cast<const uint32_t*>(updates), static_cast<uint32_t*>(result));
    case DType::u8: return scatterTyped(plan, indices, static_cast<const uint8_t*>(updates), static_cast<uint8_t*>(result));
    case DType::boolean: return scatterTyped(plan, indices, static_cast<const Boolean*>(updates), static_cast<Boolean*>(result));
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
