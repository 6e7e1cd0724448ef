// Small transposes, in registers where the target has instructions for it.
#pragma once

#include "vector.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

/// A square of side `side` elements: read along rows of the source, written along rows of the destination.
template <class T, int side>
TALWEG_INLINE void transposeSquare(const char* source, int64_t sourceStride, char* destination, int64_t destinationStride) {
  T square[side][side];
  for (int i = 0; i < side; i++) std::memcpy(square[i], source + i * sourceStride, sizeof square[i]);
  for (int j = 0; j < side; j++) {
    T row[side];
    for (int i = 0; i < side; i++) row[i] = square[i][j];
    std::memcpy(destination + j * destinationStride, row, sizeof row);
  }
}

#if defined(__AVX512F__)
/// 16 x 16 words in registers: unpack pairs, then quads, then quarters of vectors.
template <>
TALWEG_INLINE void transposeSquare<uint32_t, 16>(const char* source, int64_t sourceStride, char* destination,
                                                 int64_t destinationStride) {
  __m512i a[16], b[16];
  for (int i = 0; i < 16; i++) a[i] = _mm512_loadu_si512(source + i * sourceStride);
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
    a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
    a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    b[i] = _mm512_shuffle_i32x4(a[i], a[i + 4], 0x88);
    b[i + 4] = _mm512_shuffle_i32x4(a[i], a[i + 4], 0xdd);
    b[i + 8] = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0x88);
    b[i + 12] = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    _mm512_storeu_si512(destination + i * destinationStride, _mm512_shuffle_i32x4(b[i], b[i + 8], 0x88));
    _mm512_storeu_si512(destination + (i + 8) * destinationStride, _mm512_shuffle_i32x4(b[i], b[i + 8], 0xdd));
    _mm512_storeu_si512(destination + (i + 4) * destinationStride, _mm512_shuffle_i32x4(b[i + 4], b[i + 12], 0x88));
    _mm512_storeu_si512(destination + (i + 12) * destinationStride, _mm512_shuffle_i32x4(b[i + 4], b[i + 12], 0xdd));
  }
}
#endif

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
