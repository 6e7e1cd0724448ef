// Strided copies and fills.
//
// The destination is written along its memory. Where the source is contiguous along another dimension, the two are
// transposed in blocks that fit a few cache lines each way.
#include "transpose.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

namespace {

/// Calls body(source, destination) for the outer loops' positions [from, to), as byte pointers.
template <class Body>
TALWEG_INLINE void forEachOuter(const CopyPlan& plan, const char* source, char* destination, int64_t from, int64_t to,
                                Body body) {
  int64_t index[maxRank] = {};
  int64_t rest = from;
  for (int dim = plan.rank - 1; dim >= 0; dim--) {
    index[dim] = rest % plan.sizes[dim];
    rest /= plan.sizes[dim];
    source += index[dim] * plan.sourceStrides[dim];
    destination += index[dim] * plan.destinationStrides[dim];
  }
  for (int64_t position = from; position < to; position++) {
    body(source, destination);
    for (int dim = plan.rank - 1; dim >= 0; dim--) {
      source += plan.sourceStrides[dim];
      destination += plan.destinationStrides[dim];
      if (++index[dim] < plan.sizes[dim]) break;
      source -= plan.sizes[dim] * plan.sourceStrides[dim];
      destination -= plan.sizes[dim] * plan.destinationStrides[dim];
      index[dim] = 0;
    }
  }
}

template <class T>
void copyStrided(const char* source, int64_t sourceStride, char* destination, int64_t destinationStride, int64_t count) {
  if (sourceStride == 0 && destinationStride == sizeof(T)) {
    const T value = loadAs<T>(source);
    for (int64_t i = 0; i < count; i++) storeAs<T>(destination + i * sizeof(T), value);
    return;
  }
  for (int64_t i = 0; i < count; i++) storeAs<T>(destination + i * destinationStride, loadAs<T>(source + i * sourceStride));
}

/// Destination rows [from, to) of the plan's column dimension, one 2-D transpose.
template <class T>
void transposeBlock(const CopyPlan& plan, const char* source, char* destination, int64_t from, int64_t to) {
  constexpr int side = 16;
  for (int64_t column = from; column < to; column += side) {
    const int64_t columns = smaller<int64_t>(side, to - column);
    for (int64_t inner = 0; inner < plan.innerSize; inner += side) {
      const int64_t count = smaller<int64_t>(side, plan.innerSize - inner);
      const char* s = source + column * plan.columnSourceStride + inner * plan.innerSourceStride;
      char* d = destination + column * plan.columnDestinationStride + inner * plan.innerDestinationStride;
      if (columns == side && count == side) {
        transposeSquare<T, side>(s, plan.innerSourceStride, d, plan.columnDestinationStride);
      } else {
        for (int64_t c = 0; c < columns; c++) {
          copyStrided<T>(s + c * plan.columnSourceStride, plan.innerSourceStride, d + c * plan.columnDestinationStride,
                         plan.innerDestinationStride, count);
        }
      }
    }
  }
}

template <class T>
void runTyped(const CopyPlan& plan, const char* source, char* destination, bool isParallel) {
  int64_t numOuter = 1;
  for (int dim = 0; dim < plan.rank; dim++) numOuter *= plan.sizes[dim];
  if (plan.form == CopyPlan::Form::transpose) {
    constexpr int64_t columnsPerTask = 64;
    const int64_t strips = ceilDiv(plan.columnSize, columnsPerTask);
    parallelFor(isParallel, numOuter * strips, [&](int64_t task) {
      const int64_t column = task % strips * columnsPerTask;
      forEachOuter(plan, source, destination, task / strips, task / strips + 1, [&](const char* s, char* d) {
        transposeBlock<T>(plan, s, d, column, smaller(column + columnsPerTask, plan.columnSize));
      });
    });
    return;
  }
  // Rows, or strided runs: shared out by pieces of at least 4,096 elements.
  const int64_t pieces = larger<int64_t>(1, ceilDiv(plan.innerSize, 65536));
  const int64_t pieceSize = roundUp(ceilDiv(plan.innerSize, pieces), 64);
  const int64_t group = larger<int64_t>(1, 4096 / larger<int64_t>(plan.innerSize, 1));
  const int64_t numTasks = ceilDiv(numOuter, group) * pieces;
  parallelFor(isParallel, numTasks, [&](int64_t task) {
    const int64_t begin = task % pieces * pieceSize, count = smaller(pieceSize, plan.innerSize - begin);
    const int64_t from = task / pieces * group, to = smaller(from + group, numOuter);
    if (count <= 0) return;
    forEachOuter(plan, source, destination, from, to, [&](const char* s, char* d) {
      if (plan.form == CopyPlan::Form::rows) {
        std::memcpy(d + begin * sizeof(T), s + begin * sizeof(T), static_cast<size_t>(count) * sizeof(T));
      } else {
        copyStrided<T>(s + begin * plan.innerSourceStride, plan.innerSourceStride, d + begin * plan.innerDestinationStride,
                       plan.innerDestinationStride, count);
      }
    });
  });
}

}  // namespace

void copy(const CopyPlan& plan, const void* source, void* destination) {
  if (plan.form == CopyPlan::Form::empty) return;
  int64_t count = plan.innerSize * larger<int64_t>(plan.form == CopyPlan::Form::transpose ? plan.columnSize : 1, 1);
  for (int dim = 0; dim < plan.rank; dim++) count *= plan.sizes[dim];
  const int64_t stepsPerElement = plan.form == CopyPlan::Form::rows ? 2 : 16;
  const bool isParallel = isWorthThreads(count * plan.elementBytes / 4 * stepsPerElement);
  const char* from = static_cast<const char*>(source) + plan.sourceOffsetBytes;
  char* to = static_cast<char*>(destination) + plan.destinationOffsetBytes;
  switch (plan.elementBytes) {
    case 1: return runTyped<uint8_t>(plan, from, to, isParallel);
    case 2: return runTyped<uint16_t>(plan, from, to, isParallel);
    case 4: return runTyped<uint32_t>(plan, from, to, isParallel);
    case 8: return runTyped<uint64_t>(plan, from, to, isParallel);
  }
}

namespace {

template <class T>
void fillTyped(const void* value, int64_t count, void* destination) {
  const T element = loadAs<T>(value);
  constexpr int64_t blockElements = 16384;
  parallelFor(isWorthThreads(count * 2), ceilDiv(count, blockElements), [&](int64_t block) {
    T* to = static_cast<T*>(destination) + block * blockElements;
    const T repeated = element;
    const int64_t end = smaller(blockElements, count - block * blockElements);
    for (int64_t i = 0; i < end; i++) to[i] = repeated;
  });
}

}  // namespace

void fill(int64_t elementBytes, const void* value, int64_t count, void* destination) {
  switch (elementBytes) {
    case 1: return fillTyped<uint8_t>(value, count, destination);
    case 2: return fillTyped<uint16_t>(value, count, destination);
    case 4: return fillTyped<uint32_t>(value, count, destination);
    case 8: return fillTyped<uint64_t>(value, count, destination);
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
