// GELU in both its forms, and its gradient, in one vectorised pass each.
//
//   tanh form: y = x s, s = logistic(2 u), u = sqrt(2/pi) (x + 0.044715 x^3), for 0.5 (1 + tanh u) = logistic(2 u);
//              with z = exp(-2 |u|) and r = 1 / (1 + z), s is r or, for negative u, z r; and s (1 - s) = z r^2
//   erf form:  y = x s, s = 0.5 (1 + erf(x / sqrt 2))
//
// and dx = dy (s + x s').
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

constexpr float twiceTanhScale = 2 * 0.797884561f;  // 2 sqrt(2 / pi)
constexpr float tanhCubic = 0.044715f;
constexpr float inverseSqrtTwo = 0.707106781f;
constexpr float inverseSqrtTwoPi = 0.398942280f;

/// Of the tanh form: both of its parts are at most 1, so that nothing overflows on the way.
struct Logistic {
  F32 z, r;
};
TALWEG_INLINE Logistic logisticOfTwiceU(F32 x) {
  const F32 exponent = x * (twiceTanhScale * log2OfE) * fma(x * x, tanhCubic, 1.0f);
  const F32 z = exp2Fast(-abs(exponent));
  return {z, reciprocalFast(z + 1.0f)};
}

/// s
template <Gelu form>
TALWEG_INLINE F32 gate(F32 x) {
  if constexpr (form == Gelu::erf) return fma(erf(x * inverseSqrtTwo), 0.5f, 0.5f);
  const Logistic logistic = logisticOfTwiceU(x);
  return x < 0.0f ? logistic.z * logistic.r : logistic.r;
}

/// s + x s'
template <Gelu form>
TALWEG_INLINE F32 slope(F32 x) {
  if constexpr (form == Gelu::erf) return fma(x * inverseSqrtTwoPi, exp(x * x * -0.5f), gate<form>(x));
  const Logistic logistic = logisticOfTwiceU(x);
  const F32 mirrored = logistic.z * logistic.r, inner = fma(x * x, 3 * tanhCubic, 1.0f) * twiceTanhScale;
  return fma(x * inner, mirrored * logistic.r, x < 0.0f ? mirrored : logistic.r);
}

TALWEG_INLINE void storeTwo(float* to, F32 first, F32 second) {
  store(to, first);
  store(to + lanes, second);
}
TALWEG_INLINE void storeTwo(BFloat16* to, F32 first, F32 second) {
#if defined(__AVX512BF16__)
  // As in narrow(), with one look for denormals at both.
  const __mmask16 denormal = _mm512_fpclass_ps_mask((__m512)first, 0x20) | _mm512_fpclass_ps_mask((__m512)second, 0x20);
  if (__builtin_expect(denormal == 0, 1)) return storeAs(to, _mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
#endif
  store(to, first);
  store(to + lanes, second);
}

constexpr int64_t blockElements = 4096;
constexpr int64_t stepsPerElement = 24;

/// to[i] = valueOf(index, count) for each vector of all elements, a block at a time, two vectors at once.
template <class To, class ValueOf>
void forAll(int64_t count, To* to, const ValueOf& valueOf) {
  const int64_t numBlocks = ceilDiv(count, blockElements);
  parallelFor(isWorthThreads(count * stepsPerElement), numBlocks, [&](int64_t block) {
    int64_t i = block * blockElements;
    const int64_t end = smaller(count, i + blockElements);
    for (; i + 2 * lanes <= end; i += 2 * lanes) {
      const F32 first = valueOf(i, lanes), second = valueOf(i + lanes, lanes);
      storeTwo(to + i, first, second);
    }
    for (; i < end; i += lanes) storeUpTo(to + i, valueOf(i, end - i), end - i);
  });
}

template <Gelu form, class X, class Y>
void forward(int64_t count, const X* x, Y* y) {
  forAll(count, y, [x](int64_t i, int64_t n) {
    const F32 v = loadUpTo(x + i, n);
    return v * gate<form>(v);
  });
}

template <Gelu form, class X, class G, class R>
void backward(int64_t count, const X* x, const G* dy, R* dx) {
  forAll(count, dx, [x, dy](int64_t i, int64_t n) {
    return loadUpTo(dy + i, n) * slope<form>(loadUpTo(x + i, n));
  });
}

}  // namespace

void gelu(Gelu form, int64_t count, DType inputDType, const void* x, DType outputDType, void* y) {
  withType(inputDType, [&](auto input) {
    withType(outputDType, [&](auto output) {
      const auto* from = static_cast<const decltype(input)*>(x);
      auto* to = static_cast<decltype(output)*>(y);
      if (form == Gelu::tanh) {
        forward<Gelu::tanh>(count, from, to);
      } else {
        forward<Gelu::erf>(count, from, to);
      }
    });
  });
}

void geluGradient(Gelu form, int64_t count, DType inputDType, const void* x, DType gradientDType, const void* dy,
                  DType resultDType, void* dx) {
  withType(inputDType, [&](auto input) {
    withType(gradientDType, [&](auto gradient) {
      withType(resultDType, [&](auto result) {
        const auto* from = static_cast<const decltype(input)*>(x);
        const auto* outer = static_cast<const decltype(gradient)*>(dy);
        auto* to = static_cast<decltype(result)*>(dx);
        if (form == Gelu::tanh) {
          backward<Gelu::tanh>(count, from, outer, to);
        } else {
          backward<Gelu::erf>(count, from, outer, to);
        }
      });
    });
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
