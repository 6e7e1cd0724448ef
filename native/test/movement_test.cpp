// Strided copies and what is made of them, against plain loops.
#include <algorithm>

#include "support.h"

namespace talweg::test {
namespace {

constexpr DType dtypesBySize[] = {DType::u8, DType::bf16, DType::f32, DType::f64};

Dims randomShape(Random& random, int rank, int64_t largest) {
  Dims sizes;
  for (int dim = 0; dim < rank; dim++) sizes.append(random.size(largest, true));
  return sizes;
}

Dims indexOf(int64_t element, const Dims& sizes) {
  Dims index;
  const Dims strides = rowMajorStrides(sizes);
  for (int dim = 0; dim < sizes.rank; dim++) index.append(element / strides[dim] % sizes[dim]);
  return index;
}
int64_t offsetOf(const Dims& index, const Dims& strides) {
  int64_t offset = 0;
  for (int dim = 0; dim < index.rank; dim++) offset += index[dim] * strides[dim];
  return offset;
}

int64_t largestFor(int rank) { return rank == 1 ? 100000 : rank == 2 ? 400 : rank == 3 ? 40 : 12; }

/// Runs a plan into a buffer that held `before`, with each team, and compares.
void expectCopy(Check& check, const CopyPlan& plan, const Buffer& source, double before, const std::vector<double>& wanted, const std::string& what) {
  forEachTeam([&](int threads) {
    setThreads(threads);
    Buffer result(source.dtype(), static_cast<int64_t>(wanted.size()));
    result.fill(before);
    check.table.copy(plan, source.data(), result.data());
    check.allEqual(result, wanted, what);
  });
}

void testTranspose(Check& check) {
  for (int seed = 0; seed < 160; seed++) {
    Random random(seed);
    const DType dtype = dtypesBySize[seed % 4];
    const int rank = static_cast<int>(random.integer(1, 5));
    const Dims sizes = randomShape(random, rank, largestFor(rank));
    Dims permutation, resultSizes;
    for (int dim = 0; dim < rank; dim++) permutation.append(dim);
    for (int dim = rank - 1; dim > 0; dim--) std::swap(permutation[dim], permutation[static_cast<int>(random.integer(0, dim))]);
    for (int dim = 0; dim < rank; dim++) resultSizes.append(sizes[static_cast<int>(permutation[dim])]);
    Buffer source(dtype, numElements(sizes));
    source.randomize(random);
    std::vector<double> wanted;
    for (int64_t e = 0; e < numElements(resultSizes); e++) {
      const Dims to = indexOf(e, resultSizes);
      Dims from = sizes;
      for (int dim = 0; dim < rank; dim++) from[static_cast<int>(permutation[dim])] = to[dim];
      wanted.push_back(source.get(offsetOf(from, rowMajorStrides(sizes))));
    }
    expectCopy(check, planTranspose(elementSize(dtype), sizes, rowMajorStrides(sizes), permutation), source, 9, wanted, "transpose " + show(sizes) + " by " + show(permutation));
  }
}

void testBroadcast(Check& check) {
  for (int seed = 0; seed < 120; seed++) {
    Random random(seed);
    const DType dtype = dtypesBySize[seed % 4];
    const int rank = static_cast<int>(random.integer(1, 4));
    const Dims resultSizes = randomShape(random, rank, largestFor(rank));
    Dims sizes, broadcastDims;
    for (int dim = 0; dim < rank; dim++) {
      if (random.chance(0.4)) continue;
      broadcastDims.append(dim);
      sizes.append(random.chance(0.3) ? 1 : resultSizes[dim]);
    }
    Buffer source(dtype, numElements(sizes));
    source.randomize(random);
    std::vector<double> wanted;
    for (int64_t e = 0; e < numElements(resultSizes); e++) {
      const Dims to = indexOf(e, resultSizes);
      Dims from;
      for (int dim = 0; dim < sizes.rank; dim++) from.append(sizes[dim] == 1 ? 0 : to[static_cast<int>(broadcastDims[dim])]);
      wanted.push_back(source.get(offsetOf(from, rowMajorStrides(sizes))));
    }
    expectCopy(check, planBroadcastInDim(elementSize(dtype), sizes, rowMajorStrides(sizes), resultSizes, broadcastDims), source, 9, wanted, "broadcast " + show(sizes) + " to " + show(resultSizes));
  }
}

void testSliceAndReverse(Check& check) {
  for (int seed = 0; seed < 120; seed++) {
    Random random(seed);
    const DType dtype = dtypesBySize[seed % 4];
    const int rank = static_cast<int>(random.integer(1, 4));
    const Dims sizes = randomShape(random, rank, largestFor(rank));
    Dims starts, limits, steps, resultSizes, reversed;
    for (int dim = 0; dim < rank; dim++) {
      starts.append(random.integer(0, sizes[dim]));
      limits.append(random.integer(starts[dim], sizes[dim]));
      steps.append(random.integer(1, 3));
      resultSizes.append((limits[dim] - starts[dim] + steps[dim] - 1) / steps[dim]);
      if (random.chance(0.5)) reversed.append(dim);
    }
    Buffer source(dtype, numElements(sizes));
    source.randomize(random);
    std::vector<double> wanted, wantedReversed;
    for (int64_t e = 0; e < numElements(resultSizes); e++) {
      Dims index = indexOf(e, resultSizes);
      for (int dim = 0; dim < rank; dim++) index[dim] = starts[dim] + index[dim] * steps[dim];
      wanted.push_back(source.get(offsetOf(index, rowMajorStrides(sizes))));
    }
    for (int64_t e = 0; e < numElements(sizes); e++) {
      Dims index = indexOf(e, sizes);
      for (int i = 0; i < reversed.rank; i++) {
        const int dim = static_cast<int>(reversed[i]);
        index[dim] = sizes[dim] - 1 - index[dim];
      }
      wantedReversed.push_back(source.get(offsetOf(index, rowMajorStrides(sizes))));
    }
    expectCopy(check, planSlice(elementSize(dtype), sizes, rowMajorStrides(sizes), starts, limits, steps), source, 9, wanted, "slice " + show(sizes));
    expectCopy(check, planReverse(elementSize(dtype), sizes, rowMajorStrides(sizes), reversed), source, 9, wantedReversed, "reverse " + show(sizes));
  }
}

void testPad(Check& check) {
  for (int seed = 0; seed < 160; seed++) {
    Random random(seed);
    const DType dtype = dtypesBySize[seed % 4];
    const int rank = static_cast<int>(random.integer(1, 3));
    Dims sizes, low, high, interior, resultSizes;
    for (int dim = 0; dim < rank; dim++) {
      sizes.append(random.size(20, true));
      interior.append(random.chance(0.6) ? 0 : random.integer(1, 2));
      const int64_t spread = sizes[dim] + std::max<int64_t>(sizes[dim] - 1, 0) * interior[dim];
      low.append(random.integer(-std::min<int64_t>(3, spread), 4));
      high.append(random.integer(-std::min<int64_t>(3, spread + std::min<int64_t>(low[dim], 0)), 4));
      resultSizes.append(spread + low[dim] + high[dim]);
    }
    Buffer source(dtype, numElements(sizes));
    source.randomize(random);
    std::vector<double> wanted(static_cast<size_t>(numElements(resultSizes)), 9);
    for (int64_t e = 0; e < numElements(sizes); e++) {
      Dims index = indexOf(e, sizes);
      bool isInside = true;
      for (int dim = 0; dim < rank; dim++) {
        index[dim] = low[dim] + index[dim] * (interior[dim] + 1);
        isInside = isInside && index[dim] >= 0 && index[dim] < resultSizes[dim];
      }
      if (isInside) wanted[static_cast<size_t>(offsetOf(index, rowMajorStrides(resultSizes)))] = source.get(e);
    }
    expectCopy(check, planPad(elementSize(dtype), sizes, rowMajorStrides(sizes), low, high, interior), source, 9, wanted, "pad " + show(sizes) + " low " + show(low) + " high " + show(high) + " interior " + show(interior));
  }
}

void testConcatenate(Check& check) {
  for (int seed = 0; seed < 80; seed++) {
    Random random(seed);
    const DType dtype = dtypesBySize[seed % 4];
    const int rank = static_cast<int>(random.integer(1, 3));
    Dims resultSizes = randomShape(random, rank, 30);
    const int dim = static_cast<int>(random.integer(0, rank - 1));
    const int64_t first = random.size(20, true), second = random.size(20, true);
    resultSizes[dim] = first + second;
    Dims sizes[2] = {resultSizes, resultSizes};
    sizes[0][dim] = first;
    sizes[1][dim] = second;
    Buffer parts[2] = {Buffer(dtype, numElements(sizes[0])), Buffer(dtype, numElements(sizes[1]))};
    Buffer result(dtype, numElements(resultSizes));
    for (int p = 0; p < 2; p++) {
      parts[p].randomize(random);
      check.table.copy(planConcatenatePart(elementSize(dtype), sizes[p], rowMajorStrides(sizes[p]), resultSizes, dim, p * first), parts[p].data(), result.data());
    }
    std::vector<double> wanted;
    for (int64_t e = 0; e < numElements(resultSizes); e++) {
      Dims index = indexOf(e, resultSizes);
      const int p = index[dim] >= first;
      index[dim] -= p * first;
      wanted.push_back(parts[p].get(offsetOf(index, rowMajorStrides(sizes[p]))));
    }
    check.allEqual(result, wanted, "concatenate " + show(resultSizes));
  }
}

void testFill(Check& check) {
  for (DType dtype : dtypesBySize) {
    for (int64_t count : {0, 1, 7, 64, 1001, 300007}) {
      Buffer value(dtype, 1), result(dtype, count);
      value.fill(3);
      check.table.fill(elementSize(dtype), value.data(), count, result.data());
      check.allEqual(result, std::vector<double>(static_cast<size_t>(count), 3), "fill");
    }
  }
}

const Registration transpose{"transpose", testTranspose}, broadcast{"broadcastInDim", testBroadcast}, slice{"slice, reverse", testSliceAndReverse},
    pad{"pad", testPad}, concatenate{"concatenate", testConcatenate}, fill{"fill", testFill};

}  // namespace
}  // namespace talweg::test
