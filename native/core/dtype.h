// Element types for the engine: the kernels' enumeration, with the names of src/core/dtype.ts.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/types.h"

namespace talweg {

using DType = kernels::DType;

inline std::size_t sizeOf(DType dtype) { return static_cast<std::size_t>(kernels::elementSize(dtype)); }
inline bool isFloat(DType dtype) { return dtype <= DType::bf16; }
const char* nameOf(DType dtype);
// Throws EngineError for a name that is none.
DType dtypeNamed(const std::string& name);

}  // namespace talweg
