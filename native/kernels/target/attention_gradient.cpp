// Attention's backward pass. The probabilities are computed again from the log of the sum of exponentials:
//
//   p = exp(scores - logSumExp),  d = sum(dout out),  ds = scale p (dout valuesᵀ - d)
//   dq = ds keys,  dk = dsᵀ q,  dv = pᵀ dout
//
// A task is one head of keys with all heads of queries that share it, so that dk and dv are summed in one place and
// always in the same order. Queries are gone through in blocks, and for each the keys in tiles: two strips, of p and ds,
// stay in the cache.
#include "attention_packing.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

template <class Units, class T>
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

  struct Block {
    int64_t batch, head, first, rows;
    float* scratch;
    const char* mask;
    float along[attentionBlockRows];  // d
    float shift[attentionBlockRows];  // logSumExp, times log2 e
  };

  // Where the sum runs over queries, their rows are needed two by two; single units serve both ways.
  static constexpr bool isPaired = Units::elements == 2;
  int64_t queryPairs() const { return isPaired ? layout.queryPairs : layout.queries; }
  int64_t gradientPairs() const { return isPaired ? layout.gradientPairs : layout.gradients; }
  int64_t scoreGradientPairs() const { return isPaired ? layout.scoreGradientPairs : layout.scoreGradients; }

  int64_t width() const { return unitsOf(plan.headSize, Units::elements); }

  void runKeyHead(int64_t batch, int64_t keyHead, float* scratch) const {
    const T* keys = k + batch * plan.k.batch + keyHead * plan.k.head;
    const T* values = v + batch * plan.v.batch + keyHead * plan.v.head;
    packPanels<Units>(keys, plan.k.position, plan.keys, plan.headSize, scratch + layout.keysTransposed);
    packPanels<Units>(values, plan.v.position, plan.keys, plan.headSize, scratch + layout.valuesTransposed);
    packSummedRows<Units>(keys, plan.k.position, plan.keys, plan.headSize, scratch + layout.keyRows, layout.width);
    const size_t gradientBytes = static_cast<size_t>(plan.keys * layout.width) * sizeof(float);
    std::memset(scratch + layout.keyGradient, 0, gradientBytes);
    std::memset(scratch + layout.valueGradient, 0, gradientBytes);
    const int64_t sharing = plan.heads / plan.keyHeads;
    for (int64_t head = keyHead * sharing; head < (keyHead + 1) * sharing; head++) {
      for (int64_t first = 0; first < plan.queries; first += attentionBlockRows) {
        Block block{batch, head, first, smaller(plan.queries - first, attentionBlockRows), scratch, maskOfHead(plan, mask, batch, head), {}, {}};
        runBlock(block);
      }
    }
    unpackRows(scratch + layout.keyGradient, layout.width, plan.keys, plan.headSize,
               dk + batch * plan.dk.batch + keyHead * plan.dk.head, plan.dk.position);
    unpackRows(scratch + layout.valueGradient, layout.width, plan.keys, plan.headSize,
               dv + batch * plan.dv.batch + keyHead * plan.dv.head, plan.dv.position);
  }

  void runBlock(Block& block) const {
    float* scratch = block.scratch;
    const T* queries = q + block.batch * plan.q.batch + block.head * plan.q.head + block.first * plan.q.position;
    const T* gradients = dout + block.batch * plan.dout.batch + block.head * plan.dout.head + block.first * plan.dout.position;
    packRows<Units>(queries, plan.q.position, block.rows, plan.headSize, scratch + layout.queries, layout.width);
    packRows<Units>(gradients, plan.dout.position, block.rows, plan.headSize, scratch + layout.gradients, layout.width);
    if (isPaired) {
      packSummedRows<Units>(queries, plan.q.position, block.rows, plan.headSize, scratch + layout.queryPairs, layout.width);
      packSummedRows<Units>(gradients, plan.dout.position, block.rows, plan.headSize, scratch + layout.gradientPairs, layout.width);
    }
    prepareRows(block, gradients);
    const int64_t numKeys = keyLimit(plan, block.first + block.rows - 1);
    int64_t key = 0;
    do {
      runTile(block, key, smaller(numKeys - key, attentionGradientKeys));
      key += attentionGradientKeys;
    } while (key < numKeys);
    unpackRows(scratch + layout.result, layout.width, block.rows, plan.headSize,
               dq + block.batch * plan.dq.batch + block.head * plan.dq.head + block.first * plan.dq.position, plan.dq.position);
  }

  void prepareRows(Block& block, const T* gradients) const {
    const float* sums = logSumExp + (block.batch * plan.heads + block.head) * plan.queries + block.first;
    const T* outRows = out + block.batch * plan.out.batch + block.head * plan.out.head + block.first * plan.out.position;
    for (int64_t row = 0; row < block.rows; row++) {
      F32 products = {};
      forEachVector(plan.headSize, [&](int64_t i, int64_t n) {
        products = fma(loadUpTo(gradients + row * plan.dout.position + i, n), loadUpTo(outRows + row * plan.out.position + i, n), products);
      });
      block.along[row] = sumLanes(products) * plan.scale;
      block.shift[row] = sums[row] * log2OfEuler;
    }
  }

  /// Keys [key, key + count).
  void runTile(const Block& block, int64_t key, int64_t count) const {
    float* scratch = block.scratch;
    const int64_t stride = layout.stripWidth, rows = block.rows;
    // A query that sees no key at all has the sum -infinity, and no gradient.
    const auto limitOf = [&](int64_t row) { return larger<int64_t>(0, smaller(count, keyLimit(plan, block.first + row) - key)); };
    productWithPanels<Units>(rows, count, width(), {scratch + layout.queries, layout.width, 1},
                             scratch + layout.keysTransposed + key * width(), scratch + layout.scores, stride, limitOf);
    productWithPanels<Units>(rows, count, width(), {scratch + layout.gradients, layout.width, 1},
                             scratch + layout.valuesTransposed + key * width(), scratch + layout.products, stride, limitOf);
    differentiate(block, key, count, limitOf);
    const auto keysOfRows = [&](int64_t row, int64_t numRows) { return Depth{0, unitsOf(limitOf(row + numRows - 1), Units::elements)}; };
    product<Units>(rows, layout.width, {scratch + layout.scoreGradients, stride, 1},
                   scratch + layout.keyRows + key / Units::elements * layout.width, layout.width, scratch + layout.result, layout.width,
                   key > 0, keysOfRows);
    // The queries that look at a group of keys: all from the first that sees the first of them.
    const auto rowsOfKeys = [&](int64_t first, int64_t) {
      const int64_t row = plan.isCausal ? key + first - plan.causalOffset - block.first : 0;
      return Depth{larger<int64_t>(0, row) / Units::elements, unitsOf(rows, Units::elements)};
    };
    product<Units>(count, layout.width, {scratch + layout.probabilityPairs, 1, stride}, scratch + gradientPairs(), layout.width,
                   scratch + layout.valueGradient + key * layout.width, layout.width, true, rowsOfKeys);
    product<Units>(count, layout.width, {scratch + scoreGradientPairs(), 1, stride}, scratch + queryPairs(), layout.width,
                   scratch + layout.keyGradient + key * layout.width, layout.width, true, rowsOfKeys);
  }

  /// p and ds of a vector of keys of one row.
  struct Pair {
    F32 p, ds;
  };
  TALWEG_INLINE Pair differentiateVector(const Block& block, int64_t row, int64_t j, int64_t limit, float scale) const {
    const float* scores = block.scratch + layout.scores + row * layout.stripWidth + j;
    const float* products = block.scratch + layout.products + row * layout.stripWidth + j;
    const F32 power = fma(load(scores), scale, -block.shift[row]), slope = fma(load(products), plan.scale, -block.along[row]);
    if (limit >= lanes) {
      const F32 p = exp2Fast(power);
      return {p, p * slope};
    }
    if (limit <= 0) return {F32{}, F32{}};
    // Beyond the limit lies whatever a strip held before.
    const F32 p = exp2Fast(onlyFirst(power, limit));
    return {p, p * keepFirst(slope, limit)};
  }

  template <class LimitOf>
  void differentiate(const Block& block, int64_t key, int64_t count, const LimitOf& limitOf) const {
    const float scale = block.mask != nullptr ? log2OfEuler : plan.scale * log2OfEuler;
    for (int64_t row = 0; row < block.rows; row += Units::elements) {
      int64_t limits[Units::elements], most = 0;
      for (int64_t e = 0; e < Units::elements; e++) {
        const bool isThere = row + e < block.rows;
        const int64_t visible = isThere ? limitOf(row + e) : 0;
        limits[e] = isThere && block.shift[row + e] != -infinity ? visible : 0;
        most = larger(most, visible);
        if (limits[e] > 0 && block.mask != nullptr) {
          maskRow(plan, block.mask, block.first + row + e, key, limits[e], block.scratch + layout.scores + (row + e) * layout.stripWidth);
        }
      }
      // Zeros as far as the groups of rows and of keys look that this row is part of.
      const int64_t end = smaller(count, most + mostRowsAtOnce + 1);
      for (int64_t j = 0; j < end; j += lanes) {
        Pair pairs[Units::elements];
        for (int64_t e = 0; e < Units::elements; e++) pairs[e] = differentiateVector(block, row + e, j, limits[e] - j, scale);
        storePairs(block, row, j, pairs);
      }
    }
  }

  TALWEG_INLINE void storePairs(const Block& block, int64_t row, int64_t j, const Pair* pairs) const {
    const int64_t at = row / Units::elements * layout.stripWidth + j;
#if defined(__AVX512BF16__)
    if constexpr (isPaired) {
      const U16 p[2] = {narrowFast(pairs[0].p), narrowFast(pairs[1].p)}, ds[2] = {narrowFast(pairs[0].ds), narrowFast(pairs[1].ds)};
      store(block.scratch + layout.probabilityPairs + at, interleave(p[0], p[1]));
      store(block.scratch + layout.scoreGradientPairs + at, interleave(ds[0], ds[1]));
      for (int64_t e = 0; e < 2; e++) {
        storeAs(reinterpret_cast<BFloat16*>(block.scratch + layout.scoreGradients + (row + e) * layout.stripWidth) + j, ds[e]);
      }
      return;
    }
#endif
    store(block.scratch + layout.probabilityPairs + at, pairs[0].p);
    store(block.scratch + layout.scoreGradients + at, pairs[0].ds);
  }

  void run(float* scratch) const {
    const int64_t work = plan.batch * plan.heads * plan.queries * plan.keys * plan.headSize * 5;
    parallelForUnequal(isWorthThreads(work), plan.batch * plan.keyHeads, plan.numThreads, [&](int64_t task, int64_t thread) {
      runKeyHead(task / plan.keyHeads, task % plan.keyHeads, scratch + thread * layout.size);
    });
  }
};

}  // namespace

void attentionGradient(const AttentionPlan& plan, const void* q, const void* k, const void* v, const void* mask,
                       const void* out, const void* dout, const float* logSumExp, void* dq, void* dk, void* dv, void* scratch) {
  withUnits(plan.dtype, [&](auto units, auto element) {
    using T = decltype(element);
    Backward<decltype(units), T>{plan,
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
