// Typed, strided views of memory: what every instruction takes and gives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace talweg {

using Dims = std::vector<std::int64_t>;

// Strides are in elements; 0 repeats. The memory is somebody else's.
struct View {
  DType dtype = DType::f32;
  Dims shape;
  Dims strides;
  void* data = nullptr;

  std::size_t rank() const { return shape.size(); }
  std::int64_t numElements() const;
  std::int64_t sizeBytes() const { return numElements() * static_cast<std::int64_t>(sizeOf(dtype)); }
  bool isContiguous() const;
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

Dims contiguousStrides(const Dims& shape);
View contiguousView(DType dtype, Dims shape, void* data);
std::int64_t product(const Dims& sizes);

// `f32[8,64]`, as src/core/shape.ts prints a type.
std::string formatType(DType dtype, const Dims& shape);
inline std::string formatType(const View& view) { return formatType(view.dtype, view.shape); }

// Views of the same memory. `dims` are the dimensions of `view` in their new order.
View transposed(const View& view, const Dims& dims);
// `dims[i]` is the result's dimension for the operand's dimension i; new dimensions and sizes of 1 repeat.
View broadcastTo(const View& view, const Dims& shape, const Dims& dims);

// Whether dimensions `first..last-1` can be walked as one with a single stride, and that stride. Sizes of 1 don't
// matter.
bool collapse(const View& view, std::size_t first, std::size_t last, std::int64_t* stride);

}  // namespace talweg
