// Reductions in three forms: along contiguous rows, across rows (columns), and any other.
//
// f32 and bf16 are combined in f32 vectors over at most a few hundred elements a lane; those partial results are combined
// in f64. Chunks are the plan's; their partial results go to the scratch memory and are combined in order.
#include "combine.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

namespace {

template <class T>
constexpr int lanesOf = sizeof(T) == 8 ? lanes / 2 : lanes;
template <class T>
using VectorFor = Vector<T, lanesOf<T>>;

template <class Source>
TALWEG_INLINE VectorFor<typename ArithmeticOf<Source>::type> loadVector(const Source* p) {
  if constexpr (sizeof(Source) == 2) return load(p);
  else return loadAs<VectorFor<Source>>(p);
}
template <class Source>
TALWEG_INLINE typename ArithmeticOf<Source>::type loadElement(const Source* p) {
  if constexpr (sizeof(Source) == 2) return loadScalar(p);
  else return *p;
}

/// Everything about a reduction that the compiler knows.
template <class Operation, class Source>
struct Reduction {
  using T = typename ArithmeticOf<Source>::type;
  using Total = typename TotalOf<T>::type;
  using V = VectorFor<T>;
  static constexpr int width = lanesOf<T>;
  using Totals = Vector<Total, width>;

  static Total neutral() { return static_cast<Total>(Operation::template neutral<T>()); }

  static int64_t offsetOf(int rank, const int64_t* sizes, const int64_t* strides, int64_t position) {
    int64_t offset = 0;
    for (int dim = rank - 1; dim >= 0; dim--) {
      offset += position % sizes[dim] * strides[dim];
      position /= sizes[dim];
    }
    return offset;
  }
  static int64_t keptOffset(const ReducePlan& plan, int64_t k) { return offsetOf(plan.keptRank, plan.keptSizes, plan.keptStrides, k); }
  static int64_t reducedOffset(const ReducePlan& plan, int64_t r) {
    return plan.reducedRank == 1 ? r * plan.reducedStrides[0] : offsetOf(plan.reducedRank, plan.reducedSizes, plan.reducedStrides, r);
  }

  static void storeResult(const ReducePlan& plan, Total total, const void* initial, void* result, int64_t index) {
    if (plan.resultDType == DType::bf16) {
      if (initial != nullptr) total = Operation::apply(static_cast<Total>(loadScalar(static_cast<const BFloat16*>(initial))), total);
      storeScalar(static_cast<BFloat16*>(result) + index, static_cast<float>(total));
    } else {
      if (initial != nullptr) total = Operation::apply(static_cast<Total>(*static_cast<const T*>(initial)), total);
      static_cast<T*>(result)[index] = static_cast<T>(total);
    }
  }

  // ---- rows ----

  /// A contiguous run, in blocks of 64 vectors over four accumulators.
  static Total reduceRun(const Source* p, int64_t count) {
    Total total = neutral();
    const V start = V{} + Operation::template neutral<T>();
    while (count >= width) {
      const int64_t block = smaller<int64_t>(count / width, 64) * width;
      V a = start, b = start, c = start, d = start;
      int64_t i = 0;
      for (; i + 4 * width <= block; i += 4 * width) {
        a = Operation::apply(a, Operation::prepare(loadVector(p + i)));
        b = Operation::apply(b, Operation::prepare(loadVector(p + i + width)));
        c = Operation::apply(c, Operation::prepare(loadVector(p + i + 2 * width)));
        d = Operation::apply(d, Operation::prepare(loadVector(p + i + 3 * width)));
      }
      for (; i < block; i += width) a = Operation::apply(a, Operation::prepare(loadVector(p + i)));
      const V all = Operation::apply(Operation::apply(a, b), Operation::apply(c, d));
      total = Operation::apply(total, static_cast<Total>(reduceLanes(all, [](T x, T y) { return Operation::apply(x, y); })));
      p += block;
      count -= block;
    }
    for (int64_t i = 0; i < count; i++) {
      total = Operation::apply(total, static_cast<Total>(Operation::prepare(loadElement(p + i))));
    }
    return total;
  }

