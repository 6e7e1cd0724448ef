// Elementwise groups as small vector programs.
//
// A program is a list of instructions in SSA form over one iteration shape. It is planned once (`VectorProgram`) and run
// by an interpreter in the kernel table, block by block, so that everything between inputs and outputs stays in the
// first-level cache. One pass reads each input once and writes each output once.
//
//   ProgramSource source;
//   source.shape = {rows, columns};
//   int x = source.input(DType::f32, strides of x over shape);         // value 0, stride 0 repeats
//   int b = source.input(DType::f32, {0, 1});
//   int s = source.emit(Opcode::add, DType::f32, {x, b});
//   source.output(source.emit(Opcode::tanh, DType::f32, {s}));
//   VectorProgram program(source);                                     // throws std::invalid_argument
//   table.runVectorProgram(program.view(), inputPointers, outputPointers);
//
// Arithmetic: f32 and bf16 in f32 (a bf16 value is rounded where it is stored and by `convert` to bf16, not in
// between); integers wrap; an integer quotient by zero is -1 (all bits set) and its remainder the dividend; shifts by
// the width or more give 0 (or the sign); `convert` of a float to an integer truncates, saturates, and takes NaN to 0;
// a bool is 0 or 1. `maximum` and `minimum` propagate NaN; `sign` of NaN is NaN; of -0 is -0.
//
// In place: an output may be the very memory of an input if both have the same element size and the same strides over
// the shape, without repetition. Any other overlap of an output with an input or an output is not allowed.
#pragma once

#include <initializer_list>
#include <vector>

#include "types.h"

namespace talweg::kernels {

enum class Opcode : uint8_t {
  // No operand. `constant`: `immediate` holds the value's bits in the instruction's dtype, in its low bytes (bf16: as
  // the 16 bits). `iota`: the index along dimension `immediate` of the program's shape.
  constant,
  iota,
  // One operand.
  negate,
  abs,
  sign,
  exponential,
  exponentialMinusOne,
  log,
  logPlusOne,
  sqrt,
  rsqrt,
  cbrt,
  tanh,
  logistic,
  sine,
  cosine,
  floor,
  ceil,
  roundNearestEven,
  erf,
  logicalNot,        // bool: 1 - x; integers: ~x
  isFinite,          // float -> bool
  convert,           // any -> dtype
  bitcastConvert,    // same element size: f32, i32, u32 among each other; u8 and bool
  // Two operands of the instruction's dtype (comparisons: of one dtype, giving bool).
  add,
  subtract,
  multiply,
  divide,
  remainder,         // the dividend's sign, as C's fmod
  power,
  maximum,
  minimum,
  atan2,
  logicalAnd,        // bitwise on integers
  logicalOr,
  logicalXor,
  shiftLeft,
  shiftRightLogical,
  shiftRightArithmetic,
  compareEQ,
  compareNE,
  compareLT,
  compareLE,
  compareGT,
  compareGE,
  // Three operands. `select`: bool, value where true, value where false. `multiplyAdd`: a * b + c, rounded once where
  // the target has a fused instruction (floats only).
  select,
  multiplyAdd,
};
constexpr int numOpcodes = static_cast<int>(Opcode::multiplyAdd) + 1;

/// Number of operands of an opcode.
constexpr int numOperands(Opcode opcode) {
  if (opcode <= Opcode::iota) return 0;
  if (opcode <= Opcode::bitcastConvert) return 1;
  return opcode <= Opcode::compareGE ? 2 : 3;
}

/// One instruction of the source: its result is value number `numInputs + its own index`.
struct ProgramInstruction {
  Opcode opcode;
  DType dtype;
  int operands[3];
  int64_t immediate;
};

/// A program before planning.
struct ProgramSource {
  struct Input {
    DType dtype;
    Dims strides;  // over `shape`, in elements; 0 repeats
  };
  struct Output {
    int value;
    Dims strides;  // over `shape`, in elements
  };

