// Rows whose values are far from 0 and near each other: layer norm, cross-entropy and log-softmax are as exact there as
// elsewhere, although a mean or a log of a sum is kept as one float.
#include <algorithm>

#include "support.h"

namespace talweg::test {
namespace {

Buffer farRows(Random& random, int64_t count, double centre, double reach) {
  Buffer x(DType::f32, count);
  x.randomize(random, centre - reach, centre + reach);
  return x;
}

struct Statistics {
  double mean = 0, rstd = 0;
};

Statistics statisticsOf(const Buffer& x, int64_t row, int64_t width, double epsilon) {
  Statistics s;
  for (int64_t i = 0; i < width; i++) s.mean += x.get(row * width + i) / static_cast<double>(width);
  double variance = 0;
  for (int64_t i = 0; i < width; i++) {
    const double centred = x.get(row * width + i) - s.mean;
    variance += centred * centred / static_cast<double>(width);
  }
  s.rstd = 1 / std::sqrt(variance + epsilon);
  return s;
}

void testLayerNorm(Check& check) {
  for (double centre : {-4000.0, 30.0, 2000.0}) {
    Random random(7);
    RowPlan plan{};
    plan.rows = 130;
    plan.width = 377;
    plan.inputDType = plan.outputDType = plan.gradientDType = plan.resultDType = DType::f32;
    plan.epsilon = 1e-5f;
    const int64_t width = plan.width, count = plan.rows * width;
    Buffer x = farRows(random, count, centre, 1.7), dy(DType::f32, count);
    dy.randomize(random, -1, 1);
    std::vector<double> y, dx, dweight(width, 0), dbias(width, 0);
    for (int64_t row = 0; row < plan.rows; row++) {
      const Statistics s = statisticsOf(x, row, width, plan.epsilon);
      double meanOfDy = 0, along = 0;
      for (int64_t i = row * width; i < (row + 1) * width; i++) {
        const double normal = (x.get(i) - s.mean) * s.rstd;
        y.push_back(normal);
        dweight[i - row * width] += dy.get(i) * normal;
        dbias[i - row * width] += dy.get(i);
        meanOfDy += dy.get(i) / static_cast<double>(width);
        along += dy.get(i) * normal / static_cast<double>(width);
      }
      for (int64_t i = row * width; i < (row + 1) * width; i++) dx.push_back(s.rstd * (dy.get(i) - meanOfDy - y[i] * along));
    }
    Buffer gotY(DType::f32, count), mean(DType::f32, plan.rows), rstd(DType::f32, plan.rows), gotDx(DType::f32, count),
        gotDw(DType::f32, width), gotDb(DType::f32, width);
    std::vector<double> scratch(static_cast<size_t>(normalizationScratchBytes(plan)) / sizeof(double));
    check.table.layerNorm(plan, x.data(), nullptr, nullptr, gotY.data(), mean.as<float>(), rstd.as<float>());
    check.table.layerNormGradient(plan, x.data(), nullptr, mean.as<float>(), rstd.as<float>(), dy.data(), gotDx.data(),
                                  gotDw.as<float>(), gotDb.as<float>(), scratch.data());
    const std::string what = " of rows around " + std::to_string(centre);
    check.allNear(gotY, y, 1e-6, 1e-6, "layerNorm" + what);
    check.allNear(gotDx, dx, 1e-6, 1e-6, "layerNormGradient" + what);
    check.allNear(gotDw, dweight, 4e-6, 1e-6, "layerNormGradient's weight" + what);
    check.allNear(gotDb, dbias, 4e-6, 1e-6, "layerNormGradient's bias" + what);
  }
}

void testCrossEntropy(Check& check) {
  for (double centre : {-1e4, 20.0, 1e4}) {
    for (float smoothing : {0.0f, 0.1f}) {
      Random random(9);
      CrossEntropyPlan plan{};
      plan.rows = 20;
      plan.classes = plan.rowStride = plan.gradientRowStride = 1001;
      plan.labelSmoothing = smoothing;
      plan.logitsDType = plan.gradientDType = DType::f32;
      const int64_t classes = plan.classes, count = plan.rows * classes;
      Buffer logits = farRows(random, count, centre, 6), targets(DType::i32, plan.rows), dlosses(DType::f32, plan.rows);
      dlosses.fill(1);
      std::vector<double> losses, gradient, logs;
      for (int64_t row = 0; row < plan.rows; row++) {
        const int64_t target = row * 37 % classes;
        targets.set(row, static_cast<double>(target));
        double sum = 0;
        for (int64_t i = 0; i < classes; i++) sum += std::exp(logits.get(row * classes + i) - centre);
        double loss = 0;
        for (int64_t i = 0; i < classes; i++) {
          const double logProbability = logits.get(row * classes + i) - centre - std::log(sum);
          const double aim = (i == target ? 1 - static_cast<double>(smoothing) : 0) + static_cast<double>(smoothing) / static_cast<double>(classes);
          loss -= aim * logProbability;
          logs.push_back(logProbability);
          gradient.push_back(std::exp(logProbability) - aim);
        }
        losses.push_back(loss);
      }
      Buffer gotLosses(DType::f32, plan.rows), sums(DType::f32, plan.rows), got(DType::f32, count), gotLogs(DType::f32, count);
      check.table.crossEntropy(plan, logits.data(), targets.as<int32_t>(), gotLosses.as<float>(), sums.as<float>());
      check.table.crossEntropyGradient(plan, logits.data(), targets.as<int32_t>(), sums.as<float>(), dlosses.as<float>(), 1, got.data());
      RowPlan rows{};
      rows.rows = plan.rows;
      rows.width = classes;
      rows.inputDType = rows.outputDType = DType::f32;
      check.table.logSoftmax(rows, logits.data(), gotLogs.data());
      const std::string what = " of logits around " + std::to_string(centre);
      check.allNear(gotLosses, losses, 1e-6, 1e-6, "crossEntropy" + what);
      check.allNear(got, gradient, 2e-8, 1e-6, "crossEntropyGradient" + what);
      check.allNear(gotLogs, logs, 1e-6, 1e-6, "logSoftmax" + what);
    }
  }
}

const Registration layerNorm{"far layerNorm", testLayerNorm}, crossEntropy{"far crossEntropy", testCrossEntropy};

}  // namespace
}  // namespace talweg::test
