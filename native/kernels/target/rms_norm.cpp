// RMS norm: layer norm without the mean.
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

template <class X, class Y>
void forwardRow(const RowPlan& plan, const X* x, const float* weight, Y* y, float* rstd) {
  F32 squares = {};
  forEachVector(plan.width, [&](int64_t i, int64_t count) {
    const F32 v = loadUpTo(x + i, count);
    squares = fma(v, v, squares);
  });
  const float r = 1.0f / __builtin_sqrtf(sumLanes(squares) / static_cast<float>(plan.width) + plan.epsilon);
  forEachVector(plan.width, [&](int64_t i, int64_t count) {
    F32 v = loadUpTo(x + i, count) * r;
    if (weight != nullptr) v = v * loadUpTo(weight + i, count);
    storeUpTo(y + i, v, count);
  });
  if (rstd != nullptr) *rstd = r;
}

/// dx = rstd (g - n mean(g n)), g = dy weight, n = x rstd
template <class X, class G, class R>
void backwardRow(int64_t width, const X* x, const float* weight, float rstd, const G* dy, R* dx) {
  F32 along = {};
  const auto scaled = [&](int64_t i, int64_t count) {
    const F32 g = loadUpTo(dy + i, count);
    return weight == nullptr ? g : g * loadUpTo(weight + i, count);
  };
  forEachVector(width, [&](int64_t i, int64_t count) {
    along = fma(scaled(i, count), loadUpTo(x + i, count) * rstd, along);
  });
  const float meanAlong = sumLanes(along) / static_cast<float>(width);
  forEachVector(width, [&](int64_t i, int64_t count) {
    const F32 n = loadUpTo(x + i, count) * rstd;
    storeUpTo(dx + i, (scaled(i, count) - n * meanAlong) * rstd, count);
  });
}

template <class X, class G, class R>
void backward(const RowPlan& plan, const X* x, const float* weight, const float* rstd, const G* dy, R* dx, float* dweight,
              double* sums) {
  const int64_t width = plan.width, perChunk = rowsInChunk(plan.rows), numChunks = numRowChunks(plan.rows);
  parallelFor(isWorthThreads(plan.rows * width * 8), numChunks, [&](int64_t chunk) {
    const int64_t begin = chunk * perChunk, end = smaller(plan.rows, begin + perChunk);
    sumColumns(begin, end, width, sums + chunk * 2 * width, [&](int64_t row, int64_t column, int64_t count, F32& dw, F32& none) {
      dw = loadUpTo(dy + row * width + column, count) * (loadUpTo(x + row * width + column, count) * rstd[row]);
      none = F32{};
    });
    for (int64_t row = begin; row < end; row++) {
      backwardRow(width, x + row * width, weight, rstd[row], dy + row * width, dx + row * width);
    }
  });
  joinChunks(numChunks, 2 * width, sums);
  if (dweight == nullptr) return;
  for (int64_t i = 0; i < width; i++) dweight[i] = static_cast<float>(sums[i]);
}

}  // namespace

void rmsNorm(const RowPlan& plan, const void* x, const float* weight, void* y, float* rstd) {
  withType(plan.inputDType, [&](auto input) {
    withType(plan.outputDType, [&](auto output) {
      using X = decltype(input);
      using Y = decltype(output);
      parallelFor(isWorthThreads(plan.rows * plan.width * 4), plan.rows, [&](int64_t row) {
        forwardRow(plan, static_cast<const X*>(x) + row * plan.width, weight, static_cast<Y*>(y) + row * plan.width,
                   rstd == nullptr ? nullptr : rstd + row);
      });
    });
  });
}

void rmsNormGradient(const RowPlan& plan, const void* x, const float* weight, const float* rstd, const void* dy, void* dx,
                     float* dweight, void* scratch) {
  withType(plan.inputDType, [&](auto input) {
    withType(plan.gradientDType, [&](auto gradient) {
      withType(plan.resultDType, [&](auto result) {
        backward(plan, static_cast<const decltype(input)*>(x), weight, rstd, static_cast<const decltype(gradient)*>(dy),
                 static_cast<decltype(result)*>(dx), dweight, static_cast<double*>(scratch));
      });
    });
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
