// The small products that attention is made of, on packed operands in the cache.
//
// Operands are in units of four bytes: an f32, or (on targets with AVX512-BF16) a pair of bf16 that lie next to each
// other along the summed dimension. The sums are f32 either way.
#pragma once

#include "../attention_layout.h"
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

/// Rows and vectors of a tile of results that is held in registers: 24 of 32 registers, or 12 of 16.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int tileRows = 6, tileVectors = 4;
#elif defined(__AVX2__)
constexpr int tileRows = 6, tileVectors = 2;
#else
constexpr int tileRows = 4, tileVectors = 2;
#endif
/// Keys side by side in a panel of transposed keys.
constexpr int64_t panelKeys = tileVectors * lanes;
static_assert(attentionPanelKeys % panelKeys == 0, "the layout's padding must hold whole panels");

/// A unit is one f32.
struct SingleUnits {
  static constexpr int64_t elements = 1;
  static TALWEG_INLINE F32 multiplyAdd(F32 left, F32 right, F32 sum) { return fma(left, right, sum); }
};

#if defined(__AVX512BF16__)
/// A unit is a pair of bf16: both products are added.
struct PairUnits {
  static constexpr int64_t elements = 2;
  static TALWEG_INLINE F32 multiplyAdd(F32 left, F32 right, F32 sum) {
    return (F32)_mm512_dpbf16_ps((__m512)sum, (__m512bh)left, (__m512bh)right);
  }
};
#endif

/// a[r, k] at `data + r * rowStride + k * depthStride`, in units.
struct LeftOperand {
  const float* data;
  int64_t rowStride, depthStride;
};

/// c[rows][vectors] = a[rows][depth] b[depth][vectors], or added to c: in registers.
template <class Units, int rows, int vectors>
TALWEG_INLINE void multiplyTile(const LeftOperand& a, const float* b, int64_t bStride, float* c, int64_t cStride, int64_t depth,
                                bool isAdded) {
  F32 sums[rows][vectors];
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) sums[r][v] = isAdded ? load(c + r * cStride + v * lanes) : F32{};
  }
  const float* left = a.data;
  for (int64_t k = 0; k < depth; k++) {
    F32 right[vectors];
    for (int v = 0; v < vectors; v++) right[v] = load(b + v * lanes);
    for (int r = 0; r < rows; r++) {
      const F32 repeated = broadcast(left[r * a.rowStride]);
      for (int v = 0; v < vectors; v++) sums[r][v] = Units::multiplyAdd(repeated, right[v], sums[r][v]);
    }
    left += a.depthStride;
    b += bStride;
  }
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) store(c + r * cStride + v * lanes, sums[r][v]);
  }
}

/// The same for a number of vectors known only now, at most tileVectors.
template <class Units, int rows>
void multiplyRows(int64_t vectors, const LeftOperand& a, const float* b, int64_t bStride, float* c, int64_t cStride, int64_t depth,
                  bool isAdded) {
  static_assert(tileVectors <= 4, "a case for each number of vectors");
  switch (vectors) {
    case 1: return multiplyTile<Units, rows, 1>(a, b, bStride, c, cStride, depth, isAdded);
    case 2: return multiplyTile<Units, rows, 2>(a, b, bStride, c, cStride, depth, isAdded);
    case 3:
      if constexpr (tileVectors >= 3) multiplyTile<Units, rows, 3>(a, b, bStride, c, cStride, depth, isAdded);
      return;
    case 4:
      if constexpr (tileVectors >= 4) multiplyTile<Units, rows, 4>(a, b, bStride, c, cStride, depth, isAdded);
      return;
  }
}

/// Rows taken at a time: twice as many where a narrow result leaves registers free.
constexpr int64_t mostRowsAtOnce = 2 * tileRows;
TALWEG_INLINE int64_t rowsAtOnce(int64_t rows, int64_t vectors) {
  if (rows >= mostRowsAtOnce && 2 * vectors <= tileVectors) return mostRowsAtOnce;
  if (rows >= tileRows) return tileRows;
  if (tileRows > 4 && rows >= 4) return 4;
  return rows >= 2 ? 2 : 1;
}

