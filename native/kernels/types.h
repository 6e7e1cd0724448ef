// What every kernel's contract is written in: element types, small lists of dimensions, and bf16 storage.
//
// This header is included both by code compiled for any processor and by code compiled for one target. It must hold
// only plain data and constexpr functions: an ordinary inline function compiled twice, once with AVX-512, could be kept
// by the linker in that form alone and then crash an older processor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace talweg::kernels {

enum class DType : uint8_t { f64, f32, bf16, i32, u32, u8, boolean };
constexpr int numDTypes = 7;

/// Size of one element in memory.
constexpr int64_t elementSize(DType dtype) {
  switch (dtype) {
    case DType::f64: return 8;
    case DType::f32:
    case DType::i32:
    case DType::u32: return 4;
    case DType::bf16: return 2;
    case DType::u8:
    case DType::boolean: return 1;
  }
  return 0;
}

/// bf16 in memory: the upper half of an f32. Arithmetic is always done in f32.
struct BFloat16 {
  uint16_t bits;
};

/// Largest number of dimensions of any operand. Plans drop dimensions of size 1 and merge neighbours before they count.
constexpr int maxRank = 12;

/// Sizes, strides or dimension numbers: a list of at most `maxRank` integers. Strides are in elements everywhere.
struct Dims {
  int rank = 0;
  int64_t at[maxRank] = {};

  constexpr int64_t operator[](int dim) const { return at[dim]; }
  constexpr int64_t& operator[](int dim) { return at[dim]; }
  constexpr void append(int64_t value) { at[rank++] = value; }
};

constexpr int64_t numElements(const Dims& sizes) {
  int64_t product = 1;
  for (int dim = 0; dim < sizes.rank; dim++) product *= sizes.at[dim];
  return product;
}

/// Row-major strides, in elements.
constexpr Dims rowMajorStrides(const Dims& sizes) {
  Dims strides;
  strides.rank = sizes.rank;
  int64_t stride = 1;
  for (int dim = sizes.rank - 1; dim >= 0; dim--) {
    strides.at[dim] = stride;
    stride *= sizes.at[dim];
  }
  return strides;
}

/// How a reduction or a scatter combines two values. `sumOfSquares` is of `reduce` alone: add(x * x).
enum class Combine : uint8_t { add, multiply, maximum, minimum, logicalAnd, logicalOr, replace, sumOfSquares };

}  // namespace talweg::kernels
