// reduceWindow and the gradient of its maximum, as plain loops: for what oneDNN's pooling doesn't do.
#include "combine.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

namespace {

template <class Source>
TALWEG_INLINE typename ArithmeticOf<Source>::type loadElement(const Source* p) {
  if constexpr (sizeof(Source) == 2) return loadScalar(p);
  else return *p;
}
template <class Source, class T>
TALWEG_INLINE void storeElement(Source* p, T value) {
  if constexpr (sizeof(Source) == 2) storeScalar(p, static_cast<float>(value));
  else *p = static_cast<Source>(value);
}

int64_t numResults(const WindowPlan& plan) {
  int64_t count = 1;
  for (int dim = 0; dim < plan.rank; dim++) count *= plan.resultSizes[dim];
  return count;
}
int64_t windowElements(const WindowPlan& plan) {
  int64_t count = 1;
  for (int dim = 0; dim < plan.rank; dim++) count *= plan.window[dim];
  return count;
}

/// Calls body(offset in the source) for each element under the window at `position`, in row-major order.
template <class Body>
TALWEG_INLINE void forEachInWindow(const WindowPlan& plan, int64_t position, Body body) {
  int64_t origin[maxRank], at[maxRank] = {};
  for (int dim = plan.rank - 1; dim >= 0; dim--) {
    origin[dim] = position % plan.resultSizes[dim] * plan.strides[dim] - plan.paddingLow[dim];
    position /= plan.resultSizes[dim];
  }
  const int64_t count = windowElements(plan);
  for (int64_t i = 0; i < count; i++) {
    int64_t offset = 0;
    bool isInside = true;
    for (int dim = 0; dim < plan.rank; dim++) {
      const int64_t place = origin[dim] + at[dim] * plan.windowDilation[dim];
      const int64_t index = place / plan.baseDilation[dim];
      isInside = isInside && place >= 0 && index < plan.sourceSizes[dim] && index * plan.baseDilation[dim] == place;
      offset += index * plan.sourceStrides[dim];
    }
    if (isInside) body(offset);
    for (int dim = plan.rank - 1; dim >= 0; dim--) {
      if (++at[dim] < plan.window[dim]) break;
      at[dim] = 0;
    }
  }
}

template <class Operation, class Source>
void run(const WindowPlan& plan, const Source* source, const Source* initial, Source* result) {
  using T = typename ArithmeticOf<Source>::type;
  using Total = typename TotalOf<T>::type;
  const int64_t count = numResults(plan);
  const Total start = static_cast<Total>(initial != nullptr ? loadElement(initial) : Operation::template neutral<T>());
  parallelFor(isWorthThreads(count * windowElements(plan) * 64), count, [&](int64_t position) {
    Total total = start;
    forEachInWindow(plan, position, [&](int64_t offset) {
      total = Operation::apply(total, static_cast<Total>(loadElement(source + offset)));
    });
    storeElement(result + position, total);
  });
}

/// Gradients are summed in place, so in the source's dtype; results [from, to) of the leading dimension.
template <class Source>
void maxGradient(const WindowPlan& plan, const Source* source, const Source* gradient, Source* sourceGradient, int64_t from, int64_t to) {
  const int64_t inner = numResults(plan) / larger<int64_t>(plan.resultSizes[0], 1);
  for (int64_t position = from * inner; position < to * inner; position++) {
    int64_t best = -1;
    forEachInWindow(plan, position, [&](int64_t offset) {
      // NaN is the largest of all, as in the forward pass.
      const auto value = loadElement(source + offset);
      if (best < 0) {
        best = offset;
        return;
      }
      const auto kept = loadElement(source + best);
      if (value > kept || (value != value && kept == kept)) best = offset;
    });
    if (best >= 0) storeElement(sourceGradient + best, loadElement(sourceGradient + best) + loadElement(gradient + position));
  }
}

template <class Source>
void runMaxGradient(const WindowPlan& plan, const void* source, const void* gradient, void* sourceGradient) {
  int64_t numSource = 1;
  for (int dim = 0; dim < plan.rank; dim++) numSource *= plan.sourceSizes[dim];
  std::memset(sourceGradient, 0, static_cast<size_t>(numSource) * sizeof(Source));
  if (plan.rank == 0) {
    storeElement(static_cast<Source*>(sourceGradient), loadElement(static_cast<const Source*>(gradient)));
    return;
  }
  const int64_t leading = plan.resultSizes[0];
  const bool isApart = (plan.window[0] - 1) * plan.windowDilation[0] < plan.strides[0];
  parallelFor(isApart && isWorthThreads(numResults(plan) * windowElements(plan) * 64), leading, [&](int64_t i) {
    maxGradient(plan, static_cast<const Source*>(source), static_cast<const Source*>(gradient), static_cast<Source*>(sourceGradient), i, i + 1);
  });
}

}  // namespace

void reduceWindow(const WindowPlan& plan, const void* source, const void* initial, void* result) {
  visitCombination(plan.combine, plan.dtype, [&](auto operation, auto element) {
    using Source = decltype(element);
    run<decltype(operation)>(plan, static_cast<const Source*>(source), static_cast<const Source*>(initial), static_cast<Source*>(result));
  });
}

void maxPoolGradient(const WindowPlan& plan, const void* source, const void* resultGradient, void* sourceGradient) {
  switch (plan.dtype) {
    case DType::f64: return runMaxGradient<double>(plan, source, resultGradient, sourceGradient);
    case DType::f32: return runMaxGradient<float>(plan, source, resultGradient, sourceGradient);
    case DType::bf16: return runMaxGradient<BFloat16>(plan, source, resultGradient, sourceGradient);
    default: return;  // only floats have gradients
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
