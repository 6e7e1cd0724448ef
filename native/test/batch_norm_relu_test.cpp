// Batch norm with ReLU and pooling, both ways, against loops over one channel at a time.
#include "support.h"

namespace talweg::test {
namespace {

struct Case {
  BatchNormReluPlan plan;
  std::string what;

  int64_t rows() const { return plan.bands * plan.windowHeight * plan.columns * plan.windowWidth; }
  int64_t windows() const { return plan.bands * plan.columns; }
  // Of the element `place` of a window, in row-major order of places.
  int64_t row(int64_t window, int64_t place) const {
    const int64_t band = window / plan.columns, column = window % plan.columns;
    const int64_t i = place / plan.windowWidth, k = place % plan.windowWidth;
    return ((band * plan.windowHeight + i) * plan.columns + column) * plan.windowWidth + k;
  }
};

Case randomCase(Random& random, int seed) {
  const auto dtype = [&] { return random.chance(0.3) ? DType::bf16 : DType::f32; };
  const bool isPooled = random.chance(0.7);
  Case c{{random.integer(1, 90), 1, random.integer(1, 40), 1, random.integer(1, 40)}, ""};
  if (isPooled) {
    c.plan.windowHeight = random.chance(0.5) ? 2 : random.integer(1, 3);
    c.plan.windowWidth = random.chance(0.5) ? 2 : random.integer(1, 3);
  }
  c.plan.inputDType = dtype();
  c.plan.outputDType = dtype();
  c.plan.gradientDType = dtype();
  c.plan.resultDType = dtype();
  c.what = std::to_string(seed) + ": " + std::to_string(c.plan.bands) + " bands of " + std::to_string(c.plan.columns) +
           " windows of " + std::to_string(c.plan.windowHeight) + " x " + std::to_string(c.plan.windowWidth) + ", " +
           std::to_string(c.plan.width) + " channels";
  return c;
}

// Quarters, so that a window often has several that are largest, and bf16 has them all.
void setQuarters(Buffer& buffer, Random& random) {
  for (int64_t i = 0; i < buffer.count(); i++) buffer.set(i, static_cast<double>(random.integer(-12, 12)) / 4);
}

struct Twin {
  std::vector<double> y, mean, variance, dx, dweight, dbias;
};

// Also sets dy to 0 where the largest is too near to 0 for its sign to be sure.
void addChannel(const Case& c, const Buffer& x, double weight, double bias, Buffer& dy, int64_t channel, Twin& twin) {
  const int64_t width = c.plan.width, rows = c.rows(), numPlaces = c.plan.windowHeight * c.plan.windowWidth;
  const auto at = [&](int64_t row) { return x.get(row * width + channel); };
  double mean = 0, variance = 0, dweight = 0, dbias = 0;
  for (int64_t row = 0; row < rows; row++) mean += at(row) / static_cast<double>(rows);
  for (int64_t row = 0; row < rows; row++) variance += (at(row) - mean) * (at(row) - mean) / static_cast<double>(rows);
  const double rstd = 1 / std::sqrt(variance + static_cast<double>(c.plan.epsilon));
  std::vector<double> gradient(rows, 0);
  for (int64_t window = 0; window < c.windows(); window++) {
    int64_t chosen = c.row(window, 0);
    for (int64_t place = 1; place < numPlaces; place++) {
      if (at(c.row(window, place)) * weight > at(chosen) * weight) chosen = c.row(window, place);
    }
    const double largest = (at(chosen) - mean) * rstd * weight + bias;
    const int64_t place = window * width + channel;
    twin.y[place] = largest > 0 ? largest : 0;
    if (std::fabs(largest) < 1e-3) dy.set(place, 0);
    if (largest > 0) gradient[chosen] = dy.get(place);
    dbias += gradient[chosen];
    dweight += gradient[chosen] * (at(chosen) - mean) * rstd;
  }
  for (int64_t row = 0; row < rows; row++) {
    const double normal = (at(row) - mean) * rstd, count = static_cast<double>(rows);
    twin.dx[row * width + channel] = weight * rstd * (gradient[row] - dbias / count - normal * dweight / count);
  }
  twin.mean[channel] = mean;
  twin.variance[channel] = variance;
  twin.dweight[channel] = dweight;
  twin.dbias[channel] = dbias;
}

void compare(Check& check, const Case& c, const Buffer& x, const Buffer& weight, const Buffer& bias, const Buffer& dy,
             const Twin& twin) {
  const BatchNormReluPlan& plan = c.plan;
  const auto floats = [](const Buffer& buffer) { return static_cast<const float*>(buffer.data()); };
  std::vector<std::vector<Buffer>> results;
  forEachTeam([&](int threads) {
    setThreads(threads);
    const size_t scratchBytes = static_cast<size_t>(batchNormReluScratchBytes(plan));
    std::vector<double> memory(scratchBytes / sizeof(double) + 8);
    void* scratch = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
    Buffer y(plan.outputDType, c.windows() * plan.width), dx(plan.resultDType, x.count());
    Buffer mean(DType::f32, plan.width), variance(DType::f32, plan.width);
    Buffer dweight(DType::f32, plan.width), dbias(DType::f32, plan.width);
    check.table.batchNormRelu(plan, x.data(), floats(weight), floats(bias), y.data(), mean.as<float>(),
                              variance.as<float>(), scratch);
    check.table.batchNormReluGradient(plan, dy.data(), x.data(), floats(weight), floats(bias), floats(mean),
                                      floats(variance), dx.data(), dweight.as<float>(), dbias.as<float>(), scratch);
    check.allNear(y, twin.y, 2e-5, 2e-5, "y of " + c.what);
    check.allNear(mean, twin.mean, 1e-6, 1e-6, "mean of " + c.what);
    check.allNear(variance, twin.variance, 1e-6, 1e-6, "variance of " + c.what);
    check.allNear(dx, twin.dx, 5e-4, 1e-4, "dx of " + c.what);
    check.allNear(dweight, twin.dweight, 1e-4, 1e-4, "dweight of " + c.what);
    check.allNear(dbias, twin.dbias, 1e-4, 1e-5, "dbias of " + c.what);
    check.that(y.isIntact() && dx.isIntact(), "something was written beyond a result of " + c.what);
    std::vector<Buffer> both;
    both.push_back(std::move(y));
    both.push_back(std::move(dx));
    results.push_back(std::move(both));
  });
  for (const std::vector<Buffer>& both : results) {
    const bool isSame = both[0].sameBits(results[0][0]) && both[1].sameBits(results[0][1]);
    check.that(isSame, "other bits with another team: " + c.what);
  }
}

void testBatchNormRelu(Check& check) {
  for (int seed = 0; seed < 60; seed++) {
    Random random(static_cast<uint64_t>(seed) + 4100);
    const Case c = randomCase(random, seed);
    const int64_t width = c.plan.width, count = c.windows() * width;
    Buffer x(c.plan.inputDType, c.rows() * width), dy(c.plan.gradientDType, count);
    Buffer weight(DType::f32, width), bias(DType::f32, width);
    setQuarters(x, random);
    setQuarters(dy, random);
    weight.randomize(random);
    bias.randomize(random);
    for (int64_t channel = 0; channel < width; channel += 5) weight.set(channel, 0);
    Twin twin{std::vector<double>(count),     std::vector<double>(width), std::vector<double>(width),
              std::vector<double>(x.count()), std::vector<double>(width), std::vector<double>(width)};
    for (int64_t channel = 0; channel < width; channel++) {
      addChannel(c, x, weight.get(channel), bias.get(channel), dy, channel, twin);
    }
    compare(check, c, x, weight, bias, dy, twin);
  }
}

const Registration batchNormRelu{"batchNormRelu", testBatchNormRelu};

}  // namespace
}  // namespace talweg::test