  static Total reduceChunkOfRows(const ReducePlan& plan, const Source* source, int64_t chunk) {
    const int64_t from = chunk * plan.chunkSize;
    if (plan.numReduced == 1) {
      return reduceRun(source + from, plan.numChunks == 1 ? plan.innerSize : smaller(plan.chunkSize, plan.innerSize - from));
    }
    const int64_t to = smaller(from + plan.chunkSize, plan.numReduced);
    Total total = neutral();
    for (int64_t r = from; r < to; r++) total = Operation::apply(total, reduceRun(source + reducedOffset(plan, r), plan.innerSize));
    return total;
  }

  static void rows(const ReducePlan& plan, const Source* source, const void* initial, void* result, Total* scratch, bool isParallel) {
    parallelFor(isParallel, plan.numKept * plan.numChunks, [&](int64_t task) {
      const int64_t kept = task / plan.numChunks;
      const Total total = reduceChunkOfRows(plan, source + keptOffset(plan, kept), task % plan.numChunks);
      if (plan.numChunks == 1) {
        storeResult(plan, total, initial, result, kept);
      } else {
        scratch[task] = total;
      }
    });
    if (plan.numChunks == 1) return;
    for (int64_t kept = 0; kept < plan.numKept; kept++) {
      Total total = neutral();
      for (int64_t chunk = 0; chunk < plan.numChunks; chunk++) total = Operation::apply(total, scratch[kept * plan.numChunks + chunk]);
      storeResult(plan, total, initial, result, kept);
    }
  }

  // ---- columns ----

  /// Adds rows [from, to) to a tile of columns held in the cache: four rows at a time, 128 before the totals take over.
  static void reduceTile(const ReducePlan& plan, const Source* source, int64_t from, int64_t to, int64_t columns, Total* totals) {
    static_assert(reduceTileColumns % width == 0, "what is beyond the columns of a tile is still in its arrays");
    alignas(64) T partial[reduceTileColumns];
    const V start = V{} + Operation::template neutral<T>();
    for (int64_t c = 0; c < columns; c += width) storeAs<Totals>(totals + c, __builtin_convertvector(start, Totals));
    for (int64_t block = from; block < to; block += 128) {
      const int64_t end = smaller<int64_t>(block + 128, to);
      for (int64_t c = 0; c < columns; c += width) storeAs<V>(partial + c, start);
      int64_t row = block;
      for (; row + 4 <= end; row += 4) {
        const Source* p[4];
        for (int i = 0; i < 4; i++) p[i] = source + reducedOffset(plan, row + i);
        int64_t c = 0;
        for (; c + width <= columns; c += width) {
          const V first = Operation::apply(Operation::prepare(loadVector(p[0] + c)), Operation::prepare(loadVector(p[1] + c)));
          const V second = Operation::apply(Operation::prepare(loadVector(p[2] + c)), Operation::prepare(loadVector(p[3] + c)));
          storeAs<V>(partial + c, Operation::apply(loadAs<V>(partial + c), Operation::apply(first, second)));
        }
        for (; c < columns; c++) {
          const T first = Operation::apply(Operation::prepare(loadElement(p[0] + c)), Operation::prepare(loadElement(p[1] + c)));
          const T second = Operation::apply(Operation::prepare(loadElement(p[2] + c)), Operation::prepare(loadElement(p[3] + c)));
          partial[c] = Operation::apply(partial[c], Operation::apply(first, second));
        }
      }
      for (; row < end; row++) {
        const Source* p = source + reducedOffset(plan, row);
        int64_t c = 0;
        for (; c + width <= columns; c += width) {
          storeAs<V>(partial + c, Operation::apply(loadAs<V>(partial + c), Operation::prepare(loadVector(p + c))));
        }
        for (; c < columns; c++) partial[c] = Operation::apply(partial[c], Operation::prepare(loadElement(p + c)));
      }
      for (int64_t c = 0; c < columns; c += width) {
        const Totals sums = __builtin_convertvector(loadAs<V>(partial + c), Totals);
        storeAs<Totals>(totals + c, Operation::apply(loadAs<Totals>(totals + c), sums));
      }
    }
  }

