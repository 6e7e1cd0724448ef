#include "core/view.h"

#include <numeric>

namespace talweg {

std::int64_t product(const Dims& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t View::numElements() const { return product(shape); }

bool View::isContiguous() const {
  std::int64_t expected = 1;
  for (std::size_t dim = rank(); dim-- > 0;) {
    if (shape[dim] == 0) return true;
    if (shape[dim] != 1 && strides[dim] != expected) return false;
    expected *= shape[dim];
  }
  return true;
}

Dims contiguousStrides(const Dims& shape) {
  Dims strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t dim = shape.size(); dim-- > 0;) {
    strides[dim] = stride;
    stride *= shape[dim];
  }
  return strides;
}

View contiguousView(DType dtype, Dims shape, void* data) {
  Dims strides = contiguousStrides(shape);
  return {dtype, std::move(shape), std::move(strides), data};
}

std::string formatType(DType dtype, const Dims& shape) {
  std::string text = std::string(nameOf(dtype)) + "[";
  for (std::size_t dim = 0; dim < shape.size(); ++dim) {
    if (dim > 0) text += ",";
    text += std::to_string(shape[dim]);
  }
  return text + "]";
}

View transposed(const View& view, const Dims& dims) {
  View result{view.dtype, {}, {}, view.data};
  for (std::int64_t dim : dims) {
    result.shape.push_back(view.shape[dim]);
    result.strides.push_back(view.strides[dim]);
  }
  return result;
}

View broadcastTo(const View& view, const Dims& shape, const Dims& dims) {
  View result{view.dtype, shape, Dims(shape.size(), 0), view.data};
  for (std::size_t dim = 0; dim < dims.size(); ++dim) {
    if (view.shape[dim] != 1) result.strides[dims[dim]] = view.strides[dim];
  }
  return result;
}

bool collapse(const View& view, std::size_t first, std::size_t last, std::int64_t* stride) {
  std::int64_t expected = -1;
  *stride = 1;
  for (std::size_t dim = last; dim-- > first;) {
    if (view.shape[dim] == 1) continue;
    if (expected < 0) {
      *stride = view.strides[dim];
    } else if (view.strides[dim] != expected) {
      return false;
    }
    expected = view.strides[dim] * view.shape[dim];
  }
  return true;
}

}  // namespace talweg
