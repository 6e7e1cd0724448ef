// Attention against its definition in double precision: masks, causality, grouped heads, strides, odd sizes; gradients
// against the derivative written out, which is itself compared with differences.
#include <algorithm>

#include "support.h"

namespace talweg::test {
namespace {

/// An operand [batch, positions, heads, size] as a part of a wider row, so that its strides aren't dense.
struct Operand {
  int64_t positions, heads, size, gap, before;
  AttentionStrides strides;
  Buffer buffer;

  Operand(DType dtype, int64_t batch, int64_t positions_, int64_t heads_, int64_t size_, Random& random)
      : positions(positions_), heads(heads_), size(size_), gap(random.chance(0.5) ? random.integer(0, 40) : 0), before(gap / 2),
        strides{positions_ * (heads_ * size_ + gap), heads_ * size_ + gap, size_},
        buffer(dtype, batch * positions_ * (heads_ * size_ + gap)) {}

  int64_t at(int64_t b, int64_t t, int64_t h, int64_t d) const { return before + b * strides.batch + t * strides.position + h * strides.head + d; }
  double get(int64_t b, int64_t t, int64_t h, int64_t d) const { return buffer.get(at(b, t, h, d)); }
  void* data() { return static_cast<char*>(buffer.data()) + before * elementSize(buffer.dtype()); }
};

struct AttentionCase {
  AttentionPlan plan{};
  Operand q, k, v, out, dout, dq, dk, dv;
  Buffer mask, sums;
  std::string what;
};

AttentionCase randomCase(int seed) {
  Random random(seed);
  AttentionPlan plan{};
  plan.dtype = seed % 3 == 0 ? DType::bf16 : DType::f32;
  plan.batch = random.integer(seed % 17 == 0 ? 0 : 1, 2);
  plan.queries = random.size(150);
  plan.keys = random.chance(0.6) ? plan.queries : random.size(150, true);
  if (seed % 20 == 7) plan.keys = 700;
  plan.keyHeads = random.integer(1, 2);
  plan.heads = plan.keyHeads * random.integer(1, 3);
  const int64_t sizes[] = {1, 3, 8, 16, 32, 33, 64, 80, 128};
  plan.headSize = sizes[random.integer(0, 8)];
  plan.scale = 1 / std::sqrt(static_cast<float>(plan.headSize));
  plan.isCausal = random.chance(0.5);
  plan.causalOffset = random.chance(0.5) ? 0 : plan.keys - plan.queries;
  plan.mask = random.chance(0.6) ? AttentionMask::none : random.chance(0.5) ? AttentionMask::boolean : AttentionMask::additive;
  plan.numThreads = 3;
  const int64_t maskSizes[4] = {random.chance(0.5) ? 1 : plan.batch, random.chance(0.5) ? 1 : plan.heads, random.chance(0.3) ? 1 : plan.queries, plan.keys};
  int64_t stride = 1;
  for (int dim = 3; dim >= 0; dim--) {
    plan.maskStrides[dim] = maskSizes[dim] == 1 && dim < 3 ? 0 : stride;
    stride *= maskSizes[dim];
  }
  const auto operand = [&](int64_t positions, int64_t heads) { return Operand(plan.dtype, plan.batch, positions, heads, plan.headSize, random); };
  AttentionCase c{plan, operand(plan.queries, plan.heads), operand(plan.keys, plan.keyHeads), operand(plan.keys, plan.keyHeads),
                  operand(plan.queries, plan.heads), operand(plan.queries, plan.heads), operand(plan.queries, plan.heads),
                  operand(plan.keys, plan.keyHeads), operand(plan.keys, plan.keyHeads),
                  Buffer(plan.mask == AttentionMask::boolean ? DType::boolean : DType::f32, stride),
                  Buffer(DType::f32, plan.batch * plan.heads * plan.queries), ""};
  for (Operand* o : {&c.q, &c.k, &c.v, &c.dout}) o->buffer.randomize(random, -1.5, 1.5);
  for (Operand* o : {&c.out, &c.dq, &c.dk, &c.dv}) o->buffer.fill(7);
  c.mask.randomize(random);
  if (plan.mask == AttentionMask::boolean && random.chance(0.3)) {  // some queries see nothing
    for (int64_t j = 0; j < plan.keys && j < c.mask.count(); j++) c.mask.set(j, 0);
  }
  AttentionPlan& p = c.plan;
  p.q = c.q.strides; p.k = c.k.strides; p.v = c.v.strides; p.out = c.out.strides;
  p.dout = c.dout.strides; p.dq = c.dq.strides; p.dk = c.dk.strides; p.dv = c.dv.strides;
  c.what = std::string("attention ") + nameOf(p.dtype) + " B" + std::to_string(p.batch) + " T" + std::to_string(p.queries) + " S" + std::to_string(p.keys) +
           " H" + std::to_string(p.heads) + "/" + std::to_string(p.keyHeads) + " D" + std::to_string(p.headSize) + (p.isCausal ? " causal" : "") +
           " mask " + std::to_string(static_cast<int>(p.mask));
  return c;
}

/// Scores of one query; -infinity where it may not look.
std::vector<double> scoresOf(const AttentionCase& c, int64_t b, int64_t h, int64_t i) {
  const AttentionPlan& p = c.plan;
  std::vector<double> scores;
  for (int64_t j = 0; j < p.keys; j++) {
    double sum = 0;
    for (int64_t d = 0; d < p.headSize; d++) sum += c.q.get(b, i, h, d) * c.k.get(b, j, h / (p.heads / p.keyHeads), d);
    sum *= p.scale;
    const int64_t at = b * p.maskStrides[0] + h * p.maskStrides[1] + i * p.maskStrides[2] + j * p.maskStrides[3];
    if (p.mask == AttentionMask::additive) sum += c.mask.get(at);
    if (p.mask == AttentionMask::boolean && c.mask.get(at) == 0) sum = -INFINITY;
    if (p.isCausal && j > i + p.causalOffset) sum = -INFINITY;
    scores.push_back(sum);
  }
  return scores;
}

/// Probabilities, and log of the sum of exponentials.
std::vector<double> probabilities(std::vector<double> scores, double& logSum) {
  double largest = -INFINITY, sum = 0;
  for (double s : scores) largest = std::max(largest, s);
  for (double& s : scores) {
    s = largest == -INFINITY ? 0 : std::exp(s - largest);
    sum += s;
  }
  for (double& s : scores) s = sum > 0 ? s / sum : 0;
  logSum = largest + std::log(sum);
  if (sum == 0) logSum = -INFINITY;
  return scores;
}

struct Wanted {
  std::vector<double> out, sums, dq, dk, dv;
};

/// Everything by the definition. Gradients go into buffers of the operands' own layout, untouched gaps holding 7.
Wanted twin(const AttentionCase& c) {
  const AttentionPlan& p = c.plan;
  Wanted w{std::vector<double>(c.out.buffer.count(), 7), {}, std::vector<double>(c.dq.buffer.count(), 7),
           std::vector<double>(c.dk.buffer.count(), 7), std::vector<double>(c.dv.buffer.count(), 7)};
  for (int64_t b = 0; b < p.batch; b++) {
    for (int64_t j = 0; j < p.keys; j++) {
      for (int64_t h = 0; h < p.keyHeads; h++) {
        for (int64_t d = 0; d < p.headSize; d++) w.dk[c.dk.at(b, j, h, d)] = w.dv[c.dv.at(b, j, h, d)] = 0;
      }
    }
    for (int64_t h = 0; h < p.heads; h++) {
      const int64_t kh = h / (p.heads / p.keyHeads);
      for (int64_t i = 0; i < p.queries; i++) {
        double logSum;
        const std::vector<double> prob = probabilities(scoresOf(c, b, h, i), logSum);
        w.sums.push_back(logSum);
        double along = 0;
        for (int64_t d = 0; d < p.headSize; d++) {
          double sum = 0;
          for (int64_t j = 0; j < p.keys; j++) sum += prob[j] * c.v.get(b, j, kh, d);
          w.out[c.out.at(b, i, h, d)] = sum;
          w.dq[c.dq.at(b, i, h, d)] = 0;
          along += sum * c.dout.get(b, i, h, d);
        }
        for (int64_t j = 0; j < p.keys; j++) {
          if (prob[j] == 0) continue;
          double dp = 0;
          for (int64_t d = 0; d < p.headSize; d++) dp += c.dout.get(b, i, h, d) * c.v.get(b, j, kh, d);
          const double ds = prob[j] * (dp - along) * p.scale;
          for (int64_t d = 0; d < p.headSize; d++) {
            w.dq[c.dq.at(b, i, h, d)] += ds * c.k.get(b, j, kh, d);
            w.dk[c.dk.at(b, j, kh, d)] += ds * c.q.get(b, i, h, d);
            w.dv[c.dv.at(b, j, kh, d)] += prob[j] * c.dout.get(b, i, h, d);
          }
        }
      }
    }
  }
  return w;
}

/// Largest error relative to the largest element: what a sum of many terms of both signs can promise in bf16.
void checkOverall(Check& check, const Buffer& got, const std::vector<double>& wanted, double tolerance, const std::string& what) {
  check.that(got.isIntact(), what + ": wrote beyond its result");
  double scale = 0.5, worst = 0;
  for (size_t i = 0; i < wanted.size(); i++) {
    if (wanted[i] != 7) scale = std::max(scale, std::fabs(wanted[i]));
  }
  for (size_t i = 0; i < wanted.size(); i++) {
    const double error = std::fabs(got.get(static_cast<int64_t>(i)) - wanted[i]);
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  check.that(worst <= tolerance * scale, what + ": error " + std::to_string(worst) + " of " + std::to_string(scale));
}

void testAttention(Check& check) {
  for (int seed = 0; seed < 90; seed++) {
    AttentionCase c = randomCase(seed);
    const Wanted wanted = twin(c);
    std::vector<Buffer> outs, keyGradients;
    const int64_t scratchBytes = std::max(attentionScratchBytes(c.plan), attentionGradientScratchBytes(c.plan));
    forEachTeam([&](int threads) {
      AttentionPlan plan = c.plan;
      plan.numThreads = threads;
      setThreads(threads);
      Buffer scratch(DType::f32, std::max(attentionScratchBytes(plan), attentionGradientScratchBytes(plan)) / 4 + 16);
      check.that(scratch.count() * 4 <= scratchBytes + 64, "scratch grows with the team");
      float* aligned = reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
      for (int64_t i = 0; i < scratch.count(); i++) scratch.as<float>()[i] = NAN;  // what nobody wrote must not be read
      const void* mask = plan.mask == AttentionMask::none ? nullptr : c.mask.data();
      check.table.attention(plan, c.q.data(), c.k.data(), c.v.data(), mask, c.out.data(), c.sums.as<float>(), aligned);
      const bool isBf16 = plan.dtype == DType::bf16;
      checkOverall(check, c.out.buffer, wanted.out, isBf16 ? 0.01 : 3e-6, c.what + " out");
      check.allNear(c.sums, wanted.sums, isBf16 ? 2e-3 : 3e-6, 3e-6, c.what + " logSumExp");
      for (int64_t i = 0; i < scratch.count(); i++) scratch.as<float>()[i] = NAN;
      check.table.attentionGradient(plan, c.q.data(), c.k.data(), c.v.data(), mask, c.out.data(), c.dout.data(), c.sums.as<float>(),
                                    c.dq.data(), c.dk.data(), c.dv.data(), aligned);
      check.that(scratch.isIntact(), c.what + ": wrote beyond its scratch memory");
      const double tolerance = isBf16 ? 0.02 : 1e-5;
      checkOverall(check, c.dq.buffer, wanted.dq, tolerance, c.what + " dq");
      checkOverall(check, c.dk.buffer, wanted.dk, tolerance, c.what + " dk");
      checkOverall(check, c.dv.buffer, wanted.dv, tolerance, c.what + " dv");
      Buffer out(plan.dtype, c.out.buffer.count()), dk(plan.dtype, c.dk.buffer.count());
      for (int64_t i = 0; i < out.count(); i++) out.set(i, c.out.buffer.get(i));
      for (int64_t i = 0; i < dk.count(); i++) dk.set(i, c.dk.buffer.get(i));
      outs.push_back(std::move(out));
      keyGradients.push_back(std::move(dk));
    });
    for (size_t i = 1; i < outs.size(); i++) {
      check.that(outs[i].sameBits(outs[0]) && keyGradients[i].sameBits(keyGradients[0]), c.what + ": other bits with another team");
    }
  }
}

/// The twin's gradients against differences of its own forward pass.
void testTwin(Check& check) {
  int numTried = 0;
  for (int seed = 0; numTried < 6 && seed < 200; seed++) {
    AttentionCase c = randomCase(seed);
    if (c.plan.dtype != DType::f32 || c.plan.queries * c.plan.keys > 400 || c.plan.headSize > 8 || c.plan.batch == 0 || c.plan.keys == 0) continue;
    numTried++;
    const Wanted exact = twin(c);
    const auto objective = [&] {
      const Wanted w = twin(c);
      double sum = 0;
      for (int64_t b = 0; b < c.plan.batch; b++) {
        for (int64_t i = 0; i < c.plan.queries; i++) {
          for (int64_t h = 0; h < c.plan.heads; h++) {
            for (int64_t d = 0; d < c.plan.headSize; d++) sum += w.out[c.out.at(b, i, h, d)] * c.dout.get(b, i, h, d);
          }
        }
      }
      return sum;
    };
    const auto compare = [&](Operand& operand, const Operand& like, const std::vector<double>& gradient, const char* name) {
      const int64_t at = operand.at(0, operand.positions / 2, operand.heads - 1, operand.size - 1);
      const double kept = operand.buffer.get(at), step = 1.0 / 1024;
      operand.buffer.set(at, kept + step);
      const double high = objective(), reachedHigh = operand.buffer.get(at);
      operand.buffer.set(at, kept - step);
      const double low = objective(), reachedLow = operand.buffer.get(at);
      operand.buffer.set(at, kept);
      check.near(gradient[like.at(0, operand.positions / 2, operand.heads - 1, operand.size - 1)], (high - low) / (reachedHigh - reachedLow), 1e-5, 1e-4, name);
    };
    compare(c.q, c.dq, exact.dq, "the twin's dq");
    compare(c.k, c.dk, exact.dk, "the twin's dk");
    compare(c.v, c.dv, exact.dv, "the twin's dv");
  }
  check.that(numTried == 6, "six small cases were found");
}

const Registration attention{"attention", testAttention}, attentionTwin{"attention's twin", testTwin};

}  // namespace
}  // namespace talweg::test
