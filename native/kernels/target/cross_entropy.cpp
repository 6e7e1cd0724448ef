// Cross-entropy of the softmax of logits, and its gradient, row by row.
//
// Logits may be far from 0, where a float's last digit is coarse: at 1e4 the log of the sum of exponentials, kept as one, is
// off by up to 5e-4, and so would be each probability. So the loss adds up differences from the largest logit, which are
// exact, and the gradient divides by the probabilities' own sum where the kept logarithm is too large to be fine enough.
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

bool isIgnored(const CrossEntropyPlan& plan, int32_t target) { return plan.hasIgnoredTarget && target == plan.ignoredTarget; }

template <class X>
void forwardRow(const CrossEntropyPlan& plan, const X* logits, int32_t target, float* loss, float* logSumExp) {
  F32 largest = broadcast(-infinity), sum = {}, allBelow = {};
  forEachVector(plan.classes,
                [&](int64_t i, int64_t count) { largest = maximum(largest, loadUpTo(logits + i, count, -infinity)); });
  float most = largest[0];
  for (int lane = 1; lane < lanes; lane++) most = (largest[lane] > most) | (largest[lane] != largest[lane]) ? largest[lane] : most;
  forEachVector(plan.classes, [&](int64_t i, int64_t count) {
    const F32 below = most - loadUpTo(logits + i, count, -infinity);
    sum += expFast(-below);
    allBelow += keepFirst(below, count);
  });
  const float logSum = log(broadcast(sumLanes(sum)))[0];
  *logSumExp = most + logSum;
  if (isIgnored(plan, target)) {
    *loss = 0;
  } else if (target < 0 || target >= plan.classes) {
    *loss = notANumber;
  } else {
    const float smoothing = plan.labelSmoothing;
    const float below = most - loadScalar(logits + target);
    const float belowOnAverage = sumLanes(allBelow) / static_cast<float>(plan.classes);
    *loss = smoothing == 0.0f ? logSum + below : logSum + (1.0f - smoothing) * below + smoothing * belowOnAverage;
  }
}

/// What exp(logit - logSumExp) is to be multiplied by for the row's sum to be 1.
template <class X>
TALWEG_INLINE float correction(const CrossEntropyPlan& plan, const X* logits, float logSumExp) {
  constexpr float fineBelow = 16;  // half a last digit of it is at most 5e-7
  if (!(logSumExp > fineBelow || logSumExp < -fineBelow)) return 1.0f;
  F32 sum = {};
  forEachVector(plan.classes, [&](int64_t i, int64_t count) { sum += expFast(loadUpTo(logits + i, count, -infinity) - logSumExp); });
  return 1.0f / sumLanes(sum);
}

template <class X, class R>
void backwardRow(const CrossEntropyPlan& plan, const X* logits, int32_t target, float logSumExp, float dloss, R* dlogits) {
  const bool isZero = isIgnored(plan, target);
  const bool isOutside = !isZero && (target < 0 || target >= plan.classes);
  const float scale = isZero ? 0.0f : (isOutside ? notANumber : dloss);
  const float spread = plan.labelSmoothing / static_cast<float>(plan.classes);
  const float share = correction(plan, logits, logSumExp);
  const I32 lane = laneIndex();
  forEachVector(plan.classes, [&](int64_t i, int64_t count) {
    const F32 probability = expFast(loadUpTo(logits + i, count) - logSumExp) * share;
    const I32 isTarget = lane == static_cast<int32_t>(target - i) - I32{};
    const F32 aim = isTarget ? broadcast(1.0f - plan.labelSmoothing) : F32{};
    const F32 result = isZero ? F32{} : (probability - aim - spread) * scale;
    storeUpTo(dlogits + i, result, count);
  });
  for (int64_t i = plan.classes; i < plan.gradientRowStride; i++) storeScalar(dlogits + i, 0.0f);
}

}  // namespace

void crossEntropy(const CrossEntropyPlan& plan, const void* logits, const int32_t* targets, float* losses, float* logSumExp) {
  withType(plan.logitsDType, [&](auto input) {
    const auto* x = static_cast<const decltype(input)*>(logits);
    parallelFor(isWorthThreads(plan.rows * plan.classes * 16), plan.rows, [&](int64_t row) {
      forwardRow(plan, x + row * plan.rowStride, targets[row], losses + row, logSumExp + row);
    });
  });
}

void crossEntropyGradient(const CrossEntropyPlan& plan, const void* logits, const int32_t* targets, const float* logSumExp,
                          const float* dlosses, int64_t dlossStride, void* dlogits) {
  withType(plan.logitsDType, [&](auto input) {
    withType(plan.gradientDType, [&](auto output) {
      const auto* x = static_cast<const decltype(input)*>(logits);
      auto* dx = static_cast<decltype(output)*>(dlogits);
      parallelFor(isWorthThreads(plan.rows * plan.classes * 16), plan.rows, [&](int64_t row) {
        backwardRow(plan, x + row * plan.rowStride, targets[row], logSumExp[row], dlosses[row * dlossStride],
                    dx + row * plan.gradientRowStride);
      });
    });
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
