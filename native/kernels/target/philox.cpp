// Random bits by Philox4x32-10, bit for bit as src/core/random.ts: word i % 4 of the counter that is i / 4 further on.
// The counter's upper half begins as the key (XLA's layout).
//
// Sixteen counters go through the rounds side by side, in loops that the compiler turns into vectors.
// Source: Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#include "vector.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

constexpr int numSideBySide = 16;
constexpr int wordsPerBlock = numSideBySide * 4;
constexpr int numRounds = 10;

using Words = uint32_t[numSideBySide];

TALWEG_INLINE void round(Words& c0, Words& c1, Words& c2, Words& c3, uint32_t k0, uint32_t k1) {
  for (int i = 0; i < numSideBySide; i++) {
    const uint64_t first = static_cast<uint64_t>(c0[i]) * 0xd2511f53u;
    const uint64_t second = static_cast<uint64_t>(c2[i]) * 0xcd9e8d57u;
    c0[i] = static_cast<uint32_t>(second >> 32) ^ c1[i] ^ k0;
    c2[i] = static_cast<uint32_t>(first >> 32) ^ c3[i] ^ k1;
    c1[i] = static_cast<uint32_t>(second);
    c3[i] = static_cast<uint32_t>(first);
  }
}

/// The words of the counters `start`, `start + 1`, ….
void makeBlock(const uint32_t state[4], uint64_t start, uint32_t* words) {
  const uint64_t first = static_cast<uint64_t>(state[3]) << 32 | state[2];
  const uint64_t upperFirst = static_cast<uint64_t>(state[1]) << 32 | state[0];
  Words c0, c1, c2, c3;
  for (int i = 0; i < numSideBySide; i++) {
    const uint64_t low = first + start + static_cast<uint64_t>(i);
    const uint64_t high = upperFirst + (low < first ? 1 : 0);  // the carry of a 128-bit counter
    c0[i] = static_cast<uint32_t>(low);
    c1[i] = static_cast<uint32_t>(low >> 32);
    c2[i] = static_cast<uint32_t>(high);
    c3[i] = static_cast<uint32_t>(high >> 32);
  }
  uint32_t k0 = state[0], k1 = state[1];
  for (int r = 0; r < numRounds; r++) {
    round(c0, c1, c2, c3, k0, k1);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  for (int i = 0; i < numSideBySide; i++) {
    words[i * 4] = c0[i];
    words[i * 4 + 1] = c1[i];
    words[i * 4 + 2] = c2[i];
    words[i * 4 + 3] = c3[i];
  }
}

}  // namespace

void philox(const uint32_t state[4], int64_t count, uint32_t* result) {
  const int64_t numBlocks = ceilDiv(count, wordsPerBlock);
#pragma omp parallel for schedule(static) if (isWorthThreads(count * 20))
  for (int64_t block = 0; block < numBlocks; block++) {
    uint32_t words[wordsPerBlock];
    makeBlock(state, static_cast<uint64_t>(block) * numSideBySide, words);
    const int64_t begin = block * wordsPerBlock;
    std::memcpy(result + begin, words, static_cast<size_t>(smaller<int64_t>(count - begin, wordsPerBlock)) * sizeof(uint32_t));
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
