// One vector type for all targets: as wide as the target's registers, written with the compilers' vector extensions, so
// that a kernel is one readable source. Intrinsics appear in this file only, where the extensions have no word for what
// the processor can do (fused multiply-add, square root, rounding, masked tails).
//
// Everything lies in the target's namespace and nothing of the standard library's inline code is used: see types.h.
#pragma once

#include <omp.h>

#include <cstdint>
#include <cstring>

#include "../kernel_table.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef TALWEG_TARGET_NAMESPACE
#error "compile with -DTALWEG_TARGET_NAMESPACE=<target>"
#endif

#define TALWEG_INLINE inline __attribute__((always_inline))

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

#if defined(__AVX512F__)
constexpr int vectorBytes = 64;
#elif defined(__AVX2__)
constexpr int vectorBytes = 32;
#else
constexpr int vectorBytes = 16;
#endif

/// Lanes of a vector of 4-byte elements.
constexpr int lanes = vectorBytes / 4;

template <class T, int numLanes>
struct VectorType {
  typedef T type __attribute__((vector_size(sizeof(T) * numLanes)));
};
template <class T, int numLanes>
using Vector = typename VectorType<T, numLanes>::type;

using F32 = Vector<float, lanes>;
using I32 = Vector<int32_t, lanes>;
using U32 = Vector<uint32_t, lanes>;
using U16 = Vector<uint16_t, lanes>;
using F64 = Vector<double, lanes / 2>;
using HalfF32 = Vector<float, lanes / 2>;

template <class T>
constexpr T smaller(T a, T b) { return b < a ? b : a; }
template <class T>
constexpr T larger(T a, T b) { return a < b ? b : a; }
constexpr int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

// ---- moving between memory and vectors ----

/// Whether `elementSteps` operations on single f32 elements are worth waking the team.
TALWEG_INLINE bool isWorthThreads(int64_t elementSteps) { return elementSteps / lanes > serialWork; }

/// body(share, number of shares) for each thread of the team where it is worth it, else once on this one. A parallel region
/// of one thread still costs a system call or two, so small work doesn't even begin one.
template <class Body>
TALWEG_INLINE void shareOut(bool isParallel, const Body& body) {
  if (!isParallel || omp_get_max_threads() == 1) return body(0, 1);
#pragma omp parallel
  body(omp_get_thread_num(), omp_get_num_threads());
}

/// body(i) for i in [0, count), each thread a run of them.
template <class Body>
TALWEG_INLINE void parallelFor(bool isParallel, int64_t count, const Body& body) {
  shareOut(isParallel && count > 1, [&](int64_t share, int64_t numShares) {
    const int64_t end = count * (share + 1) / numShares;
    for (int64_t i = count * share / numShares; i < end; i++) body(i);
  });
}

/// body(i, thread) for i in [0, count), whoever is free next: for tasks of unequal length whose results don't meet.
template <class Body>
TALWEG_INLINE void parallelForUnequal(bool isParallel, int64_t count, int numThreads, const Body& body) {
  if (!isParallel || count < 2 || numThreads == 1) {
    for (int64_t i = 0; i < count; i++) body(i, 0);
    return;
  }
#pragma omp parallel for schedule(dynamic) num_threads(numThreads)
  for (int64_t i = 0; i < count; i++) body(i, omp_get_thread_num());
}

