// Elementary functions on vectors of f32, accurate to a few units in the last place over the whole range, with
// denormals, infinities and NaN as IEEE 754 and C99 have them. Largest errors, in ulp, measured by native/test against
// double precision (AVX-512 / portable without fused multiply-add):
//
//   exp 1.0, expFast 2.4 (x <= 0; results under 2^-126 become 0), expm1 1.5, log 0.9, log1p 1.5, tanh 1.5, logistic 2.3,
//   erf 1.7, sine and cosine 1.6, rsqrt 1.5, power 0.6, cbrt 0.6
//
// Polynomials are fitted by bench/native/fit_polynomials.py. Method throughout: reduce the argument to a small interval
// around 0 exactly, evaluate a minimax polynomial, undo the reduction (Muller: Elementary Functions, 3rd ed., 2016).
#pragma once

#include <cmath>

#include "vector.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

/// c[0] + c[1] x + c[2] x^2 + …
template <int count>
TALWEG_INLINE F32 polynomial(F32 x, const float (&c)[count]) {
  F32 sum = broadcast(c[count - 1]);
  for (int i = count - 2; i >= 0; i--) sum = fma(sum, x, c[i]);
  return sum;
}

constexpr float log2OfE = 1.44269504f;
// ln 2 in two parts; the first has so few bits that a small integer times it is exact.
constexpr float ln2High = 0.693359375f;
constexpr float ln2Low = -2.12194440e-4f;
constexpr float infinity = __builtin_inff();
constexpr float notANumber = __builtin_nanf("");

/// 2^n for integers n in [-126, 127], as floats.
TALWEG_INLINE F32 powerOfTwo(F32 n) {
  return bitcast<F32>((__builtin_convertvector(n, I32) + 127) << 23);
}
/// x * 2^n, rounded once, also where the result is denormal or overflows. |n| <= 252.
TALWEG_INLINE F32 scaleByPowerOfTwo(F32 x, F32 n) {
#if defined(__AVX512F__)
  return (F32)_mm512_scalef_ps((__m512)x, (__m512)n);
#else
  F32 first = roundEven(n * 0.5f);
  return x * powerOfTwo(first) * powerOfTwo(n - first);
#endif
}

/// Splits x = n ln 2 + r, |r| <= ln 2 / 2.
TALWEG_INLINE F32 reduceByLn2(F32 x, F32& n) {
  n = roundEven(x * log2OfE);
  return fma(n, -ln2Low, fma(n, -ln2High, x));
}

TALWEG_INLINE F32 exp(F32 x) {
  // Beyond these bounds the result is 0 or infinity anyway; written so that NaN passes.
  F32 bounded = x > 89.0f ? broadcast(89.0f) : x;
  bounded = bounded < -104.0f ? broadcast(-104.0f) : bounded;
  F32 n;
  F32 r = reduceByLn2(bounded, n);
  F32 p = polynomial(r, {0.49999994f, 0.166665211f, 0.041668389f, 0.00836871006f, 0.00138146128f});
  return scaleByPowerOfTwo(fma(r * r, p, r) + 1.0f, n);
}

/// For softmax and attention: x <= 0, results under 2^-126 become 0; x = -infinity gives 0.
TALWEG_INLINE F32 expFast(F32 x) {
  F32 n = roundEven(x * log2OfE);
  F32 r = fma(n, -ln2Low, fma(n, -ln2High, x));
  F32 p = polynomial(r, {0.499992311f, 0.166671142f, 0.0418901145f, 0.0083125243f});
  F32 e = fma(fma(r, p, 1.0f), r, 1.0f);
#if defined(__AVX512F__)
  e = (F32)_mm512_scalef_ps((__m512)e, (__m512)n);
#else
  e = e * powerOfTwo(maxFast(n, broadcast(-126.0f)));
#endif
  // NaN passes; -infinity made r NaN, so it is caught here with all that underflows.
  return x < -87.3365f ? F32{} : e;
}

