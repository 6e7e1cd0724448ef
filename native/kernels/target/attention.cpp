// Attention's forward pass. A thread takes one head, packs its keys (transposed) and values once, and goes through the
// queries in blocks: scores of a block against the keys it may see, their exponentials, and these times the values.
// Keys that a causal block doesn't see are skipped. Sums are f32 whatever the operands are.
#include <omp.h>

#include "attention_products.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

/// Turns a row of scores into exponentials, zero from `limit` to `padded`. Returns their sum and sets the largest score.
float exponentials(float* scores, int64_t limit, int64_t padded, float& largest) {
  F32 most = broadcast(-infinity), sum = {};
  forEachVector(limit, [&](int64_t j, int64_t count) { most = maxFast(loadUpTo(scores + j, count, -infinity), most); });
  largest = maxLanes(most);
  const float shift = largest == -infinity ? 0.0f : largest;
  forEachVector(limit, [&](int64_t j, int64_t count) {
    const F32 e = keepFirst(expFast(loadUpTo(scores + j, count, -infinity) - shift), count);
    sum += e;
    storeUpTo(scores + j, e, count);
  });
  for (int64_t j = limit; j < padded; j++) scores[j] = 0;
  return sumLanes(sum);
}

template <class T>
struct Forward {
  const AttentionPlan& plan;
  const T* q;
  const T* k;
  const T* v;
  const void* mask;
  T* out;
  float* logSumExp;
  const AttentionLayout layout = attentionLayout(plan, false);

  void runHead(int64_t batch, int64_t head, float* scratch) const {
    const int64_t keyHead = head / (plan.heads / plan.keyHeads);
    packColumns(k + batch * plan.k.batch + keyHead * plan.k.head, plan.k.position, plan.keys, plan.headSize,
                scratch + layout.keysTransposed, layout.keys);
    packRows(v + batch * plan.v.batch + keyHead * plan.v.head, plan.v.position, plan.keys, plan.headSize, 1.0f,
             scratch + layout.values, layout.headSize);
    for (int64_t first = 0; first < plan.queries; first += attentionBlockRows) {
      runBlock(batch, head, first, smaller(plan.queries - first, attentionBlockRows), scratch);
    }
  }

  void runBlock(int64_t batch, int64_t head, int64_t first, int64_t rows, float* scratch) const {
    float* queries = scratch + layout.queries;
    float* strip = scratch + layout.strip;
    float* result = scratch + layout.result;
    packRows(q + batch * plan.q.batch + head * plan.q.head + first * plan.q.position, plan.q.position, rows, plan.headSize,
             plan.scale, queries, layout.headSize);
    const int64_t numKeys = keyLimit(plan, first + rows - 1), padded = roundUp(numKeys, lanes);
    product(rows, padded, plan.headSize, {queries, layout.headSize, 1}, scratch + layout.keysTransposed, layout.keys, strip,
            layout.keys, false);
    float inverse[attentionBlockRows];
    const char* headMask = maskOfHead(plan, mask, batch, head);
    for (int64_t row = 0; row < rows; row++) {
      float* scores = strip + row * layout.keys;
      const int64_t limit = keyLimit(plan, first + row);
      maskRow(plan, headMask, first + row, scores, limit);
      float largest;
      const float sum = exponentials(scores, limit, padded, largest);
      inverse[row] = sum > 0 ? 1.0f / sum : (sum == 0 ? 0.0f : sum);
      if (logSumExp != nullptr) {
        const float total = sum == 0 ? -infinity : largest + log(broadcast(sum))[0];
        logSumExp[(batch * plan.heads + head) * plan.queries + first + row] = total;
      }
    }
    product(rows, layout.headSize, numKeys, {strip, layout.keys, 1}, scratch + layout.values, layout.headSize, result,
            layout.headSize, false);
    T* to = out + batch * plan.out.batch + head * plan.out.head + first * plan.out.position;
    for (int64_t row = 0; row < rows; row++) {
      forEachVector(plan.headSize, [&](int64_t i, int64_t count) {
        storeUpTo(to + row * plan.out.position + i, loadUpTo(result + row * layout.headSize + i, count) * inverse[row], count);
      });
    }
  }

  void run(float* scratch) const {
    const int64_t work = plan.batch * plan.heads * plan.queries * plan.keys * plan.headSize * 2;
#pragma omp parallel for schedule(dynamic) num_threads(plan.numThreads) if (isWorthThreads(work))
    for (int64_t task = 0; task < plan.batch * plan.heads; task++) {
      runHead(task / plan.heads, task % plan.heads, scratch + omp_get_thread_num() * layout.size);
    }
  }
};

}  // namespace

void attention(const AttentionPlan& plan, const void* q, const void* k, const void* v, const void* mask, void* out,
               float* logSumExp, void* scratch) {
  withType(plan.dtype, [&](auto element) {
    using T = decltype(element);
    Forward<T>{plan, static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v), mask, static_cast<T*>(out),
               logSumExp}
        .run(static_cast<float*>(scratch));
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
