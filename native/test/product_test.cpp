// The plain product, and Philox against its published vectors and its own definition.
#include "support.h"

namespace talweg::test {
namespace {

constexpr DType allDTypes[] = {DType::f64, DType::f32, DType::bf16, DType::i32, DType::u32, DType::u8, DType::boolean};

void testMatmul(Check& check) {
  for (int seed = 0; seed < 120; seed++) {
    Random random(seed);
    const DType dtype = allDTypes[seed % 7];
    MatmulPlan plan{};
    plan.dtype = dtype;
    plan.batch = random.integer(0, 3);
    plan.m = random.size(70, true);
    plan.n = random.size(70, true);
    plan.k = random.chance(0.1) ? 20001 : random.size(300, true);
    if (plan.k > 1000) plan.m = plan.n = random.integer(1, 6);
    const bool isTransposedA = random.chance(0.5), isTransposedB = random.chance(0.5);
    plan.aBatchStride = plan.m * plan.k;
    plan.aRowStride = isTransposedA ? 1 : plan.k;
    plan.aColumnStride = isTransposedA ? plan.m : 1;
    plan.bBatchStride = random.chance(0.3) ? 0 : plan.k * plan.n;
    plan.bRowStride = isTransposedB ? 1 : plan.n;
    plan.bColumnStride = isTransposedB ? plan.k : 1;
    Buffer a(dtype, plan.batch * plan.m * plan.k), b(dtype, plan.batch * plan.k * plan.n);
    a.randomize(random);
    b.randomize(random);
    std::vector<double> wanted;
    double largest = 0;
    for (int64_t batch = 0; batch < plan.batch; batch++) {
      for (int64_t m = 0; m < plan.m; m++) {
        for (int64_t n = 0; n < plan.n; n++) {
          double sum = 0;
          uint64_t bits = 0;
          for (int64_t k = 0; k < plan.k; k++) {
            const double x = a.get(batch * plan.aBatchStride + m * plan.aRowStride + k * plan.aColumnStride);
            const double y = b.get(batch * plan.bBatchStride + k * plan.bRowStride + n * plan.bColumnStride);
            sum += x * y;
            bits += static_cast<uint64_t>(static_cast<int64_t>(x) * static_cast<int64_t>(y));
          }
          if (dtype == DType::i32) sum = static_cast<int32_t>(bits);
          if (dtype == DType::u32) sum = static_cast<uint32_t>(bits);
          if (dtype == DType::u8) sum = static_cast<uint8_t>(bits);
          if (dtype == DType::boolean) sum = sum != 0;
          wanted.push_back(sum);
          largest = std::max(largest, std::fabs(sum));
        }
      }
    }
    std::vector<Buffer> results;
    forEachTeam([&](int threads) {
      setThreads(threads);
      results.emplace_back(dtype, plan.batch * plan.m * plan.n);
      check.table.matmul(plan, a.data(), b.data(), results.back().data());
    });
    const std::string what = std::string("matmul ") + nameOf(dtype) + " " + show(dims({plan.batch, plan.m, plan.k, plan.n}));
    if (dtype <= DType::bf16) check.allNear(results[0], wanted, (dtype == DType::f64 ? 1e-13 : 2e-6) * std::sqrt(static_cast<double>(plan.k) + 1) * 4, 1e-6, what);
    else check.allEqual(results[0], wanted, what);
    for (const Buffer& result : results) check.that(result.sameBits(results[0]), what + ": other bits with another team");
  }
}

void philoxTwin(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]) {
  uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t first = 0xd2511f53ull * c[0], second = 0xcd9e8d57ull * c[2];
    const uint32_t next[4] = {static_cast<uint32_t>(second >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(second),
                              static_cast<uint32_t>(first >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(first)};
    std::memcpy(c, next, sizeof c);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  std::memcpy(out, c, sizeof c);
}

void testPhilox(Check& check) {
  // The twin itself, by Random123's known-answer test.
  const uint32_t ones[4] = {0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu};
  uint32_t out[4];
  philoxTwin(ones, ones, out);
  const uint32_t known[4] = {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu};
  check.that(std::memcmp(out, known, sizeof out) == 0, "the twin of Philox");
  for (int64_t count : {0, 1, 2, 3, 4, 5, 63, 64, 65, 1000, 200003}) {
    // The second state's counter runs over into its upper words.
    for (const uint32_t counterLow : {7u, 0xfffffff0u}) {
      for (const uint32_t counterHigh : {0u, 0xffffffffu}) {
        const uint32_t state[4] = {0x12345678u, 0x9abcdef0u, counterLow, counterHigh};
        forEachTeam([&](int threads) {
          setThreads(threads);
          Buffer result(DType::u32, count);
          check.table.philox(state, count, result.as<uint32_t>());
          check.that(result.isIntact(), "philox wrote beyond its result");
          bool isSame = true;
          for (int64_t block = 0; block * 4 < count; block++) {
            const uint64_t start = static_cast<uint64_t>(counterHigh) << 32 | counterLow, low = start + static_cast<uint64_t>(block);
            const uint64_t high = (static_cast<uint64_t>(state[1]) << 32 | state[0]) + (low < start ? 1 : 0);
            const uint32_t counter[4] = {static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32), static_cast<uint32_t>(high), static_cast<uint32_t>(high >> 32)};
            philoxTwin(state, counter, out);
            for (int64_t i = 0; i < 4 && block * 4 + i < count; i++) isSame = isSame && result.as<uint32_t>()[block * 4 + i] == out[i];
          }
          check.that(isSame, "philox, " + std::to_string(count) + " words");
        });
      }
    }
  }
}

const Registration matmul{"matmul", testMatmul}, philox{"philox", testPhilox};

}  // namespace
}  // namespace talweg::test
