#include "mpi/combine.h"

#include "core/error.h"

namespace talweg::mpi {
namespace {

// Maximum and minimum hand NaN on, as the engine's reductions do.
struct Add {
  template <class T>
  static T of(T left, T right) {
    return left + right;
  }
};
struct Multiply {
  template <class T>
  static T of(T left, T right) {
    return left * right;
  }
};
struct Maximum {
  template <class T>
  static T of(T left, T right) {
    return left != left || left > right ? left : right;
  }
};
struct Minimum {
  template <class T>
  static T of(T left, T right) {
    return left != left || left < right ? left : right;
  }
};
struct And {
  template <class T>
  static T of(T left, T right) {
    return left & right;
  }
};
struct Or {
  template <class T>
  static T of(T left, T right) {
    return left | right;
  }
};

template <class T, class Kind>
void combine(char* result, const char* left, const char* right, std::size_t sizeBytes) {
  T* to = reinterpret_cast<T*>(result);
  const T* one = reinterpret_cast<const T*>(left);
  const T* other = reinterpret_cast<const T*>(right);
  const std::size_t count = sizeBytes / sizeof(T);
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) to[i] = Kind::of(one[i], other[i]);
}

template <class T>
Combine numeric(const std::string& kind) {
  if (kind == "add") return combine<T, Add>;
  if (kind == "multiply") return combine<T, Multiply>;
  if (kind == "maximum") return combine<T, Maximum>;
  if (kind == "minimum") return combine<T, Minimum>;
  return nullptr;
}

template <class T>
Combine bitwise(const std::string& kind) {
  if (kind == "and") return combine<T, And>;
  if (kind == "or") return combine<T, Or>;
  return nullptr;
}

Combine find(DType dtype, const std::string& kind) {
  switch (dtype) {
    case DType::f64:
      return numeric<double>(kind);
    case DType::f32:
      return numeric<float>(kind);
    // Signed sums wrap as unsigned ones do; only the order of numbers differs.
    case DType::i32:
      if (kind == "maximum" || kind == "minimum") return numeric<std::int32_t>(kind);
      [[fallthrough]];
    case DType::u32: {
      const Combine found = numeric<std::uint32_t>(kind);
      return found != nullptr ? found : bitwise<std::uint32_t>(kind);
    }
    case DType::u8:
    case DType::boolean:
      return bitwise<std::uint8_t>(kind);
    case DType::bf16:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

Combine combineFor(DType dtype, const std::string& kind) {
  const Combine found = find(dtype, kind);
  if (found == nullptr) {
    throw EngineError("UNSUPPORTED_BY_ENGINE",
                      std::string(nameOf(dtype)) + " can't be combined by " + kind + " between workers");
  }
  return found;
}

}  // namespace talweg::mpi
