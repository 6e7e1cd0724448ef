// Reductions and windows against plain loops, over random views, with teams of several sizes.
#include <algorithm>
#include <limits>
#include <stdexcept>

#include "support.h"

namespace talweg::test {
namespace {

constexpr DType allDTypes[] = {DType::f64, DType::f32, DType::bf16, DType::i32, DType::u32, DType::u8, DType::boolean};

bool isFloat(DType dtype) { return dtype <= DType::bf16; }

double neutral(Combine combine, DType dtype) {
  const bool isBool = dtype == DType::boolean;
  switch (combine) {
    case Combine::multiply: return 1;
    case Combine::maximum: return isFloat(dtype) ? -INFINITY : dtype == DType::i32 ? -2147483648.0 : 0;
    case Combine::minimum: return isFloat(dtype) ? INFINITY : dtype == DType::i32 ? 2147483647.0 : dtype == DType::u32 ? 4294967295.0 : isBool ? 1 : 255;
    case Combine::logicalAnd: return dtype == DType::i32 ? -1 : dtype == DType::u32 ? 4294967295.0 : isBool ? 1 : 255;
    default: return 0;
  }
}

double wrap(DType dtype, double v) {
  if (isFloat(dtype)) return v;
  const int64_t bits = static_cast<int64_t>(v);
  if (dtype == DType::i32) return static_cast<int32_t>(bits);
  if (dtype == DType::u32) return static_cast<uint32_t>(bits);
  return dtype == DType::u8 ? static_cast<uint8_t>(bits) : bits != 0;
}

double combined(Combine combine, DType dtype, double a, double b) {
  switch (combine) {
    case Combine::add: return wrap(dtype, a + b);
    case Combine::sumOfSquares: return a + b * b;
    case Combine::multiply:
      if (!isFloat(dtype)) return wrap(dtype, static_cast<double>(static_cast<int64_t>(a) * static_cast<int64_t>(b) & 0xffffffff));
      return a * b;
    case Combine::maximum: return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
    case Combine::minimum: return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
    case Combine::logicalAnd: return static_cast<double>(static_cast<int64_t>(a) & static_cast<int64_t>(b));
    default: return static_cast<double>(static_cast<int64_t>(a) | static_cast<int64_t>(b));
  }
}

std::vector<Combine> combinesOf(DType dtype) {
  std::vector<Combine> list{Combine::add, Combine::multiply, Combine::maximum, Combine::minimum};
  if (isFloat(dtype)) list.push_back(Combine::sumOfSquares);
  else list.insert(list.end(), {Combine::logicalAnd, Combine::logicalOr});
  return list;
}

struct ReduceCase {
  Combine combine;
  DType dtype, resultDType;
  Dims sizes, strides, dims;
  int64_t reach;
};

ReduceCase randomCase(Random& random, DType dtype) {
  ReduceCase c{};
  c.dtype = c.resultDType = dtype;
  if (dtype == DType::bf16 && random.chance(0.5)) c.resultDType = DType::f32;
  const std::vector<Combine> combines = combinesOf(dtype);
  c.combine = combines[static_cast<size_t>(random.integer(0, static_cast<int64_t>(combines.size()) - 1))];
  const int rank = static_cast<int>(random.integer(0, 4));
  int64_t budget = 200000;
  for (int dim = 0; dim < rank; dim++) {
    const int64_t size = std::min<int64_t>(random.size(rank == 1 ? 150000 : rank == 2 ? 1500 : 40, true), std::max<int64_t>(budget, 1));
    c.sizes.append(size);
    budget /= std::max<int64_t>(size, 1);
  }
  c.strides = rowMajorStrides(c.sizes);
  c.reach = numElements(c.sizes);
  if (rank > 1 && random.chance(0.4)) {  // a transposed view
    int order[maxRank];
    for (int dim = 0; dim < rank; dim++) order[dim] = dim;
    for (int dim = rank - 1; dim > 0; dim--) std::swap(order[dim], order[random.integer(0, dim)]);
    int64_t stride = random.integer(1, 2);
    for (int i = 0; i < rank; i++) {
      c.strides[order[i]] = stride;
      stride *= c.sizes[order[i]];
    }
    c.reach = std::max<int64_t>(stride, 1);
  }
  for (int dim = 0; dim < rank; dim++) {
    if (random.chance(0.55)) c.dims.append(dim);
  }
  return c;
}

std::vector<double> twin(const ReduceCase& c, const Buffer& source, const Buffer* initial) {
  Dims keptSizes;
  bool isReduced[maxRank] = {};
  for (int i = 0; i < c.dims.rank; i++) isReduced[c.dims[i]] = true;
  for (int dim = 0; dim < c.sizes.rank; dim++) {
    if (!isReduced[dim]) keptSizes.append(c.sizes[dim]);
  }
  std::vector<double> results(static_cast<size_t>(numElements(keptSizes)), initial != nullptr ? initial->get(0) : neutral(c.combine, c.dtype));
  const Dims rowMajor = rowMajorStrides(c.sizes), keptStrides = rowMajorStrides(keptSizes);
  for (int64_t e = 0; e < numElements(c.sizes); e++) {
    int64_t offset = 0, kept = 0;
    int position = 0;
    for (int dim = 0; dim < c.sizes.rank; dim++) {
      const int64_t at = e / rowMajor[dim] % c.sizes[dim];
      offset += at * c.strides[dim];
      if (!isReduced[dim]) kept += at * keptStrides[position++];
    }
    double& result = results[static_cast<size_t>(kept)];
    result = combined(c.combine, c.dtype, result, source.get(offset));
  }
  return results;
}

std::string describe(const ReduceCase& c) {
  return std::string(nameOf(c.dtype)) + show(c.sizes) + " strides " + show(c.strides) + " over " + show(c.dims) + " by " +
         std::to_string(static_cast<int>(c.combine));
}

void testReduce(Check& check) {
  for (int seed = 0; seed < 420; seed++) {
    Random random(seed);
    const ReduceCase c = randomCase(random, allDTypes[seed % 7]);
    Buffer source(c.dtype, c.reach), initial(c.resultDType, 1);
    // Products near 1, so that they neither vanish nor overflow.
    if (c.combine == Combine::multiply && isFloat(c.dtype)) source.randomize(random, 0.99, 1.01);
    else source.randomize(random, -1, 1);
    if (isFloat(c.dtype) && c.reach > 0 && random.chance(0.1)) source.set(random.integer(0, c.reach - 1), NAN);
    initial.randomize(random);
    const bool hasInitial = random.chance(0.3) && c.resultDType == c.dtype;
    const std::vector<double> wanted = twin(c, source, hasInitial ? &initial : nullptr);
    const ReducePlan plan = planReduce(c.combine, c.dtype, c.resultDType, c.sizes, c.strides, c.dims);
    std::vector<Buffer> results;
    forEachTeam([&](int threads) {
      setThreads(threads);
      Buffer scratch(DType::u8, plan.scratchBytes + 64);
      void* aligned = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
      results.emplace_back(c.resultDType, static_cast<int64_t>(wanted.size()));
      check.table.reduce(plan, source.data(), hasInitial ? initial.data() : nullptr, results.back().data(), aligned);
      check.that(scratch.isIntact(), describe(c) + ": wrote beyond its scratch memory");
    });
    // An f32 sum of terms of size 1: its error is that of summing a few hundred, not of summing all.
    const double magnitude = c.combine == Combine::add || c.combine == Combine::sumOfSquares ? std::sqrt(static_cast<double>(c.reach) + 1) : 1;
    if (isFloat(c.dtype)) check.allNear(results[0], wanted, c.dtype == DType::f64 ? 1e-12 * magnitude : 2e-6 * magnitude, c.dtype == DType::f64 ? 1e-12 : 1e-5, describe(c));
    else check.allEqual(results[0], wanted, describe(c));
    for (size_t i = 1; i < results.size(); i++) check.that(results[i].sameBits(results[0]), describe(c) + ": other bits with another team");
  }
}

/// The error of a long sum of positive numbers.
void testLongSum(Check& check) {
  const int64_t count = 3000001;
  Buffer source(DType::f32, count), result(DType::f32, 1);
  Random random(5);
  source.randomize(random, 0, 1);
  double wanted = 0;
  for (int64_t i = 0; i < count; i++) wanted += source.get(i);
  const ReducePlan plan = planReduce(Combine::add, DType::f32, DType::f32, dims({count}), dims({1}), dims({0}));
  std::vector<double> scratch(static_cast<size_t>(plan.scratchBytes / 8 + 8));
  check.table.reduce(plan, source.data(), nullptr, result.data(), scratch.data());
  check.near(result.get(0), wanted, 0, 1.2e-7, "sum of 3 million");
}

void testReduceRefusals(Check& check) {
  bool refused = false;
  try {
    planReduce(Combine::logicalAnd, DType::f32, DType::f32, dims({3}), dims({1}), dims({0}));
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  check.that(refused, "and of floats");
}

// ---- windows ----

struct WindowCase {
  Dims sizes, window, strides, low, high, base, dilation;
};

WindowCase randomWindow(Random& random) {
  WindowCase c;
  const int rank = static_cast<int>(random.integer(1, 4));
  for (int dim = 0; dim < rank; dim++) {
    c.sizes.append(random.integer(1, rank > 2 ? 7 : 20));
    c.window.append(random.integer(1, 3));
    c.strides.append(random.integer(1, 3));
    c.low.append(random.integer(0, 2));
    c.high.append(random.integer(0, 2));
    c.base.append(random.chance(0.8) ? 1 : 2);
    c.dilation.append(random.chance(0.8) ? 1 : 2);
  }
  return c;
}

/// Calls visit(position of the result, offset in the source) for all pairs in the windows, results in order.
template <class Visit>
void forEachPair(const WindowCase& c, const WindowPlan& plan, Visit visit) {
  Dims resultSizes = c.sizes;
  for (int dim = 0; dim < c.sizes.rank; dim++) resultSizes[dim] = plan.resultSizes[dim];
  const Dims resultStrides = rowMajorStrides(resultSizes), sourceStrides = rowMajorStrides(c.sizes), windowStrides = rowMajorStrides(c.window);
  for (int64_t r = 0; r < numElements(resultSizes); r++) {
    for (int64_t w = 0; w < numElements(c.window); w++) {
      int64_t offset = 0;
      bool isInside = true;
      for (int dim = 0; dim < c.sizes.rank; dim++) {
        const int64_t place = r / resultStrides[dim] % resultSizes[dim] * c.strides[dim] +
                              w / windowStrides[dim] % c.window[dim] * c.dilation[dim] - c.low[dim];
        isInside = isInside && place >= 0 && place % c.base[dim] == 0 && place / c.base[dim] < c.sizes[dim];
        offset += place / c.base[dim] * sourceStrides[dim];
      }
      if (isInside) visit(r, offset);
    }
  }
}

WindowPlan planOf(const WindowCase& c, Combine combine, DType dtype) {
  return planReduceWindow(combine, dtype, c.sizes, c.window, c.strides, c.low, c.high, c.base, c.dilation);
}
int64_t numResults(const WindowPlan& plan) {
  int64_t count = 1;
  for (int dim = 0; dim < plan.rank; dim++) count *= plan.resultSizes[dim];
  return count;
}

void testReduceWindow(Check& check) {
  for (int seed = 0; seed < 140; seed++) {
    Random random(seed);
    const DType dtype = allDTypes[seed % 7];
    const WindowCase c = randomWindow(random);
    const Combine combine = random.chance(0.5) ? Combine::add : random.chance(0.5) ? Combine::maximum : Combine::minimum;
    const WindowPlan plan = planOf(c, combine, dtype);
    Buffer source(dtype, numElements(c.sizes)), result(dtype, numResults(plan));
    source.randomize(random);
    std::vector<double> wanted(static_cast<size_t>(result.count()), neutral(combine, dtype));
    forEachPair(c, plan, [&](int64_t r, int64_t offset) { wanted[static_cast<size_t>(r)] = combined(combine, dtype, wanted[static_cast<size_t>(r)], source.get(offset)); });
    setThreads(2);
    check.table.reduceWindow(plan, source.data(), nullptr, result.data());
    if (isFloat(dtype)) check.allNear(result, wanted, 1e-6, 1e-6, "reduceWindow " + show(c.sizes));
    else check.allEqual(result, wanted, "reduceWindow " + show(c.sizes));
  }
}

void testMaxPoolGradient(Check& check) {
  for (int seed = 0; seed < 90; seed++) {
    Random random(seed);
    const DType dtype = allDTypes[seed % 3];
    const WindowCase c = randomWindow(random);
    const WindowPlan plan = planOf(c, Combine::maximum, dtype);
    Buffer source(dtype, numElements(c.sizes)), gradient(dtype, numResults(plan));
    for (int64_t i = 0; i < source.count(); i++) source.set(i, static_cast<double>(random.integer(0, 5)));  // with ties
    for (int64_t i = 0; i < gradient.count(); i++) gradient.set(i, static_cast<double>(random.integer(-4, 4)));
    std::vector<double> wanted(static_cast<size_t>(source.count()), 0);
    std::vector<int64_t> best(static_cast<size_t>(gradient.count()), -1);
    forEachPair(c, plan, [&](int64_t r, int64_t offset) {
      int64_t& b = best[static_cast<size_t>(r)];
      if (b < 0 || source.get(offset) > source.get(b)) b = offset;
    });
    for (size_t r = 0; r < best.size(); r++) {
      if (best[r] >= 0) wanted[static_cast<size_t>(best[r])] += gradient.get(static_cast<int64_t>(r));
    }
    forEachTeam([&](int threads) {
      setThreads(threads);
      Buffer result(dtype, source.count());
      result.fill(77);
      check.table.maxPoolGradient(plan, source.data(), gradient.data(), result.data());
      check.allEqual(result, wanted, "maxPoolGradient " + show(c.sizes));
    });
  }
}

const Registration reduce{"reduce", testReduce}, longSum{"reduce, long sum", testLongSum}, refusals{"reduce refusals", testReduceRefusals},
    window{"reduceWindow", testReduceWindow}, maxPool{"maxPoolGradient", testMaxPoolGradient};

}  // namespace
}  // namespace talweg::test
