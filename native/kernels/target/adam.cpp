// Adam's update in one pass, bound by memory: seven streams and one division and one square root for each number.
//
// What is the same for all numbers is divided once: the correction of the mean goes into the rate, that of the variance
// becomes a factor. So a result may differ from the decomposition's in its last bits.
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

struct Factors {
  float kept, step, spreadScale;
};

TALWEG_INLINE void updateVector(const AdamPlan& plan, const Factors& factors, const AdamOperands& in,
                                const AdamResults& out, int64_t i, int64_t n) {
  const F32 p = loadUpTo(in.parameter + i, n);
  const F32 g = fma(p, plan.coupledDecay, loadUpTo(in.gradient + i, n));
  const F32 m = fma(g, plan.oneMinusBeta1, loadUpTo(in.mean + i, n) * plan.beta1);
  const F32 v = fma(g * g, plan.oneMinusBeta2, loadUpTo(in.variance + i, n) * plan.beta2);
  const F32 direction = m / fma(sqrt(v), factors.spreadScale, plan.epsilon);
  storeUpTo(out.parameter + i, fma(direction, -factors.step, p * factors.kept), n);
  storeUpTo(out.mean + i, m, n);
  storeUpTo(out.variance + i, v, n);
}

void keep(const float* from, float* to, int64_t count) {
  if (from != to) std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}

constexpr int64_t blockElements = 4096;
constexpr int64_t stepsPerElement = 12;

}  // namespace

void adam(const AdamPlan& plan, const AdamOperands& in, const AdamResults& out) {
  const bool isFine = in.isFine == nullptr || *in.isFine != 0;
  const F32 root = sqrt(broadcast(*in.varianceCorrection));
  const Factors factors{*in.kept, *in.learningRate / *in.meanCorrection, 1.0f / root[0]};
  const int64_t numBlocks = ceilDiv(plan.count, blockElements);
  parallelFor(isWorthThreads(plan.count * stepsPerElement), numBlocks, [&](int64_t block) {
    const int64_t begin = block * blockElements, count = smaller(plan.count - begin, blockElements);
    if (isFine) {
      forEachVector(count, [&](int64_t i, int64_t n) { updateVector(plan, factors, in, out, begin + i, n); });
    } else {
      keep(in.parameter + begin, out.parameter + begin, count);
      keep(in.mean + begin, out.mean + begin, count);
      keep(in.variance + begin, out.variance + begin, count);
    }
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