/// 2^x for attention: x <= 0, results under 2^-126 become 0; x = -infinity gives 0. Error 1.5 ulp.
TALWEG_INLINE F32 exp2Fast(F32 x) {
  const F32 n = roundEven(x);
  const F32 f = x - n;
  const F32 p = polynomial(f, {0.693147004f, 0.240222424f, 0.0555073358f, 0.00967151299f, 0.00132647273f});
  F32 e = fma(f, p, 1.0f);
#if defined(__AVX512F__)
  e = (F32)_mm512_scalef_ps((__m512)e, (__m512)n);
#else
  e = e * powerOfTwo(maxFast(n, broadcast(-126.0f)));
#endif
  return x < -126.0f ? F32{} : e;
}

TALWEG_INLINE F32 expm1(F32 x) {
  F32 bounded = x > 89.0f ? broadcast(89.0f) : x;
  bounded = bounded < -30.0f ? broadcast(-30.0f) : bounded;
  F32 n;
  F32 r = reduceByLn2(bounded, n);
  F32 p = polynomial(r, {0.5f, 0.166666657f, 0.0416663624f, 0.00833338965f, 0.00139406172f, 0.000198458787f});
  F32 small = fma(r * r, p, r);
  // 2^n (1 + small) - 1, by 2^(n-1) since 2^128 is not an f32.
  F32 half = powerOfTwo(n - 1.0f);
  F32 result = 2.0f * fma(half, small, half - 0.5f);
  return n == 0.0f ? (x == 0.0f ? x : small) : result;
}

/// The part common to log and log1p: log(1 + f) + e ln 2 for f in [sqrt(1/2) - 1, sqrt(2) - 1].
TALWEG_INLINE F32 logOfReduced(F32 f, F32 e) {
  F32 p = polynomial(f, {0.333333313f, -0.250008196f, 0.200012267f, -0.166233569f, 0.142017588f, -0.131601825f,
                         0.12761575f, -0.0763449445f});
  F32 square = f * f;
  F32 tail = fma(f * square, p, e * ln2Low);
  tail = fma(square, -0.5f, tail);
  return (f + tail) + e * ln2High;
}
/// Splits a positive normal x = 2^e m, sqrt(1/2) <= m < sqrt(2).
TALWEG_INLINE F32 splitExponent(F32 x, F32& e) {
  I32 bits = bitcast<I32>(x);
  I32 exponent = (bits - 0x3f3504f3) >> 23;  // 0x3f3504f3: sqrt(1/2)
  e = __builtin_convertvector(exponent, F32);
  return bitcast<F32>(bits - (exponent << 23));
}

TALWEG_INLINE F32 log(F32 x) {
  I32 isDenormal = x < 1.17549435e-38f;
  F32 e;
  F32 m = splitExponent(isDenormal ? x * 8388608.0f : x, e);
  F32 result = logOfReduced(m - 1.0f, isDenormal ? e - 23.0f : e);
  result = x == infinity ? x : result;
  result = x == 0.0f ? broadcast(-infinity) : result;
  return (x < 0.0f) | (x != x) ? broadcast(notANumber) : result;
}

TALWEG_INLINE F32 log1p(F32 x) {
  F32 sum = 1.0f + x;
  // What the addition lost, exactly (the larger term first).
  F32 lost = x >= 1.0f ? 1.0f - (sum - x) : x - (sum - 1.0f);
  F32 e;
  F32 m = splitExponent(sum, e);
  F32 f = (m - 1.0f) + lost * powerOfTwo(minFast(maxFast(-e, broadcast(-126.0f)), broadcast(126.0f)));
  F32 result = logOfReduced(f, e);
  result = abs(x) < 1e-20f ? x : result;
  result = x == infinity ? x : result;
  result = x == -1.0f ? broadcast(-infinity) : result;
  return (x < -1.0f) | (x != x) ? broadcast(notANumber) : result;
}

TALWEG_INLINE F32 tanh(F32 x) {
  F32 magnitude = abs(x);
  F32 square = x * x;
  F32 p = polynomial(square, {-0.333332807f, 0.133314416f, -0.0537397154f, 0.0206390861f, -0.0057049864f});
  F32 inner = copySign(fma(x * square, p, x), x);
  F32 e = exp(-2.0f * minFast(magnitude, broadcast(10.0f)));
  F32 outer = copySign(1.0f - (2.0f * e) / (1.0f + e), x);
  F32 result = magnitude < 0.625f ? inner : outer;
  return x != x ? x : result;
}

