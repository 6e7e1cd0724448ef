// Batch norm in its training form: statistics of each column (channel) over all rows, by chunks of rows.
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

/// Sums two quantities over all rows into sums[0..2 width).
template <class Term>
void sumAllColumns(const RowPlan& plan, double* sums, const Term& term) {
  const int64_t perChunk = rowsInChunk(plan.rows), numChunks = numRowChunks(plan.rows);
  parallelFor(isWorthThreads(plan.rows * plan.width * 2), numChunks, [&](int64_t chunk) {
    const int64_t begin = chunk * perChunk;
    sumColumns(begin, smaller(plan.rows, begin + perChunk), plan.width, sums + chunk * 2 * plan.width, term);
  });
  joinChunks(numChunks, 2 * plan.width, sums);
}

/// value(row, column, count) for every vector of every row.
template <class R, class Value>
void storeRows(const RowPlan& plan, R* result, const Value& value) {
  parallelFor(isWorthThreads(plan.rows * plan.width * 3), plan.rows, [&](int64_t row) {
    forEachVector(plan.width, [&](int64_t i, int64_t count) {
      storeUpTo(result + row * plan.width + i, value(row * plan.width, i, count), count);
    });
  });
}

template <class X, class Y>
void forward(const RowPlan& plan, const X* x, const float* weight, const float* bias, Y* y, float* mean, float* variance,
             float* rstd, double* sums) {
  const int64_t width = plan.width;
  const double rows = static_cast<double>(plan.rows);
  sumAllColumns(plan, sums, [&](int64_t row, int64_t column, int64_t count, F32& first, F32& second) {
    first = loadUpTo(x + row * width + column, count);
    second = F32{};
  });
  for (int64_t i = 0; i < width; i++) mean[i] = static_cast<float>(sums[i] / rows);
  sumAllColumns(plan, sums, [&](int64_t row, int64_t column, int64_t count, F32& first, F32& second) {
    const F32 centred = loadUpTo(x + row * width + column, count) - loadUpTo(mean + column, count);
    first = centred * centred;
    second = F32{};
  });
  for (int64_t i = 0; i < width; i++) {
    const double v = sums[i] / rows;
    if (variance != nullptr) variance[i] = static_cast<float>(v);
    rstd[i] = static_cast<float>(1.0 / __builtin_sqrt(v + static_cast<double>(plan.epsilon)));
  }
  storeRows(plan, y, [&](int64_t start, int64_t i, int64_t count) {
    F32 v = (loadUpTo(x + start + i, count) - loadUpTo(mean + i, count)) * loadUpTo(rstd + i, count);
    if (weight != nullptr) v = v * loadUpTo(weight + i, count);
    return bias == nullptr ? v : v + loadUpTo(bias + i, count);
  });
}

/// dx = weight rstd (dy - mean(dy) - n mean(dy n)), n = (x - mean) rstd
template <class X, class G, class R>
void backward(const RowPlan& plan, const X* x, const float* weight, const float* mean, const float* rstd, const G* dy, R* dx,
              float* dweight, float* dbias, double* sums) {
  const int64_t width = plan.width;
  const auto normal = [&](int64_t start, int64_t i, int64_t count) {
    return (loadUpTo(x + start + i, count) - loadUpTo(mean + i, count)) * loadUpTo(rstd + i, count);
  };
  sumAllColumns(plan, sums, [&](int64_t row, int64_t column, int64_t count, F32& first, F32& second) {
    second = loadUpTo(dy + row * width + column, count);
    first = second * normal(row * width, column, count);
  });
  for (int64_t i = 0; i < width; i++) {
    dweight[i] = static_cast<float>(sums[i]);
    dbias[i] = static_cast<float>(sums[width + i]);
  }
  const float inverse = 1.0f / static_cast<float>(plan.rows);
  storeRows(plan, dx, [&](int64_t start, int64_t i, int64_t count) {
    const F32 inner = loadUpTo(dy + start + i, count) - loadUpTo(dbias + i, count) * inverse -
                      normal(start, i, count) * (loadUpTo(dweight + i, count) * inverse);
    const F32 scale = loadUpTo(rstd + i, count);
    return inner * (weight == nullptr ? scale : scale * loadUpTo(weight + i, count));
  });
}

}  // namespace

void batchNorm(const RowPlan& plan, const void* x, const float* weight, const float* bias, void* y, float* mean,
               float* variance, float* rstd, void* scratch) {
  withType(plan.inputDType, [&](auto input) {
    withType(plan.outputDType, [&](auto output) {
      forward(plan, static_cast<const decltype(input)*>(x), weight, bias, static_cast<decltype(output)*>(y), mean, variance,
              rstd, static_cast<double*>(scratch));
    });
  });
}

void batchNormGradient(const RowPlan& plan, const void* x, const float* weight, const float* mean, const float* rstd,
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
