// Cross-entropy of the softmax of logits, and its gradient, row by row.
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

bool isIgnored(const CrossEntropyPlan& plan, int32_t target) { return plan.hasIgnoredTarget && target == plan.ignoredTarget; }

template <class X>
void forwardRow(const CrossEntropyPlan& plan, const X* logits, int32_t target, float* loss, float* logSumExp) {
  F32 largest = broadcast(-infinity), all = {}, sum = {};
  forEachVector(plan.classes, [&](int64_t i, int64_t count) {
    largest = maximum(largest, loadUpTo(logits + i, count, -infinity));
    all += loadUpTo(logits + i, count);
  });
  float most = largest[0];
  for (int lane = 1; lane < lanes; lane++) most = (largest[lane] > most) | (largest[lane] != largest[lane]) ? largest[lane] : most;
  forEachVector(plan.classes, [&](int64_t i, int64_t count) { sum += expFast(loadUpTo(logits + i, count, -infinity) - most); });
  const float total = most + log(broadcast(sumLanes(sum)))[0];
  *logSumExp = total;
  if (isIgnored(plan, target)) {
    *loss = 0;
  } else if (target < 0 || target >= plan.classes) {
    *loss = notANumber;
  } else {
    const float smoothing = plan.labelSmoothing;
    const float aim = (1.0f - smoothing) * loadScalar(logits + target);
    *loss = smoothing == 0.0f ? total - aim : total - aim - smoothing * (sumLanes(all) / static_cast<float>(plan.classes));
  }
}

template <class X, class R>
void backwardRow(const CrossEntropyPlan& plan, const X* logits, int32_t target, float logSumExp, float dloss, R* dlogits) {
  const bool isZero = isIgnored(plan, target);
  const bool isOutside = !isZero && (target < 0 || target >= plan.classes);
  const float scale = isZero ? 0.0f : (isOutside ? notANumber : dloss);
  const float spread = plan.labelSmoothing / static_cast<float>(plan.classes);
  const I32 lane = laneIndex();
  forEachVector(plan.classes, [&](int64_t i, int64_t count) {
    const F32 probability = expFast(loadUpTo(logits + i, count) - logSumExp);
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
