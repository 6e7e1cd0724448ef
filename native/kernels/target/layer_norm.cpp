// Layer norm. Forward: mean, then variance about it, then the result, the row being in the cache after the first pass.
// Backward: the input's gradient row by row, and the parameters' gradients chunk by chunk of rows.
//
// A row's mean is kept as a float, whose last digit is coarse where the mean is many times the spread. Such rows (they are
// rare) are looked at once more for what is left between that float and the mean itself, and it is taken off as well.
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

/// Whether the mean is so many deviations from 0 that rounding it shows in the result.
TALWEG_INLINE bool isFarFromZero(float mean, float rstd) {
  constexpr float most = 2;
  return mean * rstd > most || mean * rstd < -most;
}

/// What the mean of a row is above `mean`, which is the float near it: the differences are exact.
template <class X>
TALWEG_INLINE float restOfMean(int64_t width, const X* x, float mean) {
  F32 sum = {};
  forEachVector(width, [&](int64_t i, int64_t count) { sum += keepFirst(loadUpTo(x + i, count) - mean, count); });
  return sumLanes(sum) / static_cast<float>(width);
}

template <class X, class Y>
void forwardRow(const RowPlan& plan, const X* x, const float* weight, const float* bias, Y* y, float* mean, float* rstd) {
  const int64_t width = plan.width;
  F32 sum = {};
  forEachVector(width, [&](int64_t i, int64_t count) { sum += loadUpTo(x + i, count); });
  const float m = sumLanes(sum) / static_cast<float>(width);
  F32 squares = {};
  forEachVector(width, [&](int64_t i, int64_t count) {
    const F32 centred = keepFirst(loadUpTo(x + i, count) - m, count);
    squares = fma(centred, centred, squares);
  });
  const float variance = sumLanes(squares) / static_cast<float>(width);
  float r = 1.0f / __builtin_sqrtf(variance + plan.epsilon), rest = 0;
  if (isFarFromZero(m, r)) {
    rest = restOfMean(width, x, m);
    r = 1.0f / __builtin_sqrtf(variance - rest * rest + plan.epsilon);
  }
  const float restScaled = -rest * r;
  forEachVector(width, [&](int64_t i, int64_t count) {
    F32 v = fma(loadUpTo(x + i, count) - m, r, restScaled);
    if (weight != nullptr) v = v * loadUpTo(weight + i, count);
    if (bias != nullptr) v = v + loadUpTo(bias + i, count);
    storeUpTo(y + i, v, count);
  });
  if (mean != nullptr) *mean = m + rest;
  if (rstd != nullptr) *rstd = r;
}

/// dx = rstd (g - mean(g) - n mean(g n)), g = dy weight, n = (x - mean) rstd
///
/// @param rest what the row's mean is above `mean`
template <class X, class G, class R>
void backwardRow(int64_t width, const X* x, const float* weight, float mean, float rest, float rstd, const G* dy, R* dx) {
  const float restScaled = -rest * rstd;
  F32 sum = {}, along = {};
  const auto scaled = [&](int64_t i, int64_t count) {
    const F32 g = loadUpTo(dy + i, count);
    return weight == nullptr ? g : g * loadUpTo(weight + i, count);
  };
  forEachVector(width, [&](int64_t i, int64_t count) {
    const F32 g = scaled(i, count);
    sum += g;
    along = fma(g, fma(loadUpTo(x + i, count) - mean, rstd, restScaled), along);
  });
  const float meanOfG = sumLanes(sum) / static_cast<float>(width), meanAlong = sumLanes(along) / static_cast<float>(width);
  forEachVector(width, [&](int64_t i, int64_t count) {
    const F32 n = fma(loadUpTo(x + i, count) - mean, rstd, restScaled);
    storeUpTo(dx + i, (scaled(i, count) - meanOfG - n * meanAlong) * rstd, count);
  });
}

/// What rounding has taken from a row's mean to give `mean`; 0 where that is another number than the mean of the row.
template <class X>
TALWEG_INLINE float roundedAway(int64_t width, const X* x, float mean) {
  constexpr float most = 1e-6f;  // of a mean in f32, summed in any order
  const float rest = restOfMean(width, x, mean), bound = most * (mean < 0 ? -mean : mean);
  return rest <= bound && rest >= -bound ? rest : 0.0f;
}

/// Takes dy * step off the sums of a row's dy * n.
template <class G>
void takeOff(int64_t width, const G* dy, double step, double* sums) {
  for (int64_t i = 0; i < width; i++) sums[i] -= static_cast<double>(loadScalar(dy + i)) * step;
}

template <class X, class G, class R>
void backward(const RowPlan& plan, const X* x, const float* weight, const float* mean, const float* rstd, const G* dy, R* dx,
              float* dweight, float* dbias, double* sums) {
  const int64_t width = plan.width, perChunk = rowsInChunk(plan.rows), numChunks = numRowChunks(plan.rows);
  parallelFor(isWorthThreads(plan.rows * width * 8), numChunks, [&](int64_t chunk) {
    const int64_t begin = chunk * perChunk, end = smaller(plan.rows, begin + perChunk);
    // The sums first: dx may be the memory of dy.
    sumColumns(begin, end, width, sums + chunk * 2 * width, [&](int64_t row, int64_t column, int64_t count, F32& dw, F32& db) {
      db = loadUpTo(dy + row * width + column, count);
      dw = db * ((loadUpTo(x + row * width + column, count) - mean[row]) * rstd[row]);
    });
    for (int64_t row = begin; row < end; row++) {
      const float rest = isFarFromZero(mean[row], rstd[row]) ? roundedAway(width, x + row * width, mean[row]) : 0.0f;
      if (rest != 0) takeOff(width, dy + row * width, static_cast<double>(rest) * rstd[row], sums + chunk * 2 * width);
      backwardRow(width, x + row * width, weight, mean[row], rest, rstd[row], dy + row * width, dx + row * width);
    }
  });
  joinChunks(numChunks, 2 * width, sums);
  for (int64_t i = 0; i < width; i++) {
    if (dweight != nullptr) dweight[i] = static_cast<float>(sums[i]);
    if (dbias != nullptr) dbias[i] = static_cast<float>(sums[width + i]);
  }
}

}  // namespace

void layerNorm(const RowPlan& plan, const void* x, const float* weight, const float* bias, void* y, float* mean, float* rstd) {
  withType(plan.inputDType, [&](auto input) {
    withType(plan.outputDType, [&](auto output) {
      using X = decltype(input);
      using Y = decltype(output);
      parallelFor(isWorthThreads(plan.rows * plan.width * 6), plan.rows, [&](int64_t row) {
        forwardRow(plan, static_cast<const X*>(x) + row * plan.width, weight, bias, static_cast<Y*>(y) + row * plan.width,
                   mean == nullptr ? nullptr : mean + row, rstd == nullptr ? nullptr : rstd + row);
      });
    });
  });
}

void layerNormGradient(const RowPlan& plan, const void* x, const float* weight, const float* mean, const float* rstd,
                       const void* dy, void* dx, float* dweight, float* dbias, void* scratch) {
  withType(plan.inputDType, [&](auto input) {
    withType(plan.gradientDType, [&](auto gradient) {
      withType(plan.resultDType, [&](auto result) {
        backward(plan, static_cast<const decltype(input)*>(x), weight, mean, rstd, static_cast<const decltype(gradient)*>(dy),
                 static_cast<decltype(result)*>(dx), dweight, dbias, static_cast<double*>(scratch));
      });
    });
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
