// Writing down an elementwise program: values are numbered as they are declared, constants kept as their type's bits.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "../vector_program.h"

namespace talweg::kernels {

namespace {

int64_t constantBits(DType dtype, double value) {
  int64_t bits = 0;
  switch (dtype) {
    case DType::f64: std::memcpy(&bits, &value, 8); return bits;
    case DType::f32: {
      const float single = static_cast<float>(value);
      std::memcpy(&bits, &single, 4);
      return bits;
    }
    case DType::bf16: {
      const float single = static_cast<float>(value);
      uint32_t word;
      std::memcpy(&word, &single, 4);
      if ((word & 0x7fffffffu) > 0x7f800000u) return (word >> 16) | 0x40;
      return (word + 0x7fff + ((word >> 16) & 1)) >> 16;
    }
    case DType::i32: return static_cast<uint32_t>(static_cast<int32_t>(value));
    case DType::u32: return static_cast<uint32_t>(value);
    case DType::u8: return static_cast<uint8_t>(value);
    case DType::boolean: return value != 0;
  }
  return 0;
}

}  // namespace

int ProgramSource::input(DType dtype, const Dims& strides) {
  if (!instructions.empty()) throw std::invalid_argument("vector program: inputs must be declared before the first instruction");
  inputs.push_back({dtype, strides});
  return static_cast<int>(inputs.size()) - 1;
}

int ProgramSource::emit(Opcode opcode, DType dtype, std::initializer_list<int> operands, int64_t immediate) {
  if (static_cast<int>(operands.size()) != numOperands(opcode)) {
    throw std::invalid_argument("vector program: an opcode was given a wrong number of operands");
  }
  ProgramInstruction instruction{opcode, dtype, {0, 0, 0}, immediate};
  std::copy(operands.begin(), operands.end(), instruction.operands);
  instructions.push_back(instruction);
  return static_cast<int>(inputs.size() + instructions.size()) - 1;
}

int ProgramSource::constant(DType dtype, double value) {
  return emit(Opcode::constant, dtype, {}, constantBits(dtype, value));
}

void ProgramSource::output(int value) { outputs.push_back({value, rowMajorStrides(shape)}); }
void ProgramSource::output(int value, const Dims& strides) { outputs.push_back({value, strides}); }

}  // namespace talweg::kernels
