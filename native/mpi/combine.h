// Elementwise combination of two runs of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/dtype.h"

namespace talweg::mpi {

// result[i] = left[i] with right[i]; the result may lie exactly over either operand.
using Combine = void (*)(char* result, const char* left, const char* right, std::size_t sizeBytes);

// Throws EngineError UNSUPPORTED_BY_ENGINE where there is none.
Combine combineFor(DType dtype, const std::string& kind);

}  // namespace talweg::mpi
