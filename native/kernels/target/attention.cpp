// Attention's forward pass. A task is some queries of one head: its keys (transposed) and values are packed, and the
// queries gone through a block at a time. Of a block the scores lie in a strip that stays in the cache; where there are
// more keys than a strip has room for, they are taken in turns, with a running maximum and sum (Milakov, Gimelshein:
// "Online normalizer calculation for softmax", 2018; Dao et al.: "FlashAttention", 2022).
#include <type_traits>

#include "attention_packing.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

template <class Units, class T>
struct Forward {
  const AttentionPlan& plan;
  const T* q;
  const T* k;
  const T* v;
  const void* mask;
  T* out;
  float* logSumExp;
  const AttentionLayout layout = attentionLayout(plan, false);

  /// A block of queries while its keys are gone through.
  struct Block {
    int64_t batch, head, first, rows;
    float* scratch;
    const char* mask;
    float largest[attentionBlockRows];  // of the scores so far, times log2 e
    float subtracted[attentionBlockRows];  // the same, or 0 where nothing is visible yet
    float sum[attentionBlockRows];
  };

  int64_t width() const { return unitsOf(plan.headSize, Units::elements); }

  static_assert(attentionBlockRows % lanes == 0, "a block's numbers are whole vectors");

  void runTask(int64_t batch, int64_t head, int64_t begin, int64_t end, float* scratch) const {
    const int64_t keyHead = head / (plan.heads / plan.keyHeads);
    const int64_t numKeys = keyLimit(plan, end - 1);  // no query looks further
    packPanels<Units>(k + batch * plan.k.batch + keyHead * plan.k.head, plan.k.position, numKeys, plan.headSize,
                      scratch + layout.keysTransposed);
    packSummedRows<Units>(v + batch * plan.v.batch + keyHead * plan.v.head, plan.v.position, numKeys, plan.headSize,
                          scratch + layout.values, layout.width);
    for (int64_t first = begin; first < end; first += attentionBlockRows) {
      Block block{batch, head, first, smaller(end - first, attentionBlockRows), scratch, maskOfHead(plan, mask, batch, head), {}, {}, {}};
      runBlock(block);
    }
  }

  void runBlock(Block& block) const {
    packRows<Units>(q + block.batch * plan.q.batch + block.head * plan.q.head + block.first * plan.q.position, plan.q.position,
                    block.rows, plan.headSize, block.scratch + layout.queries, layout.width);
    for (float& largest : block.largest) largest = -infinity;
    const int64_t numKeys = keyLimit(plan, block.first + block.rows - 1);
    int64_t key = 0;
    do {
      runTile(block, key, smaller(numKeys - key, attentionForwardKeys));
      key += attentionForwardKeys;
    } while (key < numKeys);
    finish(block);
  }

  /// Keys [key, key + count).
  void runTile(Block& block, int64_t key, int64_t count) const {
    float* scores = block.scratch + layout.scores;
    float* probabilities = block.scratch + layout.probabilities;
    float* result = block.scratch + layout.result;
    const int64_t stride = layout.stripWidth;
    const auto limitOf = [&](int64_t row) { return larger<int64_t>(0, smaller(count, keyLimit(plan, block.first + row) - key)); };
    productWithPanels<Units>(block.rows, count, width(), {block.scratch + layout.queries, layout.width, 1},
                             block.scratch + layout.keysTransposed + key * width(), scores, stride, limitOf);
    rescale(block, key, count, limitOf);
    for (int64_t row = 0; row < block.rows; row++) {
      exponentiate(block, row, limitOf(row), count);
    }
    product<Units>(block.rows, layout.width, {probabilities, stride, 1},
                   block.scratch + layout.values + key / Units::elements * layout.width, layout.width, result, layout.width, key > 0,
                   [&](int64_t row, int64_t rows) { return Depth{0, unitsOf(limitOf(row + rows - 1), Units::elements)}; });
  }

  /// What scores are multiplied by, so that their exponentials are powers of two. Those under a mask have been scaled.
  float scaleOf(const Block& block) const { return block.mask != nullptr ? log2OfEuler : plan.scale * log2OfEuler; }

  /// Masks, and finds each row's largest score so far; what was summed before is rescaled to it.
  template <class LimitOf>
  void rescale(Block& block, int64_t key, int64_t count, const LimitOf& limitOf) const {
    float found[attentionBlockRows] = {};
    for (int64_t row = 0; row < block.rows; row++) {
      float* scores = block.scratch + layout.scores + row * layout.stripWidth;
      const int64_t limit = smaller(count, limitOf(row));
      if (block.mask != nullptr) maskRow(plan, block.mask, block.first + row, key, limit, scores);
      found[row] = largestOf(scores, limit, scaleOf(block));
    }
    // The arrays are whole vectors, and what lies beyond the last row is never used.
    for (int64_t row = 0; row < block.rows; row += lanes) {
      const F32 before = load(block.largest + row), largest = maxFast(load(found + row), before);
      // Where nothing is visible yet every exponential is 0, whatever is subtracted.
      const F32 subtracted = largest == -infinity ? F32{} : largest;
      store(block.largest + row, largest);
      store(block.subtracted + row, subtracted);
      if (key == 0) continue;
      const F32 kept = exp2Fast(before - subtracted);
      store(found + row, kept);
      store(block.sum + row, load(block.sum + row) * kept);
    }
    for (int64_t row = 0; key > 0 && row < block.rows; row++) {
      float* result = block.scratch + layout.result + row * layout.width;
      for (int64_t i = 0; i < layout.width; i += lanes) store(result + i, load(result + i) * found[row]);
    }
  }