/// `rows` must be what rowsAtOnce gave.
template <class Units>
void multiplyRows(int64_t rows, int64_t vectors, const LeftOperand& a, const float* b, int64_t bStride, float* c, int64_t cStride,
                  int64_t depth, bool isAdded) {
  switch (rows) {
    case 1: return multiplyRows<Units, 1>(vectors, a, b, bStride, c, cStride, depth, isAdded);
    case 2: return multiplyRows<Units, 2>(vectors, a, b, bStride, c, cStride, depth, isAdded);
    case 4: return multiplyRows<Units, 4>(vectors, a, b, bStride, c, cStride, depth, isAdded);
#if defined(__AVX2__) || defined(__aarch64__)
    case tileRows: return multiplyRows<Units, tileRows>(vectors, a, b, bStride, c, cStride, depth, isAdded);
#endif
    case mostRowsAtOnce:
      if (vectors == 1) multiplyTile<Units, 2 * tileRows, 1>(a, b, bStride, c, cStride, depth, isAdded);
      if constexpr (tileVectors >= 4) {
        if (vectors == 2) multiplyTile<Units, 2 * tileRows, 2>(a, b, bStride, c, cStride, depth, isAdded);
      }
      return;
  }
}

/// What part of the sum a group of rows needs: the units [from, to) of the depth.
struct Depth {
  int64_t from, to;
};

/// c[rows][columns] = a b, or added to c, a group of rows at a time; depthOf(first row, rows) says which part of the sum
/// matters to a group: the rest of a is known to be 0 (or, where nothing matters and nothing is added, c becomes 0).
template <class Units, class DepthOf>
TALWEG_INLINE void product(int64_t rows, int64_t columns, const LeftOperand& a, const float* b, int64_t bStride, float* c,
                           int64_t cStride, bool isAdded, const DepthOf& depthOf) {
  for (int64_t column = 0; column < columns; column += panelKeys) {
    const int64_t vectors = smaller(columns - column, panelKeys) / lanes;
    for (int64_t r = 0; r < rows;) {
      const int64_t count = rowsAtOnce(rows - r, vectors);
      const Depth depth = depthOf(r, count);
      if (depth.from < depth.to || !isAdded) {
        multiplyRows<Units>(count, vectors, {a.data + r * a.rowStride + depth.from * a.depthStride, a.rowStride, a.depthStride},
                            b + depth.from * bStride + column, bStride, c + r * cStride + column, cStride,
                            larger<int64_t>(0, depth.to - depth.from), isAdded);
      }
      r += count;
    }
  }
}

/// Scores of keys [0, keys) of a tile, panel by panel so that a panel stays in the first-level cache; b is made of panels
/// [keys / panelKeys][depth][panelKeys]. limitOf(last row) says how many of the tile's keys a group of rows looks at.
template <class Units, class LimitOf>
TALWEG_INLINE void productWithPanels(int64_t rows, int64_t keys, int64_t depth, const LeftOperand& a, const float* panels, float* c,
                                     int64_t cStride, const LimitOf& limitOf) {
  for (int64_t key = 0; key < keys; key += panelKeys) {
    const float* panel = panels + key * depth;
    for (int64_t r = 0; r < rows;) {
      int64_t count = rowsAtOnce(rows - r, tileVectors);
      const int64_t limit = limitOf(r + count - 1) - key;
      if (limit > 0) {
        const int64_t vectors = smaller<int64_t>(ceilDiv(limit, lanes), tileVectors);
        multiplyRows<Units>(count, vectors, {a.data + r * a.rowStride, a.rowStride, a.depthStride}, panel, panelKeys,
                            c + r * cStride + key, cStride, depth, false);
      }
      r += count;
    }
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
