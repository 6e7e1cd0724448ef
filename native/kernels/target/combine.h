// The combinations of reductions, on single values and on vectors, with their neutral elements.
#pragma once

#include "vector.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

template <class T>
constexpr bool isFloating = T(0.5f) != T(0);

template <class T>
constexpr T leastValue() {
  if constexpr (sizeof(T) == 8) return -__builtin_inf();
  else if constexpr (isFloating<T>) return -__builtin_inff();
  else if constexpr (T(-1) < T(0)) return T(-2147483647 - 1);
  else return T(0);
}
template <class T>
constexpr T greatestValue() {
  if constexpr (sizeof(T) == 8) return __builtin_inf();
  else if constexpr (isFloating<T>) return __builtin_inff();
  else if constexpr (T(-1) < T(0)) return T(2147483647);
  else return T(-1);
}

/// `prepare` is done to each element first; `apply` works on T and on vectors of T.
struct Add {
  template <class T> static constexpr T neutral() { return T(0); }
  template <class V> static TALWEG_INLINE V prepare(V x) { return x; }
  template <class V> static TALWEG_INLINE V apply(V a, V b) { return a + b; }
};
struct SumOfSquares : Add {
  template <class V> static TALWEG_INLINE V prepare(V x) { return x * x; }
};
struct Multiply {
  template <class T> static constexpr T neutral() { return T(1); }
  template <class V> static TALWEG_INLINE V prepare(V x) { return x; }
  template <class V> static TALWEG_INLINE V apply(V a, V b) { return a * b; }
};
struct Maximum {
  template <class T> static constexpr T neutral() { return leastValue<T>(); }
  template <class V> static TALWEG_INLINE V prepare(V x) { return x; }
  template <class V> static TALWEG_INLINE V apply(V a, V b) { return maximum(a, b); }
};
struct Minimum {
  template <class T> static constexpr T neutral() { return greatestValue<T>(); }
  template <class V> static TALWEG_INLINE V prepare(V x) { return x; }
  template <class V> static TALWEG_INLINE V apply(V a, V b) { return minimum(a, b); }
};
struct BitAnd {
  template <class T> static constexpr T neutral() { return T(-1); }
  template <class V> static TALWEG_INLINE V prepare(V x) { return x; }
  template <class V> static TALWEG_INLINE V apply(V a, V b) { return a & b; }
};
struct BitOr {
  template <class T> static constexpr T neutral() { return T(0); }
  template <class V> static TALWEG_INLINE V prepare(V x) { return x; }
  template <class V> static TALWEG_INLINE V apply(V a, V b) { return a | b; }
};

/// Bool as bytes of 0 and 1: sums are ors, products ands, and the neutral elements are 0 and 1.
struct BooleanAnd : BitAnd {
  template <class T> static constexpr T neutral() { return T(1); }
};

/// The type in which a source's elements are combined: bf16 as f32.
template <class Source>
struct ArithmeticOf { using type = Source; };
template <>
struct ArithmeticOf<BFloat16> { using type = float; };
/// The type in which partial results are: f32 in f64.
template <class T>
struct TotalOf { using type = T; };
template <>
struct TotalOf<float> { using type = double; };

/// Calls visit(Operation{}, Source{}) for the combination and dtype of a plan.
template <class Visit>
TALWEG_INLINE void visitFloatCombination(Combine combine, Visit visit) {
  switch (combine) {
    case Combine::add: return visit(Add{});
    case Combine::multiply: return visit(Multiply{});
    case Combine::maximum: return visit(Maximum{});
    case Combine::minimum: return visit(Minimum{});
    case Combine::sumOfSquares: return visit(SumOfSquares{});
    default: return;  // refused by the plan
  }
}
template <class Visit>
TALWEG_INLINE void visitIntegerCombination(Combine combine, Visit visit) {
  switch (combine) {
    case Combine::add: return visit(Add{});
    case Combine::multiply: return visit(Multiply{});
    case Combine::maximum: return visit(Maximum{});
    case Combine::minimum: return visit(Minimum{});
    case Combine::logicalAnd: return visit(BitAnd{});
    case Combine::logicalOr: return visit(BitOr{});
    default: return;
  }
}
template <class Visit>
TALWEG_INLINE void visitBooleanCombination(Combine combine, Visit visit) {
  const bool isAnd = combine == Combine::multiply || combine == Combine::minimum || combine == Combine::logicalAnd;
  if (isAnd) return visit(BooleanAnd{});
  visit(BitOr{});
}

template <class Visit>
TALWEG_INLINE void visitCombination(Combine combine, DType dtype, Visit visit) {
  switch (dtype) {
    case DType::f64: return visitFloatCombination(combine, [&](auto operation) { visit(operation, double{}); });
    case DType::f32: return visitFloatCombination(combine, [&](auto operation) { visit(operation, float{}); });
    case DType::bf16: return visitFloatCombination(combine, [&](auto operation) { visit(operation, BFloat16{}); });
    case DType::i32: return visitIntegerCombination(combine, [&](auto operation) { visit(operation, int32_t{}); });
    case DType::u32: return visitIntegerCombination(combine, [&](auto operation) { visit(operation, uint32_t{}); });
    case DType::u8: return visitIntegerCombination(combine, [&](auto operation) { visit(operation, uint8_t{}); });
    case DType::boolean: return visitBooleanCombination(combine, [&](auto operation) { visit(operation, uint8_t{}); });
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