  /// Scores that are not a number are passed over: their exponentials will be none either.
  static TALWEG_INLINE float largestOf(const float* scores, int64_t limit, float scale) {
    F32 largest = broadcast(-infinity);
    const int64_t whole = limit / lanes * lanes;
    for (int64_t j = 0; j < whole; j += lanes) largest = maxFast(load(scores + j) * scale, largest);
    if (whole < limit) largest = maxFast(onlyFirst(load(scores + whole) * scale, limit - whole), largest);
    return maxLanes(largest);
  }

  /// One row of scores becomes exponentials relative to its largest score; zeros as far as its group of rows looks.
  void exponentiate(Block& block, int64_t row, int64_t limit, int64_t count) const {
    using P = std::conditional_t<Units::elements == 2, BFloat16, float>;
    const float* scores = block.scratch + layout.scores + row * layout.stripWidth;
    P* p = reinterpret_cast<P*>(block.scratch + layout.probabilities + row * layout.stripWidth);
    const F32 scale = broadcast(scaleOf(block)), subtracted = broadcast(-block.subtracted[row]);
    F32 sum = {};
    const int64_t whole = limit / lanes * lanes;
    int64_t j = 0;
    for (; j < whole; j += lanes) {
      const F32 e = exp2Fast(fma(load(scores + j), scale, subtracted));
      sum += e;
      storeRounded(p + j, e);
    }
    if (whole < limit) {
      const F32 e = exp2Fast(onlyFirst(fma(load(scores + j), scale, subtracted), limit - whole));
      sum += e;
      storeRounded(p + j, e);
      j += lanes;
    }
    for (const int64_t end = smaller(roundUp(count, 2), limit + mostRowsAtOnce + 1); j < end; j += lanes) storeRounded(p + j, F32{});
    block.sum[row] += sumLanes(sum);
  }

  void finish(Block& block) const {
    float inverses[attentionBlockRows];
    for (int64_t row = 0; row < block.rows; row += lanes) {
      const F32 sum = load(block.sum + row);
      store(inverses + row, sum == 0.0f ? F32{} : 1.0f / sum);
      if (logSumExp == nullptr) continue;
      const F32 total = sum == 0.0f ? broadcast(-infinity) : load(block.largest + row) * naturalLogOf2 + log(sum);
      storeUpTo(logSumExp + (block.batch * plan.heads + block.head) * plan.queries + block.first + row, total, block.rows - row);
    }
    const float* result = block.scratch + layout.result;
    T* to = out + block.batch * plan.out.batch + block.head * plan.out.head + block.first * plan.out.position;
    for (int64_t row = 0; row < block.rows; row++) {
      forEachVector(plan.headSize, [&](int64_t i, int64_t n) {
        storeUpTo(to + row * plan.out.position + i, load(result + row * layout.width + i) * inverses[row], n);
      });
    }
  }

  void run(float* scratch) const {
    const int64_t heads = plan.batch * plan.heads;
    if (heads == 0 || plan.queries == 0) return;
    // Heads alone where they keep the team busy, else their queries in parts, of whole blocks: the bits are the same.
    const int64_t blocks = ceilDiv(plan.queries, attentionBlockRows);
    const int64_t parts = smaller(blocks, larger<int64_t>(1, 2 * plan.numThreads / heads));
    const int64_t queriesOfPart = ceilDiv(blocks, parts) * attentionBlockRows;
    const int64_t work = heads * plan.queries * plan.keys * plan.headSize * 2;
    parallelForUnequal(isWorthThreads(work), heads * parts, plan.numThreads, [&](int64_t task, int64_t thread) {
      const int64_t begin = task % parts * queriesOfPart, end = smaller(plan.queries, begin + queriesOfPart);
      const int64_t head = task / parts;
      if (begin < end) runTask(head / plan.heads, head % plan.heads, begin, end, scratch + thread * layout.size);
    });
  }
};

}  // namespace

void attention(const AttentionPlan& plan, const void* q, const void* k, const void* v, const void* mask, void* out,
               float* logSumExp, void* scratch) {
  withUnits(plan.dtype, [&](auto units, auto element) {
    using T = decltype(element);
    Forward<decltype(units), T>{plan, static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v), mask,
                                static_cast<T*>(out), logSumExp}
        .run(static_cast<float*>(scratch));
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