template <class V>
TALWEG_INLINE V loadAs(const void* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
TALWEG_INLINE void storeAs(void* p, V v) { std::memcpy(p, &v, sizeof v); }
template <class To, class From>
TALWEG_INLINE To bitcast(From from) {
  static_assert(sizeof(To) == sizeof(From), "bitcast between different sizes");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

TALWEG_INLINE F32 broadcast(float value) { return value - F32{}; }
TALWEG_INLINE I32 broadcastInt(int32_t value) { return value - I32{}; }

// Lanes that grow or shrink: compilers know one doubling or halving at a time, and take any wider leap, or what fills a
// 512-bit register, apart into single elements or halves.
using U8 = Vector<uint8_t, lanes>;
TALWEG_INLINE U32 widenLanes(U16 v) {
#if defined(__AVX512F__)
  return bitcast<U32>(_mm512_cvtepu16_epi32(bitcast<__m256i>(v)));
#else
  return __builtin_convertvector(v, U32);
#endif
}
TALWEG_INLINE U16 narrowLanes(U32 v) {
#if defined(__AVX512F__)
  return bitcast<U16>(_mm512_cvtepi32_epi16(bitcast<__m512i>(v)));
#else
  return __builtin_convertvector(v, U16);
#endif
}
TALWEG_INLINE U32 widenLanes(U8 v) {
#if defined(__AVX512F__)
  return bitcast<U32>(_mm512_cvtepu8_epi32(bitcast<__m128i>(v)));
#else
  return __builtin_convertvector(__builtin_convertvector(v, U16), U32);
#endif
}
TALWEG_INLINE U8 narrowToBytes(U32 v) {
#if defined(__AVX512F__)
  return bitcast<U8>(_mm512_cvtepi32_epi8(bitcast<__m512i>(v)));
#else
  return __builtin_convertvector(__builtin_convertvector(v, U16), U8);
#endif
}
// The same for elements of 8 bytes, half as many.
using HalfU8 = Vector<uint8_t, lanes / 2>;
using HalfU16 = Vector<uint16_t, lanes / 2>;
using HalfU32 = Vector<uint32_t, lanes / 2>;
using U64 = Vector<uint64_t, lanes / 2>;
TALWEG_INLINE U64 widenLanes(HalfU8 v) {
  return __builtin_convertvector(__builtin_convertvector(__builtin_convertvector(v, HalfU16), HalfU32), U64);
}
TALWEG_INLINE HalfU8 narrowToBytes(U64 v) {
  return __builtin_convertvector(__builtin_convertvector(__builtin_convertvector(v, HalfU32), HalfU16), HalfU8);
}

/// Widening bf16 is exact: the bits become the upper half of an f32.
TALWEG_INLINE F32 widen(U16 bits) { return bitcast<F32>(widenLanes(bits) << 16); }
#if defined(__AVX512BF16__)
/// Rounds to the nearest bf16, denormals to 0.
TALWEG_INLINE U16 narrowFast(F32 v) {
  const __m256bh narrowed = _mm512_cvtneps_pbh((__m512)v);
  return loadAs<U16>(&narrowed);
}
#endif
/// Rounds to the nearest bf16, ties to even; NaN stays a quiet NaN; denormals are kept.
TALWEG_INLINE U16 narrow(F32 v) {
#if defined(__AVX512BF16__)
  // The instruction for it takes denormals for zeros: they, and they alone, go the long way.
  if (__builtin_expect(_mm512_fpclass_ps_mask((__m512)v, 0x20) == 0, 1)) return narrowFast(v);
#endif
  U32 bits = bitcast<U32>(v);
  U32 rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  U32 quiet = (bits >> 16) | 0x40;
  return narrowLanes((v != v) ? quiet : rounded);
}

TALWEG_INLINE F32 load(const float* p) { return loadAs<F32>(p); }
TALWEG_INLINE F32 load(const BFloat16* p) { return widen(loadAs<U16>(p)); }
TALWEG_INLINE void store(float* p, F32 v) { storeAs(p, v); }
TALWEG_INLINE void store(BFloat16* p, F32 v) { storeAs(p, narrow(v)); }

TALWEG_INLINE float loadScalar(const float* p) { return *p; }
TALWEG_INLINE float loadScalar(const BFloat16* p) { return bitcast<float>(static_cast<uint32_t>(p->bits) << 16); }
TALWEG_INLINE void storeScalar(float* p, float v) { *p = v; }
TALWEG_INLINE void storeScalar(BFloat16* p, float v) {
  uint32_t bits = bitcast<uint32_t>(v);
  p->bits = static_cast<uint16_t>(v != v ? (bits >> 16) | 0x40 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/// 0, 1, 2, … in the lanes.
TALWEG_INLINE I32 laneIndex() {
  I32 v;
  for (int i = 0; i < lanes; i++) v[i] = i;
  return v;
}
/// All bits set in the first `count` lanes.
TALWEG_INLINE I32 firstLanes(int64_t count) { return laneIndex() < broadcastInt(static_cast<int32_t>(smaller<int64_t>(count, lanes))); }

/// The first `count` elements (fewer than a vector), `fill` in the other lanes; nothing beyond is read.
TALWEG_INLINE F32 loadPartial(const float* p, int64_t count, float fill = 0) {
#if defined(__AVX512F__)
  return (F32)_mm512_mask_loadu_ps((__m512)broadcast(fill), static_cast<__mmask16>((1u << count) - 1), p);
#elif defined(__AVX2__)
  I32 mask = firstLanes(count);
  return mask ? (F32)_mm256_maskload_ps(p, (__m256i)mask) : broadcast(fill);
#else
  F32 v = broadcast(fill);
  for (int64_t i = 0; i < count; i++) v[i] = p[i];
  return v;
#endif
}
TALWEG_INLINE F32 loadPartial(const BFloat16* p, int64_t count, float fill = 0) {
  U16 bits = {};
  std::memcpy(&bits, p, static_cast<size_t>(count) * 2);
  return firstLanes(count) ? widen(bits) : broadcast(fill);
}
TALWEG_INLINE void storePartial(float* p, F32 v, int64_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), (__m512)v);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, (__m256i)firstLanes(count), (__m256)v);
#else
  std::memcpy(p, &v, static_cast<size_t>(count) * 4);
#endif
}
TALWEG_INLINE void storePartial(BFloat16* p, F32 v, int64_t count) {
  U16 bits = narrow(v);
  std::memcpy(p, &bits, static_cast<size_t>(count) * 2);
}

/// Calls body(index, count) for each vector of `size` elements; count is `lanes` but for the last.
template <class T>
TALWEG_INLINE F32 loadUpTo(const T* p, int64_t count, float fill = 0) {
  return count >= lanes ? load(p) : loadPartial(p, count, fill);
}
template <class T>
TALWEG_INLINE void storeUpTo(T* p, F32 v, int64_t count) {
  if (count >= lanes) {
    store(p, v);
  } else {
    storePartial(p, v, count);
  }
}

// ---- arithmetic for which the extensions have no operator ----

/// a * b + c, rounded once where the target can.
TALWEG_INLINE F32 fma(F32 a, F32 b, F32 c) {
#if defined(__AVX512F__)
  return (F32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__)
  return (F32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
  return (F32)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}
TALWEG_INLINE F32 fma(F32 a, float b, F32 c) { return fma(a, broadcast(b), c); }
TALWEG_INLINE F32 fma(F32 a, F32 b, float c) { return fma(a, b, broadcast(c)); }
TALWEG_INLINE F32 fma(F32 a, float b, float c) { return fma(a, broadcast(b), broadcast(c)); }

TALWEG_INLINE F64 fma(F64 a, F64 b, F64 c) {
#if defined(__AVX512F__)
  return (F64)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX2__)
  return (F64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__aarch64__)
  return (F64)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
  return a * b + c;
#endif
}
TALWEG_INLINE F64 fma(F64 a, F64 b, double c) { return fma(a, b, c - F64{}); }

TALWEG_INLINE F32 sqrt(F32 v) {
#if defined(__AVX512F__)
  return (F32)_mm512_sqrt_ps((__m512)v);
#elif defined(__AVX2__)
  return (F32)_mm256_sqrt_ps((__m256)v);
#elif defined(__aarch64__)
  return (F32)vsqrtq_f32((float32x4_t)v);
#else
  for (int i = 0; i < lanes; i++) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

/// 1 / v to 1 ulp, for v in [2^-100, 2^100]: an estimate, and a step of Newton's.
TALWEG_INLINE F32 reciprocalFast(F32 v) {
#if defined(__AVX512F__)
  const F32 estimate = (F32)_mm512_rcp14_ps((__m512)v);
  return fma(estimate, fma(-v, estimate, 1.0f), estimate);
#else
  return 1.0f / v;
#endif
}

TALWEG_INLINE F32 abs(F32 v) { return bitcast<F32>(bitcast<U32>(v) & 0x7fffffffu); }
TALWEG_INLINE F32 copySign(F32 magnitude, F32 sign) {
  return bitcast<F32>((bitcast<U32>(magnitude) & 0x7fffffffu) | (bitcast<U32>(sign) & 0x80000000u));
}

/// To the nearest integer, ties to even.
TALWEG_INLINE F32 roundEven(F32 v) {
#if defined(__AVX512F__)
  return (F32)_mm512_roundscale_ps((__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__AVX2__)
  return (F32)_mm256_round_ps((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__aarch64__)
  return (F32)vrndnq_f32((float32x4_t)v);
#else
  const F32 big = broadcast(8388608.0f);  // 2^23: f32 values from there on are integers
  F32 magnitude = abs(v);
  F32 rounded = copySign((magnitude + big) - big, v);
  return magnitude < big ? rounded : v;
#endif
}
TALWEG_INLINE F32 floor(F32 v) {
  F32 rounded = roundEven(v);
  return copySign(rounded > v ? rounded - 1.0f : rounded, v);
}
TALWEG_INLINE F32 ceil(F32 v) {
  F32 rounded = roundEven(v);
  return copySign(rounded < v ? rounded + 1.0f : rounded, v);
}

/// The larger of two; the second where either is NaN. The processors' own instruction.
TALWEG_INLINE F32 maxFast(F32 a, F32 b) {
#if defined(__AVX512F__)
  return (F32)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
  return (F32)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return a > b ? a : b;
#endif
}
TALWEG_INLINE F32 minFast(F32 a, F32 b) {
#if defined(__AVX512F__)
  return (F32)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
  return (F32)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return a < b ? a : b;
#endif
}
/// StableHLO's: NaN where either operand is NaN.
template <class V>
TALWEG_INLINE V maximum(V a, V b) { return (a > b) | (a != a) ? a : b; }
template <class V>
TALWEG_INLINE V minimum(V a, V b) { return (a < b) | (a != a) ? a : b; }

TALWEG_INLINE bool anyLane(I32 mask) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask((__m512i)mask) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps((__m256)mask) != 0;
#else
  int32_t any = 0;
  for (int i = 0; i < lanes; i++) any |= mask[i];
  return any != 0;
#endif
}

/// Products of 32 by 32 bits: their lower and upper halves, lane by lane.
TALWEG_INLINE void multiplyWide(U32 a, uint32_t b, U32& low, U32& high) {
#if defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
  // The instructions multiply the even lanes.
  const U64 factor = U64{} + b, wide = bitcast<U64>(a);
#if defined(__AVX512F__)
  const U64 even = (U64)_mm512_mul_epu32((__m512i)wide, (__m512i)factor), odd = (U64)_mm512_mul_epu32((__m512i)(wide >> 32), (__m512i)factor);
#elif defined(__AVX2__)
  const U64 even = (U64)_mm256_mul_epu32((__m256i)wide, (__m256i)factor), odd = (U64)_mm256_mul_epu32((__m256i)(wide >> 32), (__m256i)factor);
#else
  const U64 even = (U64)_mm_mul_epu32((__m128i)wide, (__m128i)factor), odd = (U64)_mm_mul_epu32((__m128i)(wide >> 32), (__m128i)factor);
#endif
  low = bitcast<U32>((even & 0xffffffffu) | (odd << 32));
  high = bitcast<U32>((even >> 32) | (odd & 0xffffffff00000000u));
#else
  using Products = Vector<uint64_t, lanes>;
  const Products product = __builtin_convertvector(a, Products) * static_cast<uint64_t>(b);
  low = __builtin_convertvector(product, U32);
  high = __builtin_convertvector(product >> 32, U32);
#endif
}

/// Lanes of two vectors in turns: a0 b0 a1 b1 …, the first and the second half of them.
template <class V>
TALWEG_INLINE void interleaveLanes(V a, V b, V& first, V& second) {
  constexpr int count = sizeof(V) / sizeof(a[0]);
  typedef decltype(V{} < V{}) Index;
  Index low, high;
  for (int i = 0; i < count; i++) {
    low[i] = i / 2 + (i % 2) * count;
    high[i] = low[i] + count / 2;
  }
#if defined(__clang__)
  // The loops below are constant, and become the same shuffles.
  for (int i = 0; i < count; i++) {
    first[i] = i % 2 ? b[i / 2] : a[i / 2];
    second[i] = i % 2 ? b[count / 2 + i / 2] : a[count / 2 + i / 2];
  }
#else
  first = __builtin_shuffle(a, b, low);
  second = __builtin_shuffle(a, b, high);
#endif
}

// ---- across lanes: always the same tree, whatever the compiler ----

template <class V, class Combination>
TALWEG_INLINE auto reduceLanes(V v, Combination combine) {
  constexpr int count = sizeof(V) / sizeof(v[0]);
  auto at = v[0];
  decltype(at) part[count];
  std::memcpy(part, &v, sizeof v);
  for (int half = count / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) part[i] = combine(part[i], part[i + half]);
  }
  return part[0];
}

TALWEG_INLINE float sumLanes(F32 v) {
#if defined(__AVX512F__)
  Vector<float, 8> half = loadAs<Vector<float, 8>>(&v) + (Vector<float, 8>)_mm512_extractf32x8_ps((__m512)v, 1);
  Vector<float, 4> quarter = (Vector<float, 4>)_mm256_castps256_ps128((__m256)half) +
                             (Vector<float, 4>)_mm256_extractf128_ps((__m256)half, 1);
  return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
#else
  return reduceLanes(v, [](float a, float b) { return a + b; });
#endif
}
TALWEG_INLINE float maxLanes(F32 v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps((__m512)v);
#else
  return reduceLanes(v, [](float a, float b) { return a > b ? a : b; });
#endif
}
TALWEG_INLINE double sumLanes(F64 v) {
  return reduceLanes(v, [](double a, double b) { return a + b; });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
