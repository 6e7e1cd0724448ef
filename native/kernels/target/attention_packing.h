// Packing of attention's operands into units, and what its two passes share: limits, masks.
#pragma once

#include "attention_products.h"
#include "transpose.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

/// Units [first, first + 16) of a row of `width` elements, zeros beyond its end.
template <class Units, class T>
TALWEG_INLINE void loadUnits(const T* row, int64_t first, int64_t width, float* units) {
  constexpr int64_t count = attentionPadding;
  const int64_t begin = first * Units::elements, present = smaller(width - begin, count * Units::elements);
  if constexpr (Units::elements == 2) {
    // A size that is known is a move between registers, any other a call.
    if (present == count * 2) {
      std::memcpy(units, row + begin, count * sizeof(float));
      return;
    }
    std::memset(units, 0, count * sizeof(float));
    std::memcpy(units, row + begin, static_cast<size_t>(present) * sizeof(T));
  } else {
    for (int64_t i = 0; i < count; i += lanes) {
      const int64_t left = present - i;
      store(units + i, left >= lanes ? load(row + begin + i) : left > 0 ? loadPartial(row + begin + i, left) : F32{});
    }
  }
}

constexpr int64_t unitsOf(int64_t elements, int64_t inUnit) { return ceilDiv(elements, inUnit); }

/// Rows as they are: [rows][stride units], padded with zeros to 16.
template <class Units, class T>
void packRows(const T* from, int64_t stride, int64_t rows, int64_t width, float* to, int64_t toStride) {
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t unit = 0; unit < unitsOf(width, Units::elements); unit += attentionPadding) {
      loadUnits<Units>(from + row * stride, unit, width, to + row * toStride + unit);
    }
  }
}

/// Rows as panels of transposed units: [rows / panelKeys][units of width][panelKeys], zeros beyond the last row.
template <class Units, class T>
void packPanels(const T* from, int64_t stride, int64_t rows, int64_t width, float* to) {
  constexpr int64_t side = 16;
  constexpr bool isWord = Units::elements * sizeof(T) == 4 && panelKeys >= side;  // units are moved, not converted
  const int64_t units = unitsOf(width, Units::elements);
  for (int64_t first = 0; first < rows; first += side) {
    for (int64_t unit = 0; unit < units; unit += side) {
      if (isWord && first + side <= rows && (unit + side) * Units::elements <= width) {
        transposeSquare<uint32_t, side>(
            reinterpret_cast<const char*>(from + first * stride + unit * Units::elements), stride * static_cast<int64_t>(sizeof(T)),
            reinterpret_cast<char*>(to + first / panelKeys * (units * panelKeys) + unit * panelKeys + first % panelKeys), panelKeys * 4);
        continue;
      }
      alignas(64) float square[side * side];
      alignas(64) float transposed[side * side];
      for (int64_t i = 0; i < side; i++) {
        if (first + i < rows) {
          loadUnits<Units>(from + (first + i) * stride, unit, width, square + i * side);
        } else {
          std::memset(square + i * side, 0, side * sizeof(float));
        }
      }
      transposeSquare<uint32_t, side>(reinterpret_cast<const char*>(square), side * 4, reinterpret_cast<char*>(transposed), side * 4);
      for (int64_t u = 0; u < smaller(side, units - unit); u++) {
        for (int64_t i = 0; i < side; i += panelKeys < side ? panelKeys : side) {
          const int64_t key = first + i;
          float* place = to + key / panelKeys * (units * panelKeys) + (unit + u) * panelKeys + key % panelKeys;
          std::memcpy(place, transposed + u * side + i, (panelKeys < side ? panelKeys : side) * sizeof(float));
        }
      }
    }
  }
}

#if defined(__AVX512BF16__)
/// bf16 of `low` in the lower halves of 32-bit lanes, of `high` in the upper.
TALWEG_INLINE F32 interleave(U16 low, U16 high) {
  return bitcast<F32>(__builtin_convertvector(low, U32) | (__builtin_convertvector(high, U32) << 16));
}

