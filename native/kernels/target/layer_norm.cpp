// Layer norm. Forward: mean, then variance about it, then the result, the row being in the cache after the first pass.
// Backward: the input's gradient row by row, and the parameters' gradients chunk by chunk of rows.
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

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
  const float r = 1.0f / __builtin_sqrtf(sumLanes(squares) / static_cast<float>(width) + plan.epsilon);
  forEachVector(width, [&](int64_t i, int64_t count) {
    F32 v = (loadUpTo(x + i, count) - m) * r;
    if (weight != nullptr) v = v * loadUpTo(weight + i, count);
    if (bias != nullptr) v = v + loadUpTo(bias + i, count);
    storeUpTo(y + i, v, count);
  });
  if (mean != nullptr) *mean = m;
  if (rstd != nullptr) *rstd = r;
}

/// dx = rstd (g - mean(g) - n mean(g n)), g = dy weight, n = (x - mean) rstd
template <class X, class G, class R>
void backwardRow(int64_t width, const X* x, const float* weight, float mean, float rstd, const G* dy, R* dx) {
  F32 sum = {}, along = {};
  const auto scaled = [&](int64_t i, int64_t count) {
    const F32 g = loadUpTo(dy + i, count);
    return weight == nullptr ? g : g * loadUpTo(weight + i, count);
  };
  forEachVector(width, [&](int64_t i, int64_t count) {
    const F32 g = scaled(i, count);
    sum += g;
    along = fma(g, (loadUpTo(x + i, count) - mean) * rstd, along);
  });
  const float meanOfG = sumLanes(sum) / static_cast<float>(width), meanAlong = sumLanes(along) / static_cast<float>(width);
  forEachVector(width, [&](int64_t i, int64_t count) {
    const F32 n = (loadUpTo(x + i, count) - mean) * rstd;
    storeUpTo(dx + i, (scaled(i, count) - meanOfG - n * meanAlong) * rstd, count);
  });
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
      backwardRow(width, x + row * width, weight, mean[row], rstd[row], dy + row * width, dx + row * width);
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
