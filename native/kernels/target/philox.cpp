// Random bits by Philox4x32-10, bit for bit as src/core/random.ts: word i % 4 of the counter that is i / 4 further on.
// The counter's upper half begins as the key (XLA's layout).
//
// The counters of a vector's lanes go through the rounds side by side, two vectors at a time.
// Source: Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#include "vector.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

constexpr int numVectors = 2;
constexpr int countersPerBlock = numVectors * lanes;
constexpr int wordsPerBlock = countersPerBlock * 4;
constexpr int numRounds = 10;

struct Counters {
  U32 word[4];
};

TALWEG_INLINE void round(Counters& c, uint32_t k0, uint32_t k1) {
  U32 firstLow, firstHigh, secondLow, secondHigh;
  multiplyWide(c.word[0], 0xd2511f53u, firstLow, firstHigh);
  multiplyWide(c.word[2], 0xcd9e8d57u, secondLow, secondHigh);
  c = {{secondHigh ^ c.word[1] ^ k0, secondLow, firstHigh ^ c.word[3] ^ k1, firstLow}};
}

/// The counters `start`, `start + 1`, … of the lanes.
TALWEG_INLINE Counters countersFrom(const uint32_t state[4], uint64_t start) {
  const uint64_t first = static_cast<uint64_t>(state[3]) << 32 | state[2];
  const uint64_t upperFirst = static_cast<uint64_t>(state[1]) << 32 | state[0];
  Counters c;
  for (int i = 0; i < lanes; i++) {
    const uint64_t low = first + start + static_cast<uint64_t>(i);
    const uint64_t high = upperFirst + (low < first ? 1 : 0);  // the carry of a 128-bit counter
    c.word[0][i] = static_cast<uint32_t>(low);
    c.word[1][i] = static_cast<uint32_t>(low >> 32);
    c.word[2][i] = static_cast<uint32_t>(high);
    c.word[3][i] = static_cast<uint32_t>(high >> 32);
  }
  return c;
}

/// The four words of each counter next to each other.
TALWEG_INLINE void storeWords(const Counters& c, uint32_t* words) {
  U32 even[2], odd[2], all[4];
  interleaveLanes(c.word[0], c.word[2], even[0], even[1]);
  interleaveLanes(c.word[1], c.word[3], odd[0], odd[1]);
  interleaveLanes(even[0], odd[0], all[0], all[1]);
  interleaveLanes(even[1], odd[1], all[2], all[3]);
  for (int i = 0; i < 4; i++) storeAs(words + i * lanes, all[i]);
}

void makeBlock(const uint32_t state[4], uint64_t start, uint32_t* words) {
  Counters counters[numVectors];
  for (int v = 0; v < numVectors; v++) counters[v] = countersFrom(state, start + static_cast<uint64_t>(v * lanes));
  uint32_t k0 = state[0], k1 = state[1];
  for (int r = 0; r < numRounds; r++) {
    for (int v = 0; v < numVectors; v++) round(counters[v], k0, k1);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  for (int v = 0; v < numVectors; v++) storeWords(counters[v], words + v * lanes * 4);
}

}  // namespace

void philox(const uint32_t state[4], int64_t count, uint32_t* result) {
  const int64_t numBlocks = ceilDiv(count, wordsPerBlock);
  parallelFor(isWorthThreads(count * 20), numBlocks, [&](int64_t block) {
    uint32_t words[wordsPerBlock];
    makeBlock(state, static_cast<uint64_t>(block) * countersPerBlock, words);
    const int64_t begin = block * wordsPerBlock;
    std::memcpy(result + begin, words, static_cast<size_t>(smaller<int64_t>(count - begin, wordsPerBlock)) * sizeof(uint32_t));
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
