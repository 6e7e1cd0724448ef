// The small products that attention is made of, on packed f32 operands in the cache, and the packing.
#pragma once

#include "../attention_layout.h"
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

/// Rows and vectors of a tile of results that is held in registers: 24 of 32 registers, or 12 of 16.
#if defined(__AVX512F__)
constexpr int productRows = 6, productVectors = 4;
#elif defined(__AVX2__)
constexpr int productRows = 6, productVectors = 2;
#else
constexpr int productRows = 4, productVectors = 2;
#endif

/// a[r, k] at `a + r * rowStride + k * depthStride`.
struct LeftOperand {
  const float* data;
  int64_t rowStride, depthStride;
};

/// c[rows][vectors] (+)= a[rows][depth] b[depth][vectors], in registers.
template <int rows, int vectors>
TALWEG_INLINE void multiplyTile(const LeftOperand& a, const float* b, int64_t bStride, float* c, int64_t cStride, int64_t depth,
                                bool isAdded) {
  F32 sums[rows][vectors];
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) sums[r][v] = isAdded ? load(c + r * cStride + v * lanes) : F32{};
  }
  for (int64_t k = 0; k < depth; k++) {
    F32 right[vectors];
    for (int v = 0; v < vectors; v++) right[v] = load(b + k * bStride + v * lanes);
    for (int r = 0; r < rows; r++) {
      const F32 left = broadcast(a.data[r * a.rowStride + k * a.depthStride]);
      for (int v = 0; v < vectors; v++) sums[r][v] = fma(left, right[v], sums[r][v]);
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) store(c + r * cStride + v * lanes, sums[r][v]);
  }
}

template <int rows, int vectors>
void multiplyRows(const LeftOperand& a, const float* b, int64_t bStride, float* c, int64_t cStride, int64_t numVectors,
                  int64_t depth, bool isAdded) {
  int64_t v = 0;
  for (; v + vectors <= numVectors; v += vectors) {
    multiplyTile<rows, vectors>(a, b + v * lanes, bStride, c + v * lanes, cStride, depth, isAdded);
  }
  for (; v < numVectors; v++) multiplyTile<rows, 1>(a, b + v * lanes, bStride, c + v * lanes, cStride, depth, isAdded);
}

/// c[rows][columns] = a[rows][depth] b[depth][columns], or added to c. `columns` is a multiple of `lanes`.
inline void product(int64_t rows, int64_t columns, int64_t depth, const LeftOperand& a, const float* b, int64_t bStride, float* c,
                    int64_t cStride, bool isAdded) {
  const int64_t numVectors = columns / lanes;
  int64_t r = 0;
  for (; r + productRows <= rows; r += productRows) {
    const LeftOperand part{a.data + r * a.rowStride, a.rowStride, a.depthStride};
    multiplyRows<productRows, productVectors>(part, b, bStride, c + r * cStride, cStride, numVectors, depth, isAdded);
  }
  for (; r < rows; r++) {
    const LeftOperand part{a.data + r * a.rowStride, a.rowStride, a.depthStride};
    multiplyRows<1, productVectors>(part, b, bStride, c + r * cStride, cStride, numVectors, depth, isAdded);
  }
}

/// Rows of `width` elements, `stride` apart, as f32 rows of `padded`, the padding zero; each times `scale`.
template <class T>
void packRows(const T* from, int64_t stride, int64_t rows, int64_t width, float scale, float* to, int64_t padded) {
  for (int64_t row = 0; row < rows; row++) {
    float* result = to + row * padded;
    forEachVector(width, [&](int64_t i, int64_t count) {
      storeUpTo(result + i, loadUpTo(from + row * stride + i, count) * scale, count);
    });
    for (int64_t i = width; i < padded; i++) result[i] = 0;
  }
}

/// The same, transposed: [width][padded rows].
template <class T>
void packColumns(const T* from, int64_t stride, int64_t rows, int64_t width, float* to, int64_t padded) {
  constexpr int64_t block = 16;  // so many rows at a time, so that the lines being written stay in the cache
  for (int64_t first = 0; first < padded; first += block) {
    for (int64_t i = 0; i < width; i++) {
      for (int64_t row = first; row < first + block; row++) {
        to[i * padded + row] = row < rows ? loadScalar(from + row * stride + i) : 0.0f;
      }
    }
  }
}

/// f32 rows of `padded` as rows of T.
template <class T>
void unpackRows(const float* from, int64_t padded, int64_t rows, int64_t width, T* to, int64_t stride) {
  for (int64_t row = 0; row < rows; row++) {
    forEachVector(width, [&](int64_t i, int64_t count) {
      storeUpTo(to + row * stride + i, loadUpTo(from + row * padded + i, count), count);
    });
  }
}

/// How many keys query `row` may look at: all before this one.
TALWEG_INLINE int64_t keyLimit(const AttentionPlan& plan, int64_t row) {
  if (!plan.isCausal) return plan.keys;
  return larger<int64_t>(0, smaller(plan.keys, row + plan.causalOffset + 1));
}

/// One head's mask: its first element, or null.
TALWEG_INLINE const char* maskOfHead(const AttentionPlan& plan, const void* mask, int64_t batch, int64_t head) {
  if (plan.mask == AttentionMask::none || mask == nullptr) return nullptr;
  const int64_t elementBytes = plan.mask == AttentionMask::boolean ? 1 : 4;
  return static_cast<const char*>(mask) + (batch * plan.maskStrides[0] + head * plan.maskStrides[1]) * elementBytes;
}

/// Scores of one query that the mask hides become -infinity; an additive mask is added.
inline void maskRow(const AttentionPlan& plan, const char* mask, int64_t row, float* scores, int64_t limit) {
  if (mask == nullptr) return;
  const int64_t start = row * plan.maskStrides[2], step = plan.maskStrides[3];
  if (plan.mask == AttentionMask::boolean) {
    const auto* visible = reinterpret_cast<const uint8_t*>(mask) + start;
    for (int64_t j = 0; j < limit; j++) scores[j] = visible[j * step] != 0 ? scores[j] : -infinity;
  } else {
    const auto* added = reinterpret_cast<const float*>(mask) + start;
    for (int64_t j = 0; j < limit; j++) scores[j] += added[j * step];
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
