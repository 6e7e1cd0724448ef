// Vector programs: arithmetic, logic, comparison and selection, for every dtype.
#include <cmath>

#include "math.h"
#include "program_ops.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

namespace {

template <class T>
constexpr bool isFloatType = T(0.5f) != T(0);
template <class T>
constexpr bool isSignedType = T(-1) < T(0);

template <class T>
using MaskFor = decltype(VectorFor<T>{} < VectorFor<T>{});
using Byte = uint8_t;
template <class T>
using BytesFor = Vector<Byte, lanesOf<T>>;

/// A mask as the bytes of bools, and back.
template <class T>
TALWEG_INLINE BytesFor<T> toBytes(MaskFor<T> mask) {
  if constexpr (sizeof(T) == 1) return bitcast<BytesFor<T>>(mask) & Byte(1);
  else if constexpr (sizeof(T) == 4) return narrowToBytes(bitcast<U32>(mask)) & Byte(1);
  else return narrowToBytes(bitcast<U64>(mask)) & Byte(1);
}
template <class T>
TALWEG_INLINE MaskFor<T> toMask(BytesFor<T> bytes) {
  if constexpr (sizeof(T) == 1) return bytes != 0;
  else return widenLanes(bytes) != 0;
}

// ---- one operand ----

template <class T>
void negate(const BlockArguments& a) { mapUnary<T>(a, [](auto x) { return -x; }); }

template <class T>
void absolute(const BlockArguments& a) {
  using V = VectorFor<T>;
  mapUnary<T>(a, [](V x) -> V {
    if constexpr (sizeof(T) == 4 && isFloatType<T>) return abs(x);
    if constexpr (isFloatType<T>) return x < 0 ? -x : x + T(0);  // -0 + 0 = 0
    return x < 0 ? -x : x;
  });
}

/// 1, 0 or -1; zeros and NaN stay themselves.
template <class T>
void sign(const BlockArguments& a) {
  using V = VectorFor<T>;
  mapUnary<T>(a, [](V x) -> V {
    V result = x > 0 ? V{} + T(1) : x;
    if constexpr (isSignedType<T>) result = x < 0 ? V{} - T(1) : result;
    return result;
  });
}

template <class T>
void logicalNot(const BlockArguments& a) { mapUnary<T>(a, [](auto x) { return ~x; }); }
void booleanNot(const BlockArguments& a) { mapUnary<Byte>(a, [](auto x) { return x ^ Byte(1); }); }

template <class T>
void isFinite(const BlockArguments& arguments) {
  using V = VectorFor<T>;
  const T* a = static_cast<const T*>(arguments.operands[0]);
  Byte* result = static_cast<Byte*>(arguments.result);
  for (int64_t i = 0; i < arguments.count; i += lanesOf<T>) {
    V x = loadAs<V>(a + i * arguments.steps[0]);
    storeAs(result + i, toBytes<T>((x - x) == 0));
  }
}

// ---- two operands ----

template <class T>
void add(const BlockArguments& a) { mapBinary<T>(a, [](auto x, auto y) { return x + y; }); }
template <class T>
void subtract(const BlockArguments& a) { mapBinary<T>(a, [](auto x, auto y) { return x - y; }); }
template <class T>
void multiply(const BlockArguments& a) { mapBinary<T>(a, [](auto x, auto y) { return x * y; }); }
template <class T>
void maximumOf(const BlockArguments& a) { mapBinary<T>(a, [](auto x, auto y) { return maximum(x, y); }); }
template <class T>
void minimumOf(const BlockArguments& a) { mapBinary<T>(a, [](auto x, auto y) { return minimum(x, y); }); }
template <class T>
void logicalAnd(const BlockArguments& a) { mapBinary<T>(a, [](auto x, auto y) { return x & y; }); }
template <class T>
void logicalOr(const BlockArguments& a) { mapBinary<T>(a, [](auto x, auto y) { return x | y; }); }
template <class T>
void logicalXor(const BlockArguments& a) { mapBinary<T>(a, [](auto x, auto y) { return x ^ y; }); }

template <class T>
void divide(const BlockArguments& a) {
  if constexpr (isFloatType<T>) {
    mapBinary<T>(a, [](auto x, auto y) { return x / y; });
  } else {
    mapBinaryScalar<T>(a, [](T x, T y) -> T {
      if (y == 0) return T(-1);
      if (isSignedType<T> && y == T(-1)) return T(0) - static_cast<uint32_t>(x);  // the least integer wraps
      return x / y;
    });
  }
}

template <class T>
void remainderOf(const BlockArguments& a) {
  mapBinaryScalar<T>(a, [](T x, T y) -> T {
    if constexpr (isFloatType<T>) {
      if constexpr (sizeof(T) == 8) return ::fmod(x, y);
      return ::fmodf(x, y);
    } else {
      if (y == 0) return x;
      if (isSignedType<T> && y == T(-1)) return 0;
      return x % y;
    }
  });
}

/// By squaring, wrapping; a negative exponent gives 0 but for bases 1 and -1.
template <class T>
void integerPower(const BlockArguments& a) {
  mapBinaryScalar<T>(a, [](T base, T exponent) -> T {
    if (isSignedType<T> && exponent < 0) {
      if (base == 1) return 1;
      if (base == T(-1)) return exponent % 2 == 0 ? T(1) : T(-1);
      return 0;
    }
    uint32_t result = 1, square = static_cast<uint32_t>(base), rest = static_cast<uint32_t>(exponent);
    for (; rest != 0; rest >>= 1, square *= square) {
      if (rest & 1) result *= square;
    }
    return static_cast<T>(result);
  });
}

enum class Shift { left, rightLogical, rightArithmetic };

/// A shift by the width or more (or by a negative number) gives 0, or the sign.
template <class T, Shift shift>
void shiftBits(const BlockArguments& a) {
  mapBinaryScalar<T>(a, [](T x, T amount) -> T {
    constexpr uint32_t width = sizeof(T) * 8;
    const uint32_t bits = sizeof(T) == 1 ? static_cast<uint8_t>(x) : static_cast<uint32_t>(x);
    const int32_t extended = sizeof(T) == 1 ? static_cast<int8_t>(x) : static_cast<int32_t>(x);
    const uint32_t by = static_cast<uint32_t>(amount);
    if (shift == Shift::rightArithmetic) return static_cast<T>(extended >> (by < width ? by : width - 1));
    if (by >= width) return 0;
    return static_cast<T>(shift == Shift::left ? bits << by : bits >> by);
  });
}

// ---- comparison and selection ----

enum class Direction { equal, notEqual, less, lessOrEqual };

template <class T, Direction direction, bool isSwapped>
void compare(const BlockArguments& arguments) {
  using V = VectorFor<T>;
  const T* a = static_cast<const T*>(arguments.operands[isSwapped]);
  const T* b = static_cast<const T*>(arguments.operands[!isSwapped]);
  const int64_t stepA = arguments.steps[isSwapped], stepB = arguments.steps[!isSwapped];
  Byte* result = static_cast<Byte*>(arguments.result);
  for (int64_t i = 0; i < arguments.count; i += lanesOf<T>) {
    const V x = loadAs<V>(a + i * stepA), y = loadAs<V>(b + i * stepB);
    MaskFor<T> mask;
    if constexpr (direction == Direction::equal) mask = x == y;
    if constexpr (direction == Direction::notEqual) mask = x != y;
    if constexpr (direction == Direction::less) mask = x < y;
    if constexpr (direction == Direction::lessOrEqual) mask = x <= y;
    storeAs(result + i, toBytes<T>(mask));
  }
}

template <class T>
void select(const BlockArguments& arguments) {
  using V = VectorFor<T>;
  const Byte* predicate = static_cast<const Byte*>(arguments.operands[0]);
  const T* a = static_cast<const T*>(arguments.operands[1]);
  const T* b = static_cast<const T*>(arguments.operands[2]);
  T* result = static_cast<T*>(arguments.result);
  const int64_t stepA = arguments.steps[1], stepB = arguments.steps[2];
  if (arguments.steps[0] == 0) {  // one answer for all, as whether a step's loss was finite
    const T* chosen = *predicate != 0 ? a : b;
    const int64_t step = *predicate != 0 ? stepA : stepB;
    for (int64_t i = 0; i < arguments.count; i += lanesOf<T>) storeAs<V>(result + i, loadAs<V>(chosen + i * step));
    return;
  }
  for (int64_t i = 0; i < arguments.count; i += lanesOf<T>) {
    const MaskFor<T> mask = toMask<T>(loadAs<BytesFor<T>>(predicate + i));
    storeAs<V>(result + i, mask ? loadAs<V>(a + i * stepA) : loadAs<V>(b + i * stepB));
  }
}

template <class T>
void multiplyAdd(const BlockArguments& arguments) {
  using V = VectorFor<T>;
  const T* a = static_cast<const T*>(arguments.operands[0]);
  const T* b = static_cast<const T*>(arguments.operands[1]);
  const T* c = static_cast<const T*>(arguments.operands[2]);
  T* result = static_cast<T*>(arguments.result);
  for (int64_t i = 0; i < arguments.count; i += lanesOf<T>) {
    storeAs<V>(result + i, fma(loadAs<V>(a + i * arguments.steps[0]), loadAs<V>(b + i * arguments.steps[1]),
                               loadAs<V>(c + i * arguments.steps[2])));
  }
}

// ---- tables ----

template <class T>
BlockOperation findOfNumber(Opcode opcode) {
  switch (opcode) {
    case Opcode::negate: return negate<T>;
    case Opcode::abs: return absolute<T>;
    case Opcode::sign: return sign<T>;
    case Opcode::add: return add<T>;
    case Opcode::subtract: return subtract<T>;
    case Opcode::multiply: return multiply<T>;
    case Opcode::divide: return divide<T>;
    case Opcode::remainder: return remainderOf<T>;
    case Opcode::maximum: return maximumOf<T>;
    case Opcode::minimum: return minimumOf<T>;
    default: return nullptr;
  }
}

template <class T>
BlockOperation findOfFloat(Opcode opcode) {
  switch (opcode) {
    case Opcode::isFinite: return isFinite<T>;
    case Opcode::multiplyAdd: return multiplyAdd<T>;
    default: return findOfNumber<T>(opcode);
  }
}

template <class T>
BlockOperation findOfInteger(Opcode opcode) {
  switch (opcode) {
    case Opcode::power: return integerPower<T>;
    case Opcode::logicalNot: return logicalNot<T>;
    case Opcode::logicalAnd: return logicalAnd<T>;
    case Opcode::logicalOr: return logicalOr<T>;
    case Opcode::logicalXor: return logicalXor<T>;
    case Opcode::shiftLeft: return shiftBits<T, Shift::left>;
    case Opcode::shiftRightLogical: return shiftBits<T, Shift::rightLogical>;
    case Opcode::shiftRightArithmetic: return shiftBits<T, Shift::rightArithmetic>;
    default: return findOfNumber<T>(opcode);
  }
}

BlockOperation findOfBoolean(Opcode opcode) {
  switch (opcode) {
    case Opcode::logicalNot: return booleanNot;
    case Opcode::add:
    case Opcode::maximum:
    case Opcode::logicalOr: return logicalOr<Byte>;
    case Opcode::multiply:
    case Opcode::minimum:
    case Opcode::logicalAnd: return logicalAnd<Byte>;
    case Opcode::logicalXor: return logicalXor<Byte>;
    default: return nullptr;
  }
}

template <class T>
BlockOperation findComparisonOf(Opcode opcode) {
  switch (opcode) {
    case Opcode::compareEQ: return compare<T, Direction::equal, false>;
    case Opcode::compareNE: return compare<T, Direction::notEqual, false>;
    case Opcode::compareLT: return compare<T, Direction::less, false>;
    case Opcode::compareLE: return compare<T, Direction::lessOrEqual, false>;
    case Opcode::compareGT: return compare<T, Direction::less, true>;
    case Opcode::compareGE: return compare<T, Direction::lessOrEqual, true>;
    default: return nullptr;
  }
}

}  // namespace

BlockOperation findArithmetic(Opcode opcode, DType dtype) {
  switch (dtype) {
    case DType::f64: return findOfFloat<double>(opcode);
    case DType::f32:
    case DType::bf16: return findOfFloat<float>(opcode);
    case DType::i32: return findOfInteger<int32_t>(opcode);
    case DType::u32: return findOfInteger<uint32_t>(opcode);
    case DType::u8: return findOfInteger<uint8_t>(opcode);
    case DType::boolean: return findOfBoolean(opcode);
  }
  return nullptr;
}

BlockOperation findComparison(Opcode opcode, DType dtype) {
  switch (dtype) {
    case DType::f64: return findComparisonOf<double>(opcode);
    case DType::f32:
    case DType::bf16: return findComparisonOf<float>(opcode);
    case DType::i32: return findComparisonOf<int32_t>(opcode);
    case DType::u32: return findComparisonOf<uint32_t>(opcode);
    case DType::u8:
    case DType::boolean: return findComparisonOf<uint8_t>(opcode);
  }
  return nullptr;
}

BlockOperation findSelect(DType dtype) {
  switch (elementSize(dtype)) {
    case 8: return select<double>;
    case 1: return select<uint8_t>;
    default: return select<float>;  // bf16 registers hold f32
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