/// Rows two by two: [rows / 2][width], each unit a pair of elements of two rows, zeros for a missing row.
template <class Units>
void packRowPairs(const BFloat16* from, int64_t stride, int64_t rows, int64_t width, float* to, int64_t toStride) {
  for (int64_t row = 0; row < rows; row += 2) {
    const bool isPair = row + 1 < rows;
    for (int64_t i = 0; i < width; i += lanes) {
      if (isPair && i + lanes <= width) {
        const BFloat16* pair = from + row * stride + i;
        store(to + row / 2 * toStride + i, interleave(loadAs<U16>(pair), loadAs<U16>(pair + stride)));
        continue;
      }
      U16 low = {}, high = {};
      const size_t bytes = static_cast<size_t>(smaller<int64_t>(width - i, lanes)) * 2;
      std::memcpy(&low, from + row * stride + i, bytes);
      if (isPair) std::memcpy(&high, from + (row + 1) * stride + i, bytes);
      store(to + row / 2 * toStride + i, interleave(low, high));
    }
  }
}
#endif

/// Rows as the right operand of a product that sums over them: as they are, or two by two.
template <class Units, class T>
void packSummedRows(const T* from, int64_t stride, int64_t rows, int64_t width, float* to, int64_t toStride) {
#if defined(__AVX512BF16__)
  if constexpr (Units::elements == 2) return packRowPairs<Units>(from, stride, rows, width, to, toStride);
#endif
  packRows<Units>(from, stride, rows, width, to, toStride);
}

/// f32 rows, scaled, as rows of T.
template <class T>
void unpackRows(const float* from, int64_t fromStride, int64_t rows, int64_t width, T* to, int64_t stride) {
  for (int64_t row = 0; row < rows; row++) {
    forEachVector(width, [&](int64_t i, int64_t count) {
      storeUpTo(to + row * stride + i, load(from + row * fromStride + i), count);
    });
  }
}

/// Probabilities, as the products take them. They are never denormal.
TALWEG_INLINE void storeRounded(float* to, F32 v) { store(to, v); }
TALWEG_INLINE void storeRounded(BFloat16* to, F32 v) {
#if defined(__AVX512BF16__)
  storeAs(to, narrowFast(v));
#else
  store(to, v);
#endif
}

/// The same values in the first `count` lanes, -infinity in the others: a score that counts for nothing.
TALWEG_INLINE F32 onlyFirst(F32 v, int64_t count) { return count >= lanes ? v : (firstLanes(count) ? v : broadcast(-infinity)); }

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

/// Scores of one query for keys [first, first + count): scaled, and masked. Those the mask hides become -infinity.
inline void maskRow(const AttentionPlan& plan, const char* mask, int64_t row, int64_t first, int64_t count, float* scores) {
  const int64_t step = plan.maskStrides[3], start = row * plan.maskStrides[2] + first * step;
  if (plan.mask == AttentionMask::boolean) {
    const auto* visible = reinterpret_cast<const uint8_t*>(mask) + start;
    for (int64_t j = 0; j < count; j++) scores[j] = visible[j * step] != 0 ? scores[j] * plan.scale : -infinity;
  } else {
    const auto* added = reinterpret_cast<const float*>(mask) + start;
    for (int64_t j = 0; j < count; j++) scores[j] = scores[j] * plan.scale + added[j * step];
  }
}

/// Calls function(Units{}, T{}) for a plan's dtype: pairs where the target multiplies them.
template <class Function>
TALWEG_INLINE void withUnits(DType dtype, const Function& function) {
  if (dtype == DType::f32) return function(SingleUnits{}, float{});
#if defined(__AVX512BF16__)
  function(PairUnits{}, BFloat16{});
#else
  function(SingleUnits{}, BFloat16{});
#endif
}

constexpr float log2OfEuler = 1.44269504f, naturalLogOf2 = 0.693147181f;

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