TALWEG_INLINE F32 logistic(F32 x) {
  F32 e = exp(-abs(x));
  F32 low = e / (1.0f + e);
  F32 high = 1.0f / (1.0f + e);
  return x < 0.0f ? low : high;
}

TALWEG_INLINE F32 erf(F32 x) {
  F32 magnitude = abs(x);
  F32 p = polynomial(x * x, {0.128379166f, -0.376126319f, 0.112836637f, -0.0268577058f, 0.00519695226f,
                             -0.000809770369f, 8.18509434e-05f});
  F32 inner = fma(x, p, x);
  F32 r = polynomial(minFast(magnitude, broadcast(4.0f)), {0.000182459189f, -1.12955201f, -0.633272409f, -0.108361542f,
                                                           0.0251718014f, -0.00419085287f, 0.000438529358f, -2.1445514e-05f});
  F32 outer = copySign(1.0f - expFast(r), x);
  F32 result = magnitude < 0.95f ? inner : outer;
  return x != x ? x : result;
}

// ---- through double precision, half a vector at a time ----

TALWEG_INLINE void toDoubles(F32 v, F64& low, F64& high) {
  HalfF32 halves[2];
  std::memcpy(halves, &v, sizeof v);
  low = __builtin_convertvector(halves[0], F64);
  high = __builtin_convertvector(halves[1], F64);
}
TALWEG_INLINE F32 toFloats(F64 low, F64 high) {
  HalfF32 halves[2] = {__builtin_convertvector(low, HalfF32), __builtin_convertvector(high, HalfF32)};
  return loadAs<F32>(halves);
}
/// Nearest integer of |v| < 2^51 by the addition that pushes the fraction out.
TALWEG_INLINE F64 roundEven(F64 v) {
  constexpr double big = 6755399441055744.0;  // 1.5 * 2^52
  return (v + big) - big;
}
using I64 = Vector<int64_t, lanes / 2>;

/// log2 of positive normal doubles, relative error 1e-11.
TALWEG_INLINE F64 log2Double(F64 x) {
  I64 bits = bitcast<I64>(x);
  I64 exponent = (bits - 0x3fe6a09e667f3bcdLL) >> 52;  // sqrt(1/2)
  F64 m = bitcast<F64>(bits - (exponent << 52));
  F64 s = (m - 1.0) / (m + 1.0);
  F64 q = s * s;
  // 2 atanh(s) / ln 2, |s| <= 0.172.
  F64 p = F64{} + 1.0 / 13;
  for (double c : {1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1.0}) p = fma(p, q, c);
  // The exponent as a double, without an instruction for it: it is small.
  F64 e = bitcast<F64>((exponent + 1023 * 4) | 0x4330000000000000LL) - (4503599627370496.0 + 1023 * 4);
  return fma(s * p, F64{} + 2.88539008177792681, e);
}
/// 2^y for |y| < 1000, relative error 1e-11.
TALWEG_INLINE F64 exp2Double(F64 y) {
  constexpr double big = 6755399441055744.0;
  F64 shifted = y + big;
  F64 r = (y - (shifted - big)) * 0.693147180559945309;
  I64 n = bitcast<I64>(shifted) - bitcast<I64>(F64{} + big);
  F64 p = F64{} + 1.0 / 362880;
  for (double c : {1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0}) p = fma(p, r, c);
  return bitcast<F64>(bitcast<I64>(p) + (n << 52));
}
TALWEG_INLINE F64 clampDouble(F64 v, double low, double high) {
  v = v < low ? F64{} + low : v;
  return v > high ? F64{} + high : v;
}

