// Attention's backward pass. The probabilities are computed again from the log of the sum of exponentials:
//
//   p = exp(scores - logSumExp),  d = sum(dout out),  ds = scale p (dout valuesᵀ - d)
//   dq = ds keys,  dk = dsᵀ q,  dv = pᵀ dout
//
// A thread takes one head of keys with all heads of queries that share it, so that dk and dv are summed in one place and
// always in the same order.
#include <omp.h>

#include "attention_products.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

template <class T>
struct Backward {
  const AttentionPlan& plan;
  const T* q;
  const T* k;
  const T* v;
  const void* mask;
  const T* out;
  const T* dout;
  const float* logSumExp;
  T* dq;
  T* dk;
  T* dv;
  const AttentionLayout layout = attentionLayout(plan, true);

  void runKeyHead(int64_t batch, int64_t keyHead, float* scratch) const {
    const T* keys = k + batch * plan.k.batch + keyHead * plan.k.head;
    const T* values = v + batch * plan.v.batch + keyHead * plan.v.head;
    packColumns(keys, plan.k.position, plan.keys, plan.headSize, scratch + layout.keysTransposed, layout.keys);
    packColumns(values, plan.v.position, plan.keys, plan.headSize, scratch + layout.valuesTransposed, layout.keys);
    packRows(keys, plan.k.position, plan.keys, plan.headSize, 1.0f, scratch + layout.rowsOfKeys, layout.headSize);
    const size_t gradientBytes = static_cast<size_t>(plan.keys * layout.headSize) * sizeof(float);
    std::memset(scratch + layout.keyGradient, 0, gradientBytes);
    std::memset(scratch + layout.valueGradient, 0, gradientBytes);
    const int64_t sharing = plan.heads / plan.keyHeads;
    for (int64_t head = keyHead * sharing; head < (keyHead + 1) * sharing; head++) {
      for (int64_t first = 0; first < plan.queries; first += attentionBlockRows) {
        runBlock(batch, head, first, smaller(plan.queries - first, attentionBlockRows), scratch);
      }
    }
    unpackRows(scratch + layout.keyGradient, layout.headSize, plan.keys, plan.headSize,
               dk + batch * plan.dk.batch + keyHead * plan.dk.head, plan.dk.position);
    unpackRows(scratch + layout.valueGradient, layout.headSize, plan.keys, plan.headSize,
               dv + batch * plan.dv.batch + keyHead * plan.dv.head, plan.dv.position);
  }

  void runBlock(int64_t batch, int64_t head, int64_t first, int64_t rows, float* scratch) const {
    float* queries = scratch + layout.queries;
    float* gradients = scratch + layout.gradients;
    float* strip = scratch + layout.strip;
    float* second = scratch + layout.secondStrip;
    const int64_t width = layout.headSize;
    const T* queryRows = q + batch * plan.q.batch + head * plan.q.head + first * plan.q.position;
    const T* gradientRows = dout + batch * plan.dout.batch + head * plan.dout.head + first * plan.dout.position;
    packRows(queryRows, plan.q.position, rows, plan.headSize, plan.scale, queries, width);
    packRows(gradientRows, plan.dout.position, rows, plan.headSize, 1.0f, gradients, width);
    const int64_t numKeys = keyLimit(plan, first + rows - 1), padded = roundUp(numKeys, lanes);
    product(rows, padded, plan.headSize, {queries, width, 1}, scratch + layout.keysTransposed, layout.keys, strip, layout.keys,
            false);
    product(rows, padded, plan.headSize, {gradients, width, 1}, scratch + layout.valuesTransposed, layout.keys, second,
            layout.keys, false);
    differentiateScores(batch, head, first, rows, padded, strip, second, gradients);
    // The queries carry the scale, which dk wants once and dq gets at its end.
    product(numKeys, width, rows, {strip, 1, layout.keys}, gradients, width, scratch + layout.valueGradient, width, true);
    product(numKeys, width, rows, {second, 1, layout.keys}, queries, width, scratch + layout.keyGradient, width, true);
    float* result = scratch + layout.result;
    product(rows, width, numKeys, {second, layout.keys, 1}, scratch + layout.rowsOfKeys, width, result, width, false);
    T* to = dq + batch * plan.dq.batch + head * plan.dq.head + first * plan.dq.position;
    for (int64_t row = 0; row < rows; row++) {
      forEachVector(plan.headSize, [&](int64_t i, int64_t count) {
        storeUpTo(to + row * plan.dq.position + i, loadUpTo(result + row * width + i, count) * plan.scale, count);
      });
    }
  }

  /// Scores become probabilities p, and dout valuesᵀ becomes p (dout valuesᵀ - d).
  void differentiateScores(int64_t batch, int64_t head, int64_t first, int64_t rows, int64_t padded, float* strip, float* second,
                           const float* gradients) const {
    const char* headMask = maskOfHead(plan, mask, batch, head);
    const float* sums = logSumExp + (batch * plan.heads + head) * plan.queries + first;
    const T* outRows = out + batch * plan.out.batch + head * plan.out.head + first * plan.out.position;
    for (int64_t row = 0; row < rows; row++) {
      float* scores = strip + row * layout.keys;
      float* ds = second + row * layout.keys;
      // A query that sees no key has the sum -infinity, and no gradient.
      const int64_t limit = sums[row] == -infinity ? 0 : keyLimit(plan, first + row);
      maskRow(plan, headMask, first + row, scores, limit);
      F32 products = {};
      forEachVector(plan.headSize, [&](int64_t i, int64_t count) {
        products = fma(loadUpTo(gradients + row * layout.headSize + i, count),
                       loadUpTo(outRows + row * plan.out.position + i, count), products);
      });
      const float d = sumLanes(products);
      forEachVector(limit, [&](int64_t j, int64_t count) {
        const F32 p = expFast(loadUpTo(scores + j, count, -infinity) - sums[row]);
        storeUpTo(scores + j, p, count);
        storeUpTo(ds + j, p * (loadUpTo(ds + j, count) - d), count);
      });
      for (int64_t j = limit; j < padded; j++) scores[j] = ds[j] = 0;
    }
  }

  void run(float* scratch) const {
    const int64_t work = plan.batch * plan.heads * plan.queries * plan.keys * plan.headSize * 5;
#pragma omp parallel for schedule(dynamic) num_threads(plan.numThreads) if (isWorthThreads(work))
    for (int64_t task = 0; task < plan.batch * plan.keyHeads; task++) {
      runKeyHead(task / plan.keyHeads, task % plan.keyHeads, scratch + omp_get_thread_num() * layout.size);
    }
  }
};

}  // namespace

void attentionGradient(const AttentionPlan& plan, const void* q, const void* k, const void* v, const void* mask,
                       const void* out, const void* dout, const float* logSumExp, void* dq, void* dk, void* dv, void* scratch) {
  withType(plan.dtype, [&](auto element) {
    using T = decltype(element);
    Backward<T>{plan,
                static_cast<const T*>(q),
                static_cast<const T*>(k),
                static_cast<const T*>(v),
                mask,
                static_cast<const T*>(out),
                static_cast<const T*>(dout),
                logSumExp,
                static_cast<T*>(dq),
                static_cast<T*>(dk),
                static_cast<T*>(dv)}
        .run(static_cast<float*>(scratch));
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