  static void columns(const ReducePlan& plan, const Source* source, const void* initial, void* result, Total* scratch, bool isParallel) {
    const int64_t tiles = ceilDiv(plan.innerSize, reduceTileColumns);
    const int64_t numResults = plan.numKept * plan.innerSize;
    parallelFor(isParallel, plan.numKept * tiles * plan.numChunks, [&](int64_t task) {
      const int64_t chunk = task % plan.numChunks, tile = task / plan.numChunks % tiles, kept = task / plan.numChunks / tiles;
      const int64_t column = tile * reduceTileColumns, count = smaller(reduceTileColumns, plan.innerSize - column);
      const int64_t from = chunk * plan.chunkSize, to = smaller(from + plan.chunkSize, plan.numReduced);
      const int64_t index = kept * plan.innerSize + column;
      alignas(64) Total totals[reduceTileColumns];
      reduceTile(plan, source + keptOffset(plan, kept) + column, from, to, count, totals);
      if (plan.numChunks > 1) {
        std::memcpy(scratch + chunk * numResults + index, totals, static_cast<size_t>(count) * sizeof(Total));
      } else {
        for (int64_t c = 0; c < count; c++) storeResult(plan, totals[c], initial, result, index + c);
      }
    });
    if (plan.numChunks > 1) joinChunks(plan, initial, result, numResults, scratch);
  }

  /// Combines the chunks' totals of each result in order, a vector of results at a time.
  static void joinChunks(const ReducePlan& plan, const void* initial, void* result, int64_t numResults, const Total* scratch) {
    parallelFor(isWorthThreads(plan.numChunks * numResults * 2), ceilDiv(numResults, width), [&](int64_t task) {
      const int64_t index = task * width, count = smaller<int64_t>(width, numResults - index);
      alignas(64) Total totals[width];
      for (int c = 0; c < width; c++) totals[c] = neutral();
      if (count == width) {
        Totals all = loadAs<Totals>(totals);
        for (int64_t chunk = 0; chunk < plan.numChunks; chunk++) {
          all = Operation::apply(all, loadAs<Totals>(scratch + chunk * numResults + index));
        }
        storeAs<Totals>(totals, all);
      } else {
        for (int64_t chunk = 0; chunk < plan.numChunks; chunk++) {
          for (int64_t c = 0; c < count; c++) totals[c] = Operation::apply(totals[c], scratch[chunk * numResults + index + c]);
        }
      }
      for (int64_t c = 0; c < count; c++) storeResult(plan, totals[c], initial, result, index + c);
    });
  }

  // ---- any other ----

  static void general(const ReducePlan& plan, const Source* source, const void* initial, void* result, bool isParallel) {
    parallelFor(isParallel, plan.numKept, [&](int64_t kept) {
      const Source* p = source + keptOffset(plan, kept);
      Total total = neutral();
      for (int64_t r = 0; r < plan.numReduced; r++) {
        total = Operation::apply(total, static_cast<Total>(Operation::prepare(loadElement(p + reducedOffset(plan, r)))));
      }
      storeResult(plan, total, initial, result, kept);
    });
  }

  static void run(const ReducePlan& plan, const void* from, const void* initial, void* result, void* scratch) {
    const Source* source = static_cast<const Source*>(from);
    const int64_t elements = plan.numKept * plan.numReduced * plan.innerSize;
    const bool isParallel = isWorthThreads(elements * 2);
    switch (plan.form) {
      case ReducePlan::Form::empty: return;
      case ReducePlan::Form::fill:
        for (int64_t i = 0; i < plan.numKept; i++) storeResult(plan, neutral(), initial, result, i);
        return;
      case ReducePlan::Form::rows: return rows(plan, source, initial, result, static_cast<Total*>(scratch), isParallel);
      case ReducePlan::Form::columns: return columns(plan, source, initial, result, static_cast<Total*>(scratch), isParallel);
      case ReducePlan::Form::general: return general(plan, source, initial, result, isWorthThreads(elements * 16));
    }
  }
};

}  // namespace

void reduce(const ReducePlan& plan, const void* source, const void* initial, void* result, void* scratch) {
  visitCombination(plan.combine, plan.dtype, [&](auto operation, auto element) {
    Reduction<decltype(operation), decltype(element)>::run(plan, source, initial, result, scratch);
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