/// x^y, in double precision inside, so that no error grows with the exponent. Infinite operands go to the C library.
TALWEG_INLINE F32 power(F32 x, F32 y) {
  F32 magnitude = abs(x);
  F64 lowX, highX, lowY, highY;
  toDoubles(magnitude == 0.0f ? broadcast(1.0f) : magnitude, lowX, highX);
  toDoubles(y, lowY, highY);
  F64 low = exp2Double(clampDouble(lowY * log2Double(lowX), -200.0, 200.0));
  F64 high = exp2Double(clampDouble(highY * log2Double(highX), -200.0, 200.0));
  F32 result = toFloats(low, high);
  result = (magnitude == 0.0f) ? (y > 0.0f ? F32{} : broadcast(infinity)) : result;
  // A negative base: the sign of an odd power; no real power unless y is an integer.
  I32 isNegative = bitcast<I32>(x) < 0;
  I32 isInteger = roundEven(y) == y;
  I32 isOdd = isInteger & (roundEven(y * 0.5f) != y * 0.5f);
  result = isNegative & isOdd ? -result : result;
  result = (x < 0.0f) & ~isInteger ? broadcast(notANumber) : result;
  result = y == 0.0f ? broadcast(1.0f) : result;
  I32 isSpecial = ~((magnitude < infinity) & (abs(y) < infinity));
  if (__builtin_expect(anyLane(isSpecial), 0)) {
    for (int i = 0; i < lanes; i++) {
      if (isSpecial[i]) result[i] = ::powf(x[i], y[i]);
    }
  }
  return result;
}

TALWEG_INLINE F32 cbrt(F32 x) {
  F32 magnitude = abs(x);
  I32 isSpecial = ~(magnitude < infinity) | (magnitude == 0.0f);
  F64 low, high;
  toDoubles(isSpecial ? broadcast(1.0f) : magnitude, low, high);
  F32 root = toFloats(exp2Double(log2Double(low) * (1.0 / 3)), exp2Double(log2Double(high) * (1.0 / 3)));
  return isSpecial ? x : copySign(root, x);
}

/// Sine and cosine: the quadrant and the rest of the argument are found in double precision; beyond 1e6 the C library
/// does (its reduction is exact for any argument).
template <bool isCosine>
TALWEG_INLINE F32 sineOrCosine(F32 x) {
  I32 isLarge = ~(abs(x) < 1e6f);
  F64 low, high;
  toDoubles(isLarge ? F32{} : x, low, high);
  F64 lowTurns = roundEven(low * 0.636619772367581343);
  F64 highTurns = roundEven(high * 0.636619772367581343);
  // pi / 2 in two parts; the first has 33 bits, so that a number of turns times it is exact without a fused product.
  constexpr double halfPiHigh = 1.57079632673412561, halfPiLow = 6.07710050650619225e-11;
  F64 lowRest = (low - lowTurns * halfPiHigh) - lowTurns * halfPiLow;
  F64 highRest = (high - highTurns * halfPiHigh) - highTurns * halfPiLow;
  F32 r = toFloats(lowRest, highRest);
  I32 quadrant = __builtin_convertvector(toFloats(lowTurns, highTurns), I32) + (isCosine ? 1 : 0);
  F32 square = r * r;
  F32 sine = fma(r * square, polynomial(square, {-0.166666672f, 0.00833332911f, -0.000198393129f, 2.71812155e-06f}), r);
  F32 cosine = fma(square * square, polynomial(square, {0.0416666456f, -0.00138873165f, 2.44331568e-05f}),
                   fma(square, -0.5f, 1.0f));
  F32 result = (quadrant & 1) != 0 ? cosine : sine;
  result = (quadrant & 2) != 0 ? -result : result;
  if (!isCosine) result = x == 0.0f ? x : result;
  if (__builtin_expect(anyLane(isLarge), 0)) {
    for (int i = 0; i < lanes; i++) {
      if (isLarge[i]) result[i] = isCosine ? ::cosf(x[i]) : ::sinf(x[i]);
    }
  }
  return result;
}
TALWEG_INLINE F32 sine(F32 x) { return sineOrCosine<false>(x); }
TALWEG_INLINE F32 cosine(F32 x) { return sineOrCosine<true>(x); }

TALWEG_INLINE F32 rsqrt(F32 x) { return 1.0f / sqrt(x); }

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
