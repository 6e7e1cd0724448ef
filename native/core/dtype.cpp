#include "core/dtype.h"

#include "core/error.h"

namespace talweg {
namespace {

constexpr const char* names[kernels::numDTypes] = {"f64", "f32", "bf16", "i32", "u32", "u8", "bool"};

}  // namespace

const char* nameOf(DType dtype) { return names[static_cast<int>(dtype)]; }

DType dtypeNamed(const std::string& name) {
  for (int index = 0; index < kernels::numDTypes; ++index) {
    if (name == names[index]) return static_cast<DType>(index);
  }
  throw EngineError("INTERNAL", "no such element type: " + name);
}

}  // namespace talweg
