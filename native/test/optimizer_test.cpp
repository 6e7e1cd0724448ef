// Adam against plain arithmetic in double precision: any count, in place or not, guarded or not.
#include <algorithm>

#include "support.h"

namespace talweg::test {
namespace {

void testAdam(Check& check) {
  for (int seed = 0; seed < 60; seed++) {
    Random random(seed);
    const int64_t count = random.size(30000, true);
    Buffer p(DType::f32, count), g(DType::f32, count), m(DType::f32, count), v(DType::f32, count), one(DType::f32, 4);
    for (Buffer* each : {&p, &g, &m}) each->randomize(random);
    v.randomize(random, 0, 2);
    if (count > 0 && random.chance(0.5)) {
      g.set(0, 0);
      m.set(0, 0);
      v.set(0, 0);
    }
    const double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, coupled = random.chance(0.5) ? 0.125 : 0;
    const double kept = random.chance(0.5) ? 0.99 : 1, rate = 0.01, c1 = 0.1, c2 = 0.0975;
    const double scalars[] = {kept, rate, c1, c2};
    for (int i = 0; i < 4; i++) one.set(i, scalars[i]);
    const uint8_t flag = random.chance(0.7), *isFine = random.chance(0.5) ? &flag : nullptr;
    const bool isKept = isFine != nullptr && flag == 0;
    std::vector<double> wantedP, wantedM, wantedV;
    for (int64_t i = 0; i < count; i++) {
      const double pulled = g.get(i) + coupled * p.get(i);
      const double mean = beta1 * m.get(i) + (1 - beta1) * pulled, variance = beta2 * v.get(i) + (1 - beta2) * pulled * pulled;
      const double next = kept * p.get(i) - rate * (mean / c1) / (std::sqrt(variance / c2) + epsilon);
      wantedP.push_back(isKept ? p.get(i) : next);
      wantedM.push_back(isKept ? m.get(i) : mean);
      wantedV.push_back(isKept ? v.get(i) : variance);
    }
    const bool isInPlace = random.chance(0.5);
    Buffer newP(DType::f32, count), newM(DType::f32, count), newV(DType::f32, count);
    Buffer &toP = isInPlace ? p : newP, &toM = isInPlace ? m : newM, &toV = isInPlace ? v : newV;
    const float* numbers = one.as<float>();
    const AdamPlan plan{count, static_cast<float>(beta1), static_cast<float>(1 - beta1), static_cast<float>(beta2),
                        static_cast<float>(1 - beta2), static_cast<float>(epsilon), static_cast<float>(coupled)};
    setThreads(1 + seed % 3);
    check.table.adam(plan, {p.as<float>(), g.as<float>(), m.as<float>(), v.as<float>(), numbers, numbers + 1, numbers + 2, numbers + 3, isFine},
                     {toP.as<float>(), toM.as<float>(), toV.as<float>()});
    check.allNear(toP, wantedP, 1e-6, 1e-6, "parameter");
    check.allNear(toM, wantedM, 1e-6, 1e-6, "mean");
    check.allNear(toV, wantedV, 1e-6, 1e-6, "variance");
    check.that(toP.isIntact() && toM.isIntact() && toV.isIntact(), "writes within its results");
  }
}

Registration adam{"adam", testAdam};

}  // namespace
}  // namespace talweg::test
