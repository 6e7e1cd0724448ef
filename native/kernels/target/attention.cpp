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
    float sum[attentionBlockRows];
  };

  int64_t width() const { return unitsOf(plan.headSize, Units::elements); }

  void runTask(int64_t batch, int64_t head, int64_t begin, int64_t end, float* scratch) const {
    const int64_t keyHead = head / (plan.heads / plan.keyHeads);
    const int64_t numKeys = keyLimit(plan, end - 1);  // no query looks further
    packPanels<Units>(k + batch * plan.k.batch + keyHead * plan.k.head, plan.k.position, numKeys, plan.headSize,
                      scratch + layout.keysTransposed);
    packSummedRows<Units>(v + batch * plan.v.batch + keyHead * plan.v.head, plan.v.position, numKeys, plan.headSize,
                          scratch + layout.values, layout.width);
    for (int64_t first = begin; first < end; first += attentionBlockRows) {
      Block block{batch, head, first, smaller(end - first, attentionBlockRows), scratch, maskOfHead(plan, mask, batch, head), {}, {}};
      runBlock(block);
    }
  }

  void runBlock(Block& block) const {
    packRows<Units>(q + block.batch * plan.q.batch + block.head * plan.q.head + block.first * plan.q.position, plan.q.position,
                    block.rows, plan.headSize, block.scratch + layout.queries, layout.width);
    for (int64_t row = 0; row < block.rows; row++) {
      block.largest[row] = -infinity;
      block.sum[row] = 0;
    }
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
    for (int64_t row = 0; row < block.rows; row++) {
      exponentiate(block, row, key, limitOf(row), count, scores + row * stride, probabilities + row * stride);
    }
    product<Units>(block.rows, layout.width, {probabilities, stride, 1},
                   block.scratch + layout.values + key / Units::elements * layout.width, layout.width, result, layout.width, key > 0,
                   [&](int64_t row, int64_t rows) { return Depth{0, unitsOf(limitOf(row + rows - 1), Units::elements)}; });
  }

  /// One row of scores becomes exponentials relative to the largest score so far; what was summed before is rescaled.
  void exponentiate(Block& block, int64_t row, int64_t key, int64_t limit, int64_t count, float* scores, float* probabilities) const {
    using P = std::conditional_t<Units::elements == 2, BFloat16, float>;
    P* p = reinterpret_cast<P*>(probabilities);
    float scale = plan.scale * log2OfEuler;
    if (block.mask != nullptr) {
      maskRow(plan, block.mask, block.first + row, key, limit, scores);
      scale = log2OfEuler;
    }
    F32 maxima = broadcast(-infinity);
    forEachVector(limit, [&](int64_t j, int64_t n) { maxima = maximum(onlyFirst(loadUpTo(scores + j, n) * scale, n), maxima); });
    const float found = reduceLanes(maxima, [](float a, float b) { return (a > b) | (a != a) ? a : b; });
    const float before = block.largest[row];
    const float largest = (found > before) | (found != found) ? found : before;
    // Where nothing is visible yet every exponential is 0, whatever is subtracted.
    const float subtracted = largest == -infinity ? 0.0f : largest;
    F32 sum = {};
    forEachVector(limit, [&](int64_t j, int64_t n) {
      const F32 e = exp2Fast(onlyFirst(fma(loadUpTo(scores + j, n), scale, -subtracted), n));
      sum += e;
      storeUpTo(p + j, e, n);
    });
    for (int64_t j = limit; j < roundUp(count, 2); j++) storeScalar(p + j, 0.0f);
    if (key > 0) {
      const float kept = before == -infinity ? 0.0f : exp2Fast(broadcast(before - subtracted))[0];
      block.sum[row] *= kept;
      float* result = block.scratch + layout.result + row * layout.width;
      for (int64_t i = 0; i < layout.width; i += lanes) store(result + i, load(result + i) * kept);
    }
    block.sum[row] += sumLanes(sum);
    block.largest[row] = largest;
  }

  void finish(Block& block) const {
    const float* result = block.scratch + layout.result;
    T* to = out + block.batch * plan.out.batch + block.head * plan.out.head + block.first * plan.out.position;
    for (int64_t row = 0; row < block.rows; row++) {
      const float sum = block.sum[row];
      const float inverse = sum == 0 ? 0.0f : 1.0f / sum;
      if (logSumExp != nullptr) {
        const float total = sum == 0 ? -infinity : block.largest[row] * naturalLogOf2 + log(broadcast(sum))[0];
        logSumExp[(block.batch * plan.heads + block.head) * plan.queries + block.first + row] = total;
      }
      forEachVector(plan.headSize, [&](int64_t i, int64_t n) {
        storeUpTo(to + row * plan.out.position + i, load(result + row * layout.width + i) * inverse, n);
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
