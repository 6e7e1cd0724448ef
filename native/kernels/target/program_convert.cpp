// Vector programs: conversions between all dtypes, as plain loops that the compiler vectorises.
#include "program_ops.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

namespace {

/// Tags, since u8 and bool, f32 and bf16 share a storage type in registers.
template <DType dtype>
struct Storage;
template <>
struct Storage<DType::f64> { using type = double; };
template <>
struct Storage<DType::f32> { using type = float; };
template <>
struct Storage<DType::bf16> { using type = float; };
template <>
struct Storage<DType::i32> { using type = int32_t; };
template <>
struct Storage<DType::u32> { using type = uint32_t; };
template <>
struct Storage<DType::u8> { using type = uint8_t; };
template <>
struct Storage<DType::boolean> { using type = uint8_t; };

constexpr bool isFloat(DType dtype) { return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::bf16; }

TALWEG_INLINE float roundToBFloat16(float value) {
  const uint32_t bits = bitcast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  return bitcast<float>(value != value ? bits | 0x400000u : rounded);
}

/// Truncates and saturates; NaN becomes 0. The bounds are doubles that the integer type holds exactly.
template <class To, class From>
TALWEG_INLINE To toInteger(From value) {
  constexpr double low = To(-1) < To(0) ? -2147483648.0 : 0.0;
  constexpr double high = To(-1) < To(0) ? 2147483647.0 : static_cast<double>(To(-1));
  const double wide = static_cast<double>(value);
  const double bounded = wide < low ? low : wide > high ? high : wide;
  return static_cast<To>(static_cast<int64_t>(wide != wide ? 0.0 : bounded));
}

template <DType from, DType to>
TALWEG_INLINE typename Storage<to>::type convertOne(typename Storage<from>::type value) {
  using To = typename Storage<to>::type;
  if constexpr (to == DType::boolean) return value != 0;
  else if constexpr (to == DType::bf16) {
    // From f64 or an integer by way of f32, rounded twice, as XLA does.
    return from == DType::bf16 ? static_cast<float>(value) : roundToBFloat16(static_cast<float>(value));
  } else if constexpr (isFloat(from) && !isFloat(to)) return toInteger<To>(value);
  else return static_cast<To>(value);
}

template <DType from, DType to>
void convert(const BlockArguments& arguments) {
  const auto* a = static_cast<const typename Storage<from>::type*>(arguments.operands[0]);
  auto* result = static_cast<typename Storage<to>::type*>(arguments.result);
  if (arguments.steps[0] == 0) {
    const auto value = convertOne<from, to>(a[0]);
    for (int64_t i = 0; i < arguments.count; i++) result[i] = value;
    return;
  }
  // A result may take its operand's place, element by element.
#pragma GCC ivdep
  for (int64_t i = 0; i < arguments.count; i++) result[i] = convertOne<from, to>(a[i]);
}

template <DType from>
BlockOperation findFrom(DType to) {
  switch (to) {
    case DType::f64: return convert<from, DType::f64>;
    case DType::f32: return convert<from, DType::f32>;
    case DType::bf16: return convert<from, DType::bf16>;
    case DType::i32: return convert<from, DType::i32>;
    case DType::u32: return convert<from, DType::u32>;
    case DType::u8: return convert<from, DType::u8>;
    case DType::boolean: return convert<from, DType::boolean>;
  }
  return nullptr;
}

template <class T>
void copyBlock(const BlockArguments& a) { mapUnary<T>(a, [](auto x) { return x; }); }

}  // namespace

BlockOperation findConversion(DType from, DType to) {
  switch (from) {
    case DType::f64: return findFrom<DType::f64>(to);
    case DType::f32: return findFrom<DType::f32>(to);
    case DType::bf16: return findFrom<DType::bf16>(to);
    case DType::i32: return findFrom<DType::i32>(to);
    case DType::u32: return findFrom<DType::u32>(to);
    case DType::u8: return findFrom<DType::u8>(to);
    case DType::boolean: return findFrom<DType::boolean>(to);
  }
  return nullptr;
}

BlockOperation findCopy(DType dtype) {
  switch (elementSize(dtype)) {
    case 8: return copyBlock<uint64_t>;
    case 1: return copyBlock<uint8_t>;
    default: return copyBlock<uint32_t>;
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
