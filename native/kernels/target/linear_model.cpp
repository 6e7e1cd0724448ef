// Linear and logistic regression. A row is read once: its score, its error, and its part of the gradient while it is in
// cache.
#include <type_traits>

#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

/// Rows whose errors are found together, and then summed up together in single precision.
constexpr int64_t groupRows = 16;

template <RowLoss kind>
TALWEG_INLINE F32 lossOf(F32 score, F32 target, F32& error) {
  if (kind == RowLoss::squares) {
    error = score - target;
    return error * error * 0.5f;
  }
  error = logistic(score) - target;
  return (score > 0.0f ? score : F32{}) + log1p(exp(-abs(score))) - target * score;
}

TALWEG_INLINE float targetAt(const float* targets, int64_t row) { return targets[row]; }
TALWEG_INLINE float targetAt(const int32_t* targets, int64_t row) { return static_cast<float>(targets[row]); }

TALWEG_INLINE float scoreOf(const float* row, const float* weights, int64_t width) {
  F32 sum = {};
  forEachVector(
      width, [&](int64_t i, int64_t count) { sum = fma(loadUpTo(row + i, count), loadUpTo(weights + i, count), sum); });
  return sumLanes(sum);
}

/// Σ errors[r] row(r) of one vector's columns.
template <class RowAt>
TALWEG_INLINE F32 weightedSum(const RowAt& rowAt, const float* errors, int64_t numRows, int64_t column, int64_t count) {
  F32 even = {}, odd = {};
  int64_t row = 0;
  for (; row + 2 <= numRows; row += 2) {
    even = fma(loadUpTo(rowAt(row) + column, count), errors[row], even);
    odd = fma(loadUpTo(rowAt(row + 1) + column, count), errors[row + 1], odd);
  }
  if (row < numRows) even = fma(loadUpTo(rowAt(row) + column, count), errors[row], even);
  return even + odd;
}

/// Adds rows begin..end to `sums`: the weights' gradient, the loss, the intercept's gradient.
template <RowLoss kind, class Target>
void addRows(const LinearModelPlan& plan, const float* features, const Target* targets, const float* weights,
             float intercept, int64_t begin, int64_t end, double* sums) {
  const int64_t width = plan.width;
  for (int64_t i = 0; i < width + 2; i++) sums[i] = 0;
  for (int64_t row = begin; row < end; row += groupRows) {
    const int64_t count = smaller(groupRows, end - row);
    const float* rows = features + row * width;
    float scores[groupRows] = {}, aims[groupRows] = {}, errors[groupRows];
    for (int64_t r = 0; r < count; r++) scores[r] = scoreOf(rows + r * width, weights, width) + intercept;
    for (int64_t r = 0; r < count; r++) aims[r] = targetAt(targets, row + r);
    F32 losses = {}, all = {};
    for (int64_t r = 0; r < groupRows; r += lanes) {
      F32 error;
      const F32 loss = lossOf<kind>(load(scores + r), load(aims + r), error);
      losses += keepFirst(loss, larger<int64_t>(count - r, 0));
      all += keepFirst(error, larger<int64_t>(count - r, 0));
      store(errors + r, error);
    }
    sums[width] += static_cast<double>(sumLanes(losses));
    sums[width + 1] += static_cast<double>(sumLanes(all));
    const auto rowAt = [&](int64_t r) { return rows + r * width; };
    forEachVector(width, [&](int64_t column, int64_t columns) {
      addDoubles(sums + column, weightedSum(rowAt, errors, count, column, columns), columns);
    });
  }
}

/// Rows of a step that lie anywhere; while they are worked on, those of a few steps later are fetched.
template <class Target>
struct ScatteredRows {
  const LinearModelPlan& plan;
  const float* features;
  const Target* targets;
  const int32_t* order;

  TALWEG_INLINE int64_t placeOf(int64_t index) const {
    return larger<int64_t>(0, smaller<int64_t>(order[index], plan.rows - 1));
  }
  TALWEG_INLINE void fetch(int64_t index) const {
    if (index >= plan.steps * plan.batch) return;
    const int64_t place = placeOf(index);
    const char* row = reinterpret_cast<const char*>(features + place * plan.width);
    const int64_t bytes = smaller<int64_t>(plan.width * 4, 1024);
    for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(row + at);
    __builtin_prefetch(row + bytes - 1);
    __builtin_prefetch(targets + place);
  }
};
constexpr int64_t fetchedAhead = 16;

/// One row a step: the weights stay in registers. `tail` is how many columns the last vector has.
template <RowLoss kind, int numVectors, class Target>
void descendByRows(const ScatteredRows<Target>& rows, const float* rates, float* weights, float& intercept,
                   float* losses) {
  const LinearModelPlan& plan = rows.plan;
  const int64_t tail = plan.width - (numVectors - 1) * lanes;
  F32 w[numVectors], x[numVectors];
  for (int v = 0; v < numVectors; v++) w[v] = load(weights + v * lanes);
  F32 b = broadcast(intercept);
  for (int64_t step = 0; step < plan.steps; step++) {
    rows.fetch(step + fetchedAhead);
    const int64_t place = rows.placeOf(step);
    const float* row = rows.features + place * plan.width;
    F32 sum = {};
    for (int v = 0; v < numVectors; v++) {
      x[v] = v + 1 < numVectors ? load(row + v * lanes) : loadUpTo(row + v * lanes, tail);
      sum = fma(x[v], w[v], sum);
    }
    F32 error;
    const F32 loss = lossOf<kind>(sumLanes(sum) + b, broadcast(targetAt(rows.targets, place)), error);
    losses[step] = loss[0];
    const F32 move = error * -rates[step];
    for (int v = 0; v < numVectors; v++) w[v] = fma(x[v], move, w[v]);
    if (plan.movesIntercept) b += move;
  }
  for (int v = 0; v < numVectors; v++) store(weights + v * lanes, w[v]);
  intercept = b[0];
}