  Dims shape;
  std::vector<Input> inputs;
  std::vector<ProgramInstruction> instructions;
  std::vector<Output> outputs;

  /// Declares an input and returns its value number. All inputs come before the first instruction.
  int input(DType dtype, const Dims& strides);
  /// Appends an instruction and returns the number of its result.
  int emit(Opcode opcode, DType dtype, std::initializer_list<int> operands, int64_t immediate = 0);
  /// A constant of any dtype, converted from a double.
  int constant(DType dtype, double value);
  /// Declares a row-major output.
  void output(int value);
  /// Declares an output with its own strides (e.g. part of a concatenation).
  void output(int value, const Dims& strides);
};

/// Where a planned value is held while a block is computed. Values whose lifetimes don't overlap share memory.
struct ProgramRegister {
  DType dtype;
  bool isScalar;        // equal in all elements: one vector, filled once a thread
  int32_t offsetBytes;  // in a thread's scratch memory
};

/// A planned instruction. Its operands and result are registers, numbered like the source's values.
struct PlannedInstruction {
  Opcode opcode;
  DType dtype;         // of the result
  DType operandDType;  // of the last operand: what is compared, converted or selected
  int16_t result;
  int16_t operands[3];
  int64_t immediate;   // constant: its bits; iota: number of elements with one index
  int64_t iotaSize;    // iota: size of the dimension
};

/// A planned input or output.
struct PlannedView {
  enum class Access : uint8_t {
    scalar,      // inputs: one element for all
    contiguous,  // row-major over the whole shape: used where it lies
    periodic,    // inputs: every row the same, contiguous within it
    strided,     // anything else: row by row
  };
  Access access;
  DType dtype;
  int16_t reg;
  int16_t instruction;        // inputs: the last that reads it; outputs: the one that makes it, or -1
  int64_t strides[maxRank];   // over the planned dimensions
};

/// A planned program, as the kernel sees it: pointers into the `VectorProgram` that owns it.
struct VectorProgramView {
  int rank;  // planned dimensions, at least 1; the last is a row
  int64_t sizes[maxRank];
  int64_t rowSize, numRows;
  int64_t rowsPerBlock;   // above 1: blocks are whole rows; 1: blocks are pieces of a row
  int64_t blockSize;      // elements of a full block
  int64_t workPerElement; // rough cost, to decide about threads
  int numInputs, numOutputs, numInstructions, numSetupInstructions, numRegisters;
  const PlannedView* inputs;
  const PlannedView* outputs;
  const PlannedInstruction* instructions;  // the first numSetupInstructions have scalar results: run once a thread
  const ProgramRegister* registers;
};

/// Elements are handled this many at a time: registers are padded to a multiple of it.
constexpr int64_t programQuantum = 16;
/// Scratch memory of a thread, on its stack: all registers of a program fit in it.
constexpr int64_t programScratchBytes = 48 * 1024;
/// Most values (inputs and instructions) and views of a program; larger groups must be split.
constexpr int maxProgramValues = 400;
constexpr int maxProgramViews = 96;

/// A planned program. Immutable, movable, not copyable; may be run from any thread.
class VectorProgram {
 public:
  /// Plans: collapses dimensions, allots registers, picks the block size.
  /// Throws std::invalid_argument (naming instruction and operand) on a malformed or too large program.
  explicit VectorProgram(const ProgramSource& source);
  VectorProgram(VectorProgram&&) = default;
  VectorProgram& operator=(VectorProgram&&) = default;

  const VectorProgramView& view() const { return view_; }

 private:
  std::vector<PlannedView> inputs_, outputs_;
  std::vector<PlannedInstruction> instructions_;
  std::vector<ProgramRegister> registers_;
  VectorProgramView view_{};
};

/// Runs a planned program: `inputs[i]`, `outputs[i]` point at the first element of each view.
using RunVectorProgram = void (*)(const VectorProgramView& program, const void* const* inputs, void* const* outputs);

}  // namespace talweg::kernels
