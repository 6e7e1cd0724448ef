// Softmax over rows, its logarithm and its gradient. A row is read from memory once and then from the cache.
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

template <class T>
TALWEG_INLINE float largestOf(const T* x, int64_t width) {
  F32 largest = broadcast(-infinity);
  forEachVector(width, [&](int64_t i, int64_t count) { largest = maximum(largest, loadUpTo(x + i, count, -infinity)); });
  float result = largest[0];
  for (int lane = 1; lane < lanes; lane++) result = (largest[lane] > result) | (largest[lane] != largest[lane]) ? largest[lane] : result;
  return result;
}

template <class T>
TALWEG_INLINE float sumOfExponentials(const T* x, int64_t width, float largest) {
  F32 sum = {};
  forEachVector(width, [&](int64_t i, int64_t count) { sum += expFast(loadUpTo(x + i, count, -infinity) - largest); });
  return sumLanes(sum);
}

template <class X, class Y>
void softmaxRow(const X* x, Y* y, int64_t width) {
  const float largest = largestOf(x, width);
  const float inverse = 1.0f / sumOfExponentials(x, width, largest);
  forEachVector(width, [&](int64_t i, int64_t count) {
    storeUpTo(y + i, expFast(loadUpTo(x + i, count, -infinity) - largest) * inverse, count);
  });
}

template <class X, class Y>
void logSoftmaxRow(const X* x, Y* y, int64_t width) {
  const float largest = largestOf(x, width);
  const float logSum = log(broadcast(sumOfExponentials(x, width, largest)))[0];
  // One after the other: the first difference is exact near the largest, and their sum may be large and coarse.
  forEachVector(width, [&](int64_t i, int64_t count) { storeUpTo(y + i, (loadUpTo(x + i, count) - largest) - logSum, count); });
}

template <class Y, class G, class R>
void gradientRow(const Y* y, const G* dy, R* dx, int64_t width) {
  F32 products = {};
  forEachVector(width, [&](int64_t i, int64_t count) {
    products = fma(loadUpTo(y + i, count), loadUpTo(dy + i, count), products);
  });
  const float sum = sumLanes(products);
  forEachVector(width, [&](int64_t i, int64_t count) {
    storeUpTo(dx + i, loadUpTo(y + i, count) * (loadUpTo(dy + i, count) - sum), count);
  });
}

constexpr int64_t stepsPerElement = 20;

}  // namespace

void softmax(const RowPlan& plan, const void* x, void* y) {
  withType(plan.inputDType, [&](auto input) {
    withType(plan.outputDType, [&](auto output) {
      using X = decltype(input);
      using Y = decltype(output);
      parallelFor(isWorthThreads(plan.rows * plan.width * stepsPerElement), plan.rows, [&](int64_t row) {
        softmaxRow(static_cast<const X*>(x) + row * plan.width, static_cast<Y*>(y) + row * plan.width, plan.width);
      });
    });
  });
}

void logSoftmax(const RowPlan& plan, const void* x, void* y) {
  withType(plan.inputDType, [&](auto input) {
    withType(plan.outputDType, [&](auto output) {
      using X = decltype(input);
      using Y = decltype(output);
      parallelFor(isWorthThreads(plan.rows * plan.width * stepsPerElement), plan.rows, [&](int64_t row) {
        logSoftmaxRow(static_cast<const X*>(x) + row * plan.width, static_cast<Y*>(y) + row * plan.width, plan.width);
      });
    });
  });
}

void softmaxGradient(const RowPlan& plan, const void* y, const void* dy, void* dx) {
  withType(plan.outputDType, [&](auto output) {
    withType(plan.gradientDType, [&](auto gradient) {
      withType(plan.resultDType, [&](auto result) {
        using Y = decltype(output);
        using G = decltype(gradient);
        using R = decltype(result);
        parallelFor(isWorthThreads(plan.rows * plan.width * 4), plan.rows, [&](int64_t row) {
          const int64_t start = row * plan.width;
          gradientRow(static_cast<const Y*>(y) + start, static_cast<const G*>(dy) + start, static_cast<R*>(dx) + start, plan.width);
        });
      });
    });
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
