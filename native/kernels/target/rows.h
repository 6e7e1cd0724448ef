// What the kernels over rows share: walking a row in vectors, and sums over rows that don't depend on the threads.
#pragma once

#include "math.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

/// body(index, count) for each vector of a row; `count` is `lanes` but for the last.
template <class Body>
TALWEG_INLINE void forEachVector(int64_t width, const Body& body) {
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) body(i, static_cast<int64_t>(lanes));
  if (i < width) body(i, width - i);
}

/// The same values in the first `count` lanes, 0 in the others.
TALWEG_INLINE F32 keepFirst(F32 v, int64_t count) { return count >= lanes ? v : (firstLanes(count) ? v : F32{}); }

/// Calls function(T{}, …) with `float` or `BFloat16` for an activation's type.
template <class Function>
TALWEG_INLINE void withType(DType dtype, const Function& function) {
  if (dtype == DType::bf16) {
    function(BFloat16{});
  } else {
    function(float{});
  }
}

/// The first `count` of a vector's sums in double precision.
TALWEG_INLINE void storeDoubles(double* to, F64 low, F64 high, int64_t count) {
  double both[lanes];
  std::memcpy(both, &low, sizeof low);
  std::memcpy(both + lanes / 2, &high, sizeof high);
  std::memcpy(to, both, static_cast<size_t>(count) * sizeof(double));
}

/// Adds the first `count` of a vector's values to sums in double precision.
TALWEG_INLINE void addDoubles(double* to, F32 values, int64_t count) {
  if (count >= lanes) {
    F64 low, high;
    toDoubles(values, low, high);
    storeAs(to, loadAs<F64>(to) + low);
    storeAs(to + lanes / 2, loadAs<F64>(to + lanes / 2) + high);
    return;
  }
  for (int64_t lane = 0; lane < count; lane++) to[lane] += static_cast<double>(values[lane]);
}

/// Sums over rows are kept for each chunk of rows in double precision; the number of chunks is fixed by the shape.
TALWEG_INLINE int64_t rowsInChunk(int64_t rows) { return larger<int64_t>(64, ceilDiv(rows, 64)); }
TALWEG_INLINE int64_t numRowChunks(int64_t rows) { return ceilDiv(rows, rowsInChunk(rows)); }

/// Adds rows begin..end of two quantities, column by column: term(row, column, count, first, second) gives them.
/// Result: sums[0..width) and sums[width..2 width).
template <class Term>
TALWEG_INLINE void sumColumns(int64_t begin, int64_t end, int64_t width, double* sums, const Term& term) {
  constexpr int64_t rowsInSingle = 32;  // so many are summed in f32
  forEachVector(width, [&](int64_t column, int64_t count) {
    F64 low[2] = {}, high[2] = {};
    for (int64_t row = begin; row < end; row += rowsInSingle) {
      F32 first = {}, second = {};
      for (int64_t r = row; r < smaller(end, row + rowsInSingle); r++) {
        F32 a, b;
        term(r, column, count, a, b);
        first += a;
        second += b;
      }
      F64 l, h;
      toDoubles(first, l, h);
      low[0] += l;
      high[0] += h;
      toDoubles(second, l, h);
      low[1] += l;
      high[1] += h;
    }
    for (int which = 0; which < 2; which++) {
      storeDoubles(sums + which * width + column, low[which], high[which], count);
    }
  });
}

/// Adds the chunks' sums in order, in place of the first. Where there is none, the sums are 0.
TALWEG_INLINE void joinChunks(int64_t numChunks, int64_t count, double* sums) {
  for (int64_t i = 0; numChunks == 0 && i < count; i++) sums[i] = 0;
  for (int64_t chunk = 1; chunk < numChunks; chunk++) {
    for (int64_t i = 0; i < count; i++) sums[i] += sums[chunk * count + i];
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
