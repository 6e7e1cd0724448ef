// Gather and scatter with general dimension numbers against the specification's element-by-element definition.
#include <algorithm>

#include "support.h"

namespace talweg::test {
namespace {

constexpr DType allDTypes[] = {DType::f64, DType::f32, DType::bf16, DType::i32, DType::u32, DType::u8, DType::boolean};

bool contains(const Dims& list, int64_t value) {
  for (int i = 0; i < list.rank; i++) {
    if (list[i] == value) return true;
  }
  return false;
}
int64_t offsetOf(const Dims& index, const Dims& sizes) {
  const Dims strides = rowMajorStrides(sizes);
  int64_t offset = 0;
  for (int dim = 0; dim < index.rank; dim++) offset += index[dim] * strides[dim];
  return offset;
}
Dims indexOf(int64_t element, const Dims& sizes) {
  Dims index;
  const Dims strides = rowMajorStrides(sizes);
  for (int dim = 0; dim < sizes.rank; dim++) index.append(element / strides[dim] % sizes[dim]);
  return index;
}

/// Shapes and dimension numbers common to a gather and the scatter that is its transpose.
struct Numbers {
  Dims operandSizes, indexSizes, windowSizes /* one per operand dimension */, resultSizes;
  Dims windowDims, collapsed, map;
  int indexVectorDim;
};

Numbers randomNumbers(Random& random) {
  Numbers n;
  const int rank = static_cast<int>(random.integer(1, 4));
  Dims windows;
  for (int dim = 0; dim < rank; dim++) {
    n.operandSizes.append(random.integer(1, rank == 1 ? 60 : 9));
    const bool isCollapsed = random.chance(0.5);
    n.windowSizes.append(isCollapsed ? 1 : random.integer(1, n.operandSizes[dim]));
    if (isCollapsed) n.collapsed.append(dim);
    else windows.append(n.windowSizes[dim]);
    if (random.chance(0.6)) n.map.append(dim);
  }
  if (n.map.rank == 0) n.map.append(random.integer(0, rank - 1));
  for (int i = n.map.rank - 1; i > 0; i--) std::swap(n.map[i], n.map[static_cast<int>(random.integer(0, i))]);
  // Batch dimensions, with the index vector among them, or implicit where it has one number.
  Dims batch;
  const int batchRank = static_cast<int>(random.integer(0, 2));
  for (int dim = 0; dim < batchRank; dim++) batch.append(random.integer(1, 8));
  const bool isImplicit = n.map.rank == 1 && random.chance(0.5);
  n.indexVectorDim = isImplicit ? batchRank : static_cast<int>(random.integer(0, batchRank));
  for (int dim = 0; dim < batchRank; dim++) {
    if (!isImplicit && dim == n.indexVectorDim) n.indexSizes.append(n.map.rank);
    n.indexSizes.append(batch[dim]);
  }
  if (!isImplicit && n.indexVectorDim == batchRank) n.indexSizes.append(n.map.rank);
  // The result's dimensions: batch and window ones mixed, each in order.
  int b = 0, w = 0;
  const int resultRank = batchRank + windows.rank;
  for (int dim = 0; dim < resultRank; dim++) {
    const bool isWindow = b == batchRank || (w < windows.rank && random.chance(0.5));
    if (isWindow) n.windowDims.append(dim);
    n.resultSizes.append(isWindow ? windows[w++] : batch[b++]);
  }
  return n;
}

/// Embedding rows, large enough for several threads.
Numbers rowNumbers(Random& random) {
  Numbers n;
  n.operandSizes = dims({random.integer(1, 50), random.size(400)});
  const int64_t tokens = random.size(600);
  n.indexSizes = dims({tokens});
  n.windowSizes = dims({1, n.operandSizes[1]});
  n.resultSizes = dims({tokens, n.operandSizes[1]});
  n.windowDims = dims({1});
  n.collapsed = dims({0});
  n.map = dims({0});
  n.indexVectorDim = 1;
  return n;
}

/// For an element of the result (or the updates): the window's start for it, and its place within the window.
void locate(const Numbers& n, const Buffer& indices, int64_t element, Dims& start, Dims& within) {
  const Dims at = indexOf(element, n.resultSizes);
  Dims batch;
  within = n.operandSizes;
  start = n.operandSizes;
  for (int dim = 0; dim < n.operandSizes.rank; dim++) within[dim] = start[dim] = 0;
  Dims offsets;
  for (int dim = 0; dim < at.rank; dim++) (contains(n.windowDims, dim) ? offsets : batch).append(at[dim]);
  int w = 0;
  for (int dim = 0; dim < n.operandSizes.rank; dim++) {
    if (!contains(n.collapsed, dim)) within[dim] = offsets[w++];
  }
  for (int i = 0; i < n.map.rank; i++) {
    Dims indexAt;
    int b = 0;
    for (int dim = 0; dim < n.indexSizes.rank; dim++) indexAt.append(dim == n.indexVectorDim ? i : batch[b++]);
    start[static_cast<int>(n.map[i])] = static_cast<int64_t>(indices.get(offsetOf(indexAt, n.indexSizes)));
  }
}

Buffer randomIndices(Random& random, const Numbers& n) {
  Buffer indices(random.chance(0.8) ? DType::i32 : DType::u32, numElements(n.indexSizes));
  for (int64_t i = 0; i < indices.count(); i++) {
    const int64_t index = random.integer(-3, 12);
    indices.set(i, static_cast<double>(indices.dtype() == DType::u32 ? std::max<int64_t>(index, 0) : index));
  }
  if (indices.dtype() == DType::u32 && indices.count() > 0) indices.set(0, 4294967295.0);
  return indices;
}

Numbers randomOrRows(Random& random, int seed) { return seed % 3 == 0 ? rowNumbers(random) : randomNumbers(random); }

void testGather(Check& check) {
  for (int seed = 0; seed < 300; seed++) {
    Random random(seed);
    const Numbers n = randomOrRows(random, seed);
    const DType dtype = allDTypes[seed % 7];
    Buffer operand(dtype, numElements(n.operandSizes));
    operand.randomize(random);
    const Buffer indices = randomIndices(random, n);
    std::vector<double> wanted;
    for (int64_t e = 0; e < numElements(n.resultSizes); e++) {
      Dims start, within;
      locate(n, indices, e, start, within);
      for (int dim = 0; dim < start.rank; dim++) {
        start[dim] = std::min(std::max<int64_t>(start[dim], 0), n.operandSizes[dim] - n.windowSizes[dim]) + within[dim];
      }
      wanted.push_back(operand.get(offsetOf(start, n.operandSizes)));
    }
    const GatherPlan plan = planGather(dtype, n.operandSizes, indices.dtype(), n.indexSizes, n.windowDims, n.collapsed, n.map, n.indexVectorDim, n.windowSizes);
    forEachTeam([&](int threads) {
      setThreads(threads);
      Buffer result(dtype, numElements(n.resultSizes));
      check.table.gather(plan, operand.data(), indices.data(), result.data());
      check.allEqual(result, wanted, "gather " + show(n.operandSizes) + " to " + show(n.resultSizes));
    });
  }
}

double combined(Combine combine, DType dtype, double a, double b) {
  const bool isBool = dtype == DType::boolean;
  double v = b;
  if (combine == Combine::add) v = isBool ? (a != 0 || b != 0) : a + b;
  if (combine == Combine::multiply) v = a * b;
  if (combine == Combine::maximum) v = std::max(a, b);
  if (combine == Combine::minimum) v = std::min(a, b);
  if (dtype == DType::u8) return static_cast<uint8_t>(static_cast<int64_t>(v));
  if (dtype == DType::i32) return static_cast<int32_t>(static_cast<int64_t>(v));
  if (dtype == DType::u32) return static_cast<uint32_t>(static_cast<int64_t>(v));
  return rounded(dtype, v);
}

void testScatter(Check& check) {
  constexpr Combine combines[] = {Combine::add, Combine::replace, Combine::maximum, Combine::minimum, Combine::multiply};
  for (int seed = 0; seed < 300; seed++) {
    Random random(seed);
    const Numbers n = randomOrRows(random, seed);
    const DType dtype = allDTypes[seed % 7];
    const Combine combine = seed % 3 == 0 ? Combine::add : combines[random.integer(0, 4)];
    Buffer operand(dtype, numElements(n.operandSizes)), updates(dtype, numElements(n.resultSizes));
    operand.randomize(random);
    updates.randomize(random);
    if (combine == Combine::multiply) {  // so that integers don't outgrow the twin's doubles
      for (int64_t i = 0; i < updates.count(); i++) updates.set(i, static_cast<double>(random.integer(0, 2)));
    }
    const Buffer indices = randomIndices(random, n);
    std::vector<double> wanted;
    for (int64_t i = 0; i < operand.count(); i++) wanted.push_back(operand.get(i));
    // The kernel's order: windows in the order of the starts, each row-major. The updates' own order is another where
    // window dimensions come before batch ones; so go by batch position first.
    std::vector<std::pair<int64_t, int64_t>> order;
    for (int64_t e = 0; e < updates.count(); e++) {
      const Dims at = indexOf(e, n.resultSizes);
      int64_t position = 0;
      for (int dim = 0; dim < at.rank; dim++) {
        if (!contains(n.windowDims, dim)) position = position * n.resultSizes[dim] + at[dim];
      }
      order.emplace_back(position, e);
    }
    std::sort(order.begin(), order.end());
    for (const auto& [position, e] : order) {
      Dims start, within;
      locate(n, indices, e, start, within);
      bool isInside = true;
      for (int dim = 0; dim < start.rank; dim++) {
        start[dim] += within[dim];
        isInside = isInside && start[dim] >= 0 && start[dim] < n.operandSizes[dim];
      }
      if (!isInside) continue;
      double& element = wanted[static_cast<size_t>(offsetOf(start, n.operandSizes))];
      element = combined(combine, dtype, element, updates.get(e));
    }
    const ScatterPlan plan = planScatter(dtype, combine, n.operandSizes, indices.dtype(), n.indexSizes, n.resultSizes, n.windowDims, n.collapsed, n.map, n.indexVectorDim);
    forEachTeam([&](int threads) {
      setThreads(threads);
      Buffer result(dtype, operand.count());
      if (operand.count() > 0) std::memcpy(result.data(), operand.data(), static_cast<size_t>(operand.count() * elementSize(dtype)));
      check.table.scatter(plan, indices.data(), updates.data(), result.data());
      check.allEqual(result, wanted, "scatter " + std::to_string(static_cast<int>(combine)) + " " + nameOf(dtype) + show(n.resultSizes) + " into " + show(n.operandSizes));
    });
  }
}

const Registration gather{"gather", testGather}, scatter{"scatter", testScatter};

}  // namespace
}  // namespace talweg::test
