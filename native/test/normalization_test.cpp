// Softmax, norms, GELU and cross-entropy against double-precision twins; gradients against differences of the twins.
#include <algorithm>
#include <functional>

#include "support.h"

namespace talweg::test {
namespace {

using Row = std::vector<double>;

Row rowOf(const Buffer& buffer, int64_t row, int64_t width) {
  Row values;
  for (int64_t i = 0; i < width; i++) values.push_back(buffer.get(row * width + i));
  return values;
}
void append(std::vector<double>& to, const Row& row) { to.insert(to.end(), row.begin(), row.end()); }

/// Gradient of sum(dy * f(x)) by central differences in double precision: error about 1e-8.
Row differences(const std::function<Row(const Row&)>& f, Row x, const Row& dy) {
  Row gradient;
  for (double& element : x) {
    const double kept = element, step = 1e-5;
    double sums[2];
    for (int side = 0; side < 2; side++) {
      element = kept + (side ? step : -step);
      const Row y = f(x);
      sums[side] = 0;
      for (size_t i = 0; i < y.size(); i++) sums[side] += y[i] * dy[i];
    }
    element = kept;
    gradient.push_back((sums[1] - sums[0]) / (2 * step));
  }
  return gradient;
}

Row softmaxTwin(const Row& x) {
  double largest = -INFINITY, sum = 0;
  for (double v : x) largest = std::max(largest, v);
  Row y;
  for (double v : x) y.push_back(std::exp(v - largest));
  for (double v : y) sum += v;
  for (double& v : y) v /= sum;
  return y;
}

double meanOf(const Row& x) {
  double sum = 0;
  for (double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}
double varianceOf(const Row& x) {
  const double mean = meanOf(x);
  double sum = 0;
  for (double v : x) sum += (v - mean) * (v - mean);
  return sum / static_cast<double>(x.size());
}

/// What a row kernel is tried with.
struct RowCase {
  RowPlan plan;
  Buffer x, dy, weight, bias;
  bool hasWeight, hasBias;
  std::string what;
};

DType floatType(Random& random) { return random.chance(0.6) ? DType::f32 : DType::bf16; }

RowCase randomRows(int seed, int64_t mostRows, int64_t widest) {
  Random random(seed);
  RowPlan plan{};
  plan.rows = random.size(mostRows, true);
  plan.width = random.size(widest);
  plan.inputDType = floatType(random);
  plan.outputDType = floatType(random);
  plan.gradientDType = floatType(random);
  plan.resultDType = floatType(random);
  plan.epsilon = 1e-3f;
  RowCase c{plan, Buffer(plan.inputDType, plan.rows * plan.width), Buffer(plan.gradientDType, plan.rows * plan.width),
            Buffer(DType::f32, plan.width), Buffer(DType::f32, plan.width), random.chance(0.7), random.chance(0.7),
            "rows " + std::to_string(plan.rows) + " of " + std::to_string(plan.width)};
  c.x.randomize(random, -3, 3);
  c.dy.randomize(random, -1, 1);
  c.weight.randomize(random, 0.5, 1.5);
  c.bias.randomize(random);
  return c;
}

double weightAt(const RowCase& c, int64_t i) { return c.hasWeight ? c.weight.get(i) : 1; }
double biasAt(const RowCase& c, int64_t i) { return c.hasBias ? c.bias.get(i) : 0; }

std::vector<double> alignedScratch(const RowPlan& plan) { return std::vector<double>(static_cast<size_t>(normalizationScratchBytes(plan) / 8 + 8)); }
void* aligned(std::vector<double>& scratch) { return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64); }

void testSoftmax(Check& check) {
  for (int seed = 0; seed < 80; seed++) {
    RowCase c = randomRows(seed, 200, 300);
    std::vector<double> wanted, wantedLog, wantedGradient;
    for (int64_t r = 0; r < c.plan.rows; r++) {
      const Row x = rowOf(c.x, r, c.plan.width), y = softmaxTwin(x);
      append(wanted, y);
      for (double v : y) wantedLog.push_back(std::log(v));
    }
    Buffer y(c.plan.outputDType, c.x.count()), logs(c.plan.outputDType, c.x.count()), dx(c.plan.resultDType, c.x.count());
    setThreads(1 + seed % 2);
    check.table.softmax(c.plan, c.x.data(), y.data());
    check.table.logSoftmax(c.plan, c.x.data(), logs.data());
    check.table.softmaxGradient(c.plan, y.data(), c.dy.data(), dx.data());
    check.allNear(y, wanted, 1e-7, 2e-6, "softmax " + c.what);
    check.allNear(logs, wantedLog, 2e-6, 2e-6, "logSoftmax " + c.what);
    for (int64_t r = 0; r < c.plan.rows; r++) {  // of y as it was stored
      const Row stored = rowOf(y, r, c.plan.width), dy = rowOf(c.dy, r, c.plan.width);
      double sum = 0;
      for (size_t i = 0; i < stored.size(); i++) sum += stored[i] * dy[i];
      for (size_t i = 0; i < stored.size(); i++) wantedGradient.push_back(stored[i] * (dy[i] - sum));
      if (r == 0 && c.plan.outputDType == DType::f32) {
        const Row numeric = differences(softmaxTwin, rowOf(c.x, 0, c.plan.width), dy);
        for (size_t i = 0; i < numeric.size(); i++) check.near(wantedGradient[i], numeric[i], 2e-6, 1e-4, "the twin of softmaxGradient");
      }
    }
    check.allNear(dx, wantedGradient, 2e-6, 2e-6, "softmaxGradient " + c.what);
  }
}

void testLayerNorm(Check& check) {
  for (int seed = 0; seed < 80; seed++) {
    RowCase c = randomRows(seed, 300, 200);
    const int64_t width = c.plan.width, count = c.x.count();
    const auto forward = [&](const Row& x) {
      const double mean = meanOf(x), rstd = 1 / std::sqrt(varianceOf(x) + c.plan.epsilon);
      Row y;
      for (int64_t i = 0; i < width; i++) y.push_back((x[i] - mean) * rstd * weightAt(c, i) + biasAt(c, i));
      return y;
    };
    std::vector<double> wanted, means, rstds, wantedDx, wantedDw(width, 0), wantedDb(width, 0);
    for (int64_t r = 0; r < c.plan.rows; r++) {
      const Row x = rowOf(c.x, r, width), dy = rowOf(c.dy, r, width);
      append(wanted, forward(x));
      means.push_back(meanOf(x));
      rstds.push_back(1 / std::sqrt(varianceOf(x) + c.plan.epsilon));
      if (r < 8) append(wantedDx, differences(forward, x, dy));
      for (int64_t i = 0; i < width; i++) {
        wantedDw[i] += dy[i] * (x[i] - means.back()) * rstds.back();
        wantedDb[i] += dy[i];
      }
    }
    const float* weight = c.hasWeight ? c.weight.as<float>() : nullptr;
    const float* bias = c.hasBias ? c.bias.as<float>() : nullptr;
    std::vector<Buffer> gradients;
    forEachTeam([&](int threads) {
      setThreads(threads);
      Buffer y(c.plan.outputDType, count), mean(DType::f32, c.plan.rows), rstd(DType::f32, c.plan.rows);
      Buffer dx(c.plan.resultDType, count), dw(DType::f32, width), db(DType::f32, width);
      std::vector<double> scratch = alignedScratch(c.plan);
      check.table.layerNorm(c.plan, c.x.data(), weight, bias, y.data(), mean.as<float>(), rstd.as<float>());
      check.table.layerNormGradient(c.plan, c.x.data(), weight, mean.as<float>(), rstd.as<float>(), c.dy.data(), dx.data(), dw.as<float>(), db.as<float>(), aligned(scratch));
      check.allNear(y, wanted, 1e-5, 1e-5, "layerNorm " + c.what);
      check.allNear(mean, means, 1e-6, 1e-5, "layerNorm mean " + c.what);
      check.allNear(rstd, rstds, 1e-5, 1e-5, "layerNorm rstd " + c.what);
      Buffer first(c.plan.resultDType, static_cast<int64_t>(wantedDx.size()));
      for (int64_t i = 0; i < first.count(); i++) first.set(i, dx.get(i));
      check.that(dx.isIntact(), "layerNormGradient wrote beyond dx");
      check.allNear(first, wantedDx, 2e-4, 1e-4, "layerNormGradient dx " + c.what);
      check.allNear(dw, wantedDw, 1e-4, 1e-5, "layerNormGradient dweight " + c.what);
      check.allNear(db, wantedDb, 1e-4, 1e-5, "layerNormGradient dbias " + c.what);
      gradients.push_back(std::move(dw));
    });
    for (const Buffer& g : gradients) check.that(g.sameBits(gradients[0]), "layerNormGradient: other bits with another team");
  }
}

void testRmsNorm(Check& check) {
  for (int seed = 0; seed < 60; seed++) {
    RowCase c = randomRows(seed, 300, 200);
    const int64_t width = c.plan.width, count = c.x.count();
    const auto rstdOf = [&](const Row& x) {
      double squares = 0;
      for (double v : x) squares += v * v;
      return 1 / std::sqrt(squares / static_cast<double>(width) + c.plan.epsilon);
    };
    const auto forward = [&](const Row& x) {
      Row y;
      for (int64_t i = 0; i < width; i++) y.push_back(x[i] * rstdOf(x) * weightAt(c, i));
      return y;
    };
    std::vector<double> wanted, rstds, wantedDx, wantedDw(width, 0);
    for (int64_t r = 0; r < c.plan.rows; r++) {
      const Row x = rowOf(c.x, r, width), dy = rowOf(c.dy, r, width);
      append(wanted, forward(x));
      rstds.push_back(rstdOf(x));
      if (r < 4) append(wantedDx, differences(forward, x, dy));
      for (int64_t i = 0; i < width; i++) wantedDw[i] += dy[i] * x[i] * rstds.back();
    }
    const float* weight = c.hasWeight ? c.weight.as<float>() : nullptr;
    setThreads(1 + seed % 3);
    Buffer y(c.plan.outputDType, count), rstd(DType::f32, c.plan.rows), dx(c.plan.resultDType, count), dw(DType::f32, width);
    std::vector<double> scratch = alignedScratch(c.plan);
    check.table.rmsNorm(c.plan, c.x.data(), weight, y.data(), rstd.as<float>());
    check.table.rmsNormGradient(c.plan, c.x.data(), weight, rstd.as<float>(), c.dy.data(), dx.data(), dw.as<float>(), aligned(scratch));
    check.allNear(y, wanted, 1e-5, 1e-5, "rmsNorm " + c.what);
    check.allNear(rstd, rstds, 1e-5, 1e-5, "rmsNorm rstd " + c.what);
    Buffer first(c.plan.resultDType, static_cast<int64_t>(wantedDx.size()));
    for (int64_t i = 0; i < first.count(); i++) first.set(i, dx.get(i));
    check.allNear(first, wantedDx, 2e-4, 1e-4, "rmsNormGradient dx " + c.what);
    check.allNear(dw, wantedDw, 1e-4, 1e-5, "rmsNormGradient dweight " + c.what);
  }
}

void testBatchNorm(Check& check) {
  for (int seed = 0; seed < 60; seed++) {
    RowCase c = randomRows(seed, 150, 70);
    if (c.plan.rows == 0) continue;
    const int64_t rows = c.plan.rows, channels = c.plan.width;
    std::vector<double> wanted(c.x.count()), means, variances, rstds, wantedDx(c.x.count()), wantedDw, wantedDb;
    for (int64_t channel = 0; channel < channels; channel++) {
      Row x, dy;
      for (int64_t r = 0; r < rows; r++) {
        x.push_back(c.x.get(r * channels + channel));
        dy.push_back(c.dy.get(r * channels + channel));
      }
      const auto forward = [&](const Row& values) {
        const double mean = meanOf(values), rstd = 1 / std::sqrt(varianceOf(values) + c.plan.epsilon);
        Row y;
        for (double v : values) y.push_back((v - mean) * rstd * weightAt(c, channel) + biasAt(c, channel));
        return y;
      };
      means.push_back(meanOf(x));
      variances.push_back(varianceOf(x));
      rstds.push_back(1 / std::sqrt(variances.back() + c.plan.epsilon));
      const Row y = forward(x), dx = differences(forward, x, dy);
      double dw = 0, db = 0;
      for (int64_t r = 0; r < rows; r++) {
        wanted[r * channels + channel] = y[r];
        wantedDx[r * channels + channel] = dx[r];
        dw += dy[r] * (x[r] - means.back()) * rstds.back();
        db += dy[r];
      }
      wantedDw.push_back(dw);
      wantedDb.push_back(db);
    }
    const float* weight = c.hasWeight ? c.weight.as<float>() : nullptr;
    const float* bias = c.hasBias ? c.bias.as<float>() : nullptr;
    std::vector<Buffer> results;
    forEachTeam([&](int threads) {
      setThreads(threads);
      Buffer y(c.plan.outputDType, c.x.count()), mean(DType::f32, channels), variance(DType::f32, channels), rstd(DType::f32, channels);
      Buffer dx(c.plan.resultDType, c.x.count()), dw(DType::f32, channels), db(DType::f32, channels);
      std::vector<double> scratch = alignedScratch(c.plan);
      check.table.batchNorm(c.plan, c.x.data(), weight, bias, y.data(), mean.as<float>(), variance.as<float>(), rstd.as<float>(), aligned(scratch));
      check.table.batchNormGradient(c.plan, c.x.data(), weight, mean.as<float>(), rstd.as<float>(), c.dy.data(), dx.data(), dw.as<float>(), db.as<float>(), aligned(scratch));
      check.allNear(y, wanted, 2e-5, 2e-5, "batchNorm " + c.what);
      check.allNear(mean, means, 1e-6, 1e-5, "batchNorm mean " + c.what);
      check.allNear(variance, variances, 1e-6, 1e-5, "batchNorm variance " + c.what);
      check.allNear(dx, wantedDx, 5e-4, 1e-4, "batchNormGradient dx " + c.what);
      check.allNear(dw, wantedDw, 1e-4, 1e-4, "batchNormGradient dweight " + c.what);
      check.allNear(db, wantedDb, 1e-4, 1e-5, "batchNormGradient dbias " + c.what);
      results.push_back(std::move(y));
    });
    for (const Buffer& y : results) check.that(y.sameBits(results[0]), "batchNorm: other bits with another team");
  }
}

double geluTwin(Gelu form, double x) {
  if (form == Gelu::erf) return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

void testGelu(Check& check) {
  for (const Gelu form : {Gelu::tanh, Gelu::erf}) {
    for (int seed = 0; seed < 20; seed++) {
      Random random(seed);
      const int64_t count = random.size(20000, true);
      Buffer x(floatType(random), count), dy(floatType(random), count), y(floatType(random), count), dx(floatType(random), count);
      x.randomize(random, -9, 9);
      dy.randomize(random);
      if (count > 3) {
        x.set(0, 300);
        x.set(1, -300);
        x.set(2, 0);
      }
      std::vector<double> wanted, wantedDx;
      for (int64_t i = 0; i < count; i++) {
        const double v = x.get(i), step = 1e-5;
        wanted.push_back(geluTwin(form, v));
        wantedDx.push_back(dy.get(i) * (geluTwin(form, v + step) - geluTwin(form, v - step)) / (2 * step));
      }
      setThreads(1 + seed % 2);
      check.table.gelu(form, count, x.dtype(), x.data(), y.dtype(), y.data());
      check.table.geluGradient(form, count, x.dtype(), x.data(), dy.dtype(), dy.data(), dx.dtype(), dx.data());
      check.allNear(y, wanted, 1e-6, 1e-6, "gelu");
      check.allNear(dx, wantedDx, 3e-6, 3e-6, "geluGradient");
    }
  }
}

void testCrossEntropy(Check& check) {
  for (int seed = 0; seed < 80; seed++) {
    Random random(seed);
    CrossEntropyPlan plan{};
    plan.rows = random.size(60, true);
    plan.classes = random.size(300);
    plan.rowStride = plan.classes + (random.chance(0.5) ? random.integer(0, 20) : 0);
    plan.gradientRowStride = plan.classes + (random.chance(0.5) ? random.integer(0, 20) : 0);
    plan.logitsDType = floatType(random);
    plan.gradientDType = floatType(random);
    plan.labelSmoothing = random.chance(0.5) ? 0.1f : 0;
    plan.hasIgnoredTarget = random.chance(0.5);
    plan.ignoredTarget = -100;
    Buffer logits(plan.logitsDType, plan.rows * plan.rowStride), targets(DType::i32, plan.rows), dlosses(DType::f32, plan.rows);
    logits.randomize(random, -4, 4);
    dlosses.randomize(random);
    const bool isOneGradient = random.chance(0.4);
    std::vector<double> losses, sums, gradient;
    for (int64_t r = 0; r < plan.rows; r++) {
      const bool isIgnored = plan.hasIgnoredTarget && random.chance(0.3);
      const int64_t target = isIgnored ? plan.ignoredTarget : random.integer(0, plan.classes - 1);
      targets.set(r, static_cast<double>(target));
      Row x;
      for (int64_t i = 0; i < plan.classes; i++) x.push_back(logits.get(r * plan.rowStride + i));
      const auto logSum = [](const Row& values) {
        const double largest = *std::max_element(values.begin(), values.end());
        double sum = 0;
        for (double v : values) sum += std::exp(v - largest);
        return largest + std::log(sum);
      };
      const auto loss = [&](const Row& values) {
        if (isIgnored) return Row{0};
        double all = 0;
        for (double v : values) all += v;
        return Row{logSum(values) - (1 - plan.labelSmoothing) * values[target] - plan.labelSmoothing / static_cast<double>(plan.classes) * all};
      };
      losses.push_back(loss(x)[0]);
      sums.push_back(logSum(x));
      append(gradient, differences(loss, x, {dlosses.get(isOneGradient ? 0 : r)}));
      for (int64_t i = plan.classes; i < plan.gradientRowStride; i++) gradient.push_back(0);
    }
    forEachTeam([&](int threads) {
      setThreads(threads);
      Buffer gotLosses(DType::f32, plan.rows), gotSums(DType::f32, plan.rows), dlogits(plan.gradientDType, plan.rows * plan.gradientRowStride);
      dlogits.fill(5);
      check.table.crossEntropy(plan, logits.data(), targets.as<int32_t>(), gotLosses.as<float>(), gotSums.as<float>());
      check.table.crossEntropyGradient(plan, logits.data(), targets.as<int32_t>(), gotSums.as<float>(), dlosses.as<float>(), isOneGradient ? 0 : 1, dlogits.data());
      check.allNear(gotLosses, losses, 3e-6, 3e-6, "crossEntropy");
      check.allNear(gotSums, sums, 1e-6, 2e-6, "crossEntropy logSumExp");
      check.allNear(dlogits, gradient, 1e-6, 1e-5, "crossEntropyGradient");
    });
  }
  // A target out of range is a NaN, not a read of something else.
  CrossEntropyPlan plan{};
  plan.rows = 1;
  plan.classes = plan.rowStride = plan.gradientRowStride = 3;
  Buffer logits(DType::f32, 3), targets(DType::i32, 1), loss(DType::f32, 1), sum(DType::f32, 1);
  targets.set(0, 3);
  check.table.crossEntropy(plan, logits.data(), targets.as<int32_t>(), loss.as<float>(), sum.as<float>());
  check.that(std::isnan(loss.get(0)), "a target out of range gives NaN");
}

const Registration softmax{"softmax", testSoftmax}, layerNorm{"layerNorm", testLayerNorm}, rmsNorm{"rmsNorm", testRmsNorm},
    batchNorm{"batchNorm", testBatchNorm}, gelu{"gelu", testGelu}, crossEntropy{"crossEntropy", testCrossEntropy};

}  // namespace
}  // namespace talweg::test