template <RowLoss kind, class Target>
void descendByBatches(const ScatteredRows<Target>& rows, const float* rates, float* weights, float& intercept,
                      float* losses, float* errors) {
  const LinearModelPlan& plan = rows.plan;
  const int64_t batch = plan.batch, width = plan.width;
  for (int64_t step = 0; step < plan.steps; step++) {
    const int64_t first = step * batch;
    const auto rowAt = [&](int64_t r) { return rows.features + rows.placeOf(first + r) * width; };
    float loss = 0, all = 0;
    for (int64_t r = 0; r < batch; r++) {
      rows.fetch(first + r + fetchedAhead);
      F32 error;
      const float target = targetAt(rows.targets, rows.placeOf(first + r));
      loss += lossOf<kind>(broadcast(scoreOf(rowAt(r), weights, width) + intercept), broadcast(target), error)[0];
      errors[r] = error[0];
      all += error[0];
    }
    const float size = static_cast<float>(batch), move = -rates[step] / size;
    losses[step] = loss / size;
    forEachVector(width, [&](int64_t column, int64_t count) {
      const F32 sum = weightedSum(rowAt, errors, batch, column, count);
      storeUpTo(weights + column, fma(sum, move, loadUpTo(weights + column, count)), count);
    });
    if (plan.movesIntercept) intercept += all * move;
  }
}

template <RowLoss kind, class Target>
void descend(const ScatteredRows<Target>& rows, const float* rates, float* weights, float& intercept, float* losses,
             float* errors) {
  const int64_t numVectors = ceilDiv(rows.plan.width, lanes);
  if (rows.plan.batch == 1 && numVectors == 1) return descendByRows<kind, 1>(rows, rates, weights, intercept, losses);
  if (rows.plan.batch == 1 && numVectors == 2) return descendByRows<kind, 2>(rows, rates, weights, intercept, losses);
  if (rows.plan.batch == 1 && numVectors == 3) return descendByRows<kind, 3>(rows, rates, weights, intercept, losses);
  if (rows.plan.batch == 1 && numVectors == 4) return descendByRows<kind, 4>(rows, rates, weights, intercept, losses);
  descendByBatches<kind>(rows, rates, weights, intercept, losses, errors);
}

/// Calls function(loss, targets) with the kind of loss as a constant and the targets in their own type.
template <class Function>
TALWEG_INLINE void withKind(const LinearModelPlan& plan, const void* targets, const Function& function) {
  const auto withLoss = [&](auto* typed) {
    if (plan.loss == RowLoss::squares) {
      function(std::integral_constant<RowLoss, RowLoss::squares>{}, typed);
    } else {
      function(std::integral_constant<RowLoss, RowLoss::logistic>{}, typed);
    }
  };
  if (plan.targetDType == DType::i32) return withLoss(static_cast<const int32_t*>(targets));
  withLoss(static_cast<const float*>(targets));
}

}  // namespace

void linearGradient(const LinearModelPlan& plan, const float* features, const void* targets, const float* weights,
                    float intercept, float* loss, float* weightGradient, float* interceptGradient, void* scratch) {
  const int64_t numChunks = numRowChunks(plan.rows), rowsEach = rowsInChunk(plan.rows), numSums = plan.width + 2;
  auto* sums = static_cast<double*>(scratch);
  withKind(plan, targets, [&](auto kind, auto* typed) {
    parallelFor(isWorthThreads(plan.rows * (plan.width + lanes)), numChunks, [&](int64_t chunk) {
      const int64_t begin = chunk * rowsEach;
      addRows<decltype(kind)::value>(plan, features, typed, weights, intercept, begin,
                                     smaller(plan.rows, begin + rowsEach), sums + chunk * numSums);
    });
  });
  joinChunks(numChunks, numSums, sums);
  for (int64_t i = 0; i < plan.width; i++) weightGradient[i] = static_cast<float>(sums[i]);
  *loss = static_cast<float>(sums[plan.width]);
  *interceptGradient = static_cast<float>(sums[plan.width + 1]);
}

void linearDescent(const LinearModelPlan& plan, const float* features, const void* targets, const int32_t* order,
                   const float* rates, const float* weights, float intercept, float* newWeights, float* newIntercept,
                   float* losses, void* scratch) {
  const int64_t padded = roundUp(plan.width, lanes);
  auto* current = static_cast<float*>(scratch);
  for (int64_t i = 0; i < padded; i++) current[i] = i < plan.width ? weights[i] : 0.0f;
  withKind(plan, targets, [&](auto kind, auto* typed) {
    using Target = std::remove_cv_t<std::remove_pointer_t<decltype(typed)>>;
    const ScatteredRows<Target> rows{plan, features, typed, order};
    for (int64_t index = 0; index < fetchedAhead; index++) rows.fetch(index);
    descend<decltype(kind)::value>(rows, rates, current, intercept, losses, current + padded);
  });
  std::memcpy(newWeights, current, static_cast<size_t>(plan.width) * sizeof(float));
  *newIntercept = intercept;
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
