// One operation of a vector program on one block of registers: how the interpreter and the operations meet.
#pragma once

#include "vector.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

/// `count` is a multiple of programQuantum. A step is 1 for a block and 0 for a scalar: one vector of equal elements
/// (programQuantum of them). bf16 registers hold f32.
struct BlockArguments {
  void* result;
  const void* operands[3];
  int64_t steps[3];
  int64_t count;
};
using BlockOperation = void (*)(const BlockArguments& arguments);

BlockOperation findArithmetic(Opcode opcode, DType dtype);
BlockOperation findComparison(Opcode opcode, DType operandDType);
BlockOperation findSelect(DType dtype);
BlockOperation findTranscendental(Opcode opcode, DType dtype);
BlockOperation findConversion(DType from, DType to);
/// bitcastConvert: a copy of registers of one element size.
BlockOperation findCopy(DType dtype);

/// Lanes of a register vector of T: the same number for all, halved for 8-byte elements.
template <class T>
constexpr int lanesOf = sizeof(T) == 8 ? lanes / 2 : lanes;
template <class T>
using VectorFor = Vector<T, lanesOf<T>>;

template <class T, class Function>
TALWEG_INLINE void mapUnary(const BlockArguments& arguments, Function function) {
  using V = VectorFor<T>;
  const T* a = static_cast<const T*>(arguments.operands[0]);
  T* result = static_cast<T*>(arguments.result);
  const int64_t stepA = arguments.steps[0];
  for (int64_t i = 0; i < arguments.count; i += lanesOf<T>) storeAs<V>(result + i, function(loadAs<V>(a + i * stepA)));
}

template <class T, class Function>
TALWEG_INLINE void mapBinary(const BlockArguments& arguments, Function function) {
  using V = VectorFor<T>;
  const T* a = static_cast<const T*>(arguments.operands[0]);
  const T* b = static_cast<const T*>(arguments.operands[1]);
  T* result = static_cast<T*>(arguments.result);
  const int64_t stepA = arguments.steps[0], stepB = arguments.steps[1];
  for (int64_t i = 0; i < arguments.count; i += lanesOf<T>) {
    storeAs<V>(result + i, function(loadAs<V>(a + i * stepA), loadAs<V>(b + i * stepB)));
  }
}

/// Element by element, for what has no vector form.
template <class T, class Function>
TALWEG_INLINE void mapUnaryScalar(const BlockArguments& arguments, Function function) {
  const T* a = static_cast<const T*>(arguments.operands[0]);
  T* result = static_cast<T*>(arguments.result);
  for (int64_t i = 0; i < arguments.count; i++) result[i] = function(a[i * arguments.steps[0]]);
}
template <class T, class Function>
TALWEG_INLINE void mapBinaryScalar(const BlockArguments& arguments, Function function) {
  const T* a = static_cast<const T*>(arguments.operands[0]);
  const T* b = static_cast<const T*>(arguments.operands[1]);
  T* result = static_cast<T*>(arguments.result);
  for (int64_t i = 0; i < arguments.count; i++) result[i] = function(a[i * arguments.steps[0]], b[i * arguments.steps[1]]);
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
