// The interpreter of vector programs: walks the blocks, brings inputs to registers, runs the instructions, stores outputs.
//
// What lies contiguous in memory and is a whole number of quanta long is not copied: the register's pointer is turned to
// the memory itself, for inputs and outputs alike. Strided views, bf16 and tails go by way of the scratch registers.
#include "program_ops.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

namespace {

BlockOperation findOperation(const PlannedInstruction& instruction) {
  switch (instruction.opcode) {
    case Opcode::convert: return findConversion(instruction.operandDType, instruction.dtype);
    case Opcode::bitcastConvert: return findCopy(instruction.dtype);
    case Opcode::select: return findSelect(instruction.dtype);
    case Opcode::compareEQ:
    case Opcode::compareNE:
    case Opcode::compareLT:
    case Opcode::compareLE:
    case Opcode::compareGT:
    case Opcode::compareGE: return findComparison(instruction.opcode, instruction.operandDType);
    default: {
      BlockOperation operation = findArithmetic(instruction.opcode, instruction.dtype == DType::boolean &&
                                                instruction.opcode == Opcode::isFinite ? instruction.operandDType
                                                                                       : instruction.dtype);
      return operation != nullptr ? operation : findTranscendental(instruction.opcode, instruction.dtype);
    }
  }
}

/// Copies `count` elements into a register, spread by `stride`, widening bf16.
template <class T>
void loadElements(const T* source, int64_t stride, int64_t count, T* reg) {
  if (stride == 1) {
    std::memcpy(reg, source, static_cast<size_t>(count) * sizeof(T));
  } else {
    for (int64_t i = 0; i < count; i++) reg[i] = source[i * stride];
  }
}
void loadBFloat16(const BFloat16* source, int64_t stride, int64_t count, float* reg) {
  if (stride == 1) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store(reg + i, load(source + i));
    for (; i < count; i++) reg[i] = loadScalar(source + i);
  } else {
    for (int64_t i = 0; i < count; i++) reg[i] = loadScalar(source + i * stride);
  }
}
void loadRun(DType dtype, const char* source, int64_t stride, int64_t count, char* reg) {
  switch (dtype) {
    case DType::f64: return loadElements(reinterpret_cast<const uint64_t*>(source), stride, count, reinterpret_cast<uint64_t*>(reg));
    case DType::bf16: return loadBFloat16(reinterpret_cast<const BFloat16*>(source), stride, count, reinterpret_cast<float*>(reg));
    case DType::u8:
    case DType::boolean: return loadElements(reinterpret_cast<const uint8_t*>(source), stride, count, reinterpret_cast<uint8_t*>(reg));
    default: return loadElements(reinterpret_cast<const uint32_t*>(source), stride, count, reinterpret_cast<uint32_t*>(reg));
  }
}

/// Copies `count` elements of a register (step 0: its first, repeated) to memory, spread by `stride`.
template <class T>
void storeElements(const T* reg, int64_t step, int64_t count, T* destination, int64_t stride) {
  if (stride == 1 && step == 1) {
    std::memcpy(destination, reg, static_cast<size_t>(count) * sizeof(T));
  } else {
    for (int64_t i = 0; i < count; i++) destination[i * stride] = reg[i * step];
  }
}
void storeBFloat16(const float* reg, int64_t step, int64_t count, BFloat16* destination, int64_t stride) {
  int64_t i = 0;
  if (stride == 1 && step == 1) {
    for (; i + lanes <= count; i += lanes) store(destination + i, load(reg + i));
  }
  for (; i < count; i++) storeScalar(destination + i * stride, reg[i * step]);
}
void storeRun(DType dtype, const char* reg, int64_t step, int64_t count, char* destination, int64_t stride) {
  switch (dtype) {
    case DType::f64: return storeElements(reinterpret_cast<const uint64_t*>(reg), step, count, reinterpret_cast<uint64_t*>(destination), stride);
    case DType::bf16: return storeBFloat16(reinterpret_cast<const float*>(reg), step, count, reinterpret_cast<BFloat16*>(destination), stride);
    case DType::u8:
    case DType::boolean: return storeElements(reinterpret_cast<const uint8_t*>(reg), step, count, reinterpret_cast<uint8_t*>(destination), stride);
    default: return storeElements(reinterpret_cast<const uint32_t*>(reg), step, count, reinterpret_cast<uint32_t*>(destination), stride);
  }
}

template <class T>
void fillIota(int64_t start, int64_t count, int64_t inner, int64_t size, T* reg) {
  int64_t index = start / inner % size, within = start % inner;
  for (int64_t i = 0; i < count; i++) {
    reg[i] = static_cast<T>(index);
    if (++within == inner) {
      within = 0;
      if (++index == size) index = 0;
    }
  }
}
void iota(const PlannedInstruction& instruction, int64_t start, int64_t count, void* reg) {
  const int64_t inner = instruction.immediate, size = instruction.iotaSize;
  switch (instruction.dtype) {
    case DType::f64: return fillIota(start, count, inner, size, static_cast<double*>(reg));
    case DType::f32:
    case DType::bf16: return fillIota(start, count, inner, size, static_cast<float*>(reg));
    case DType::u8:
    case DType::boolean: return fillIota(start, count, inner, size, static_cast<uint8_t*>(reg));
    default: return fillIota(start, count, inner, size, static_cast<uint32_t*>(reg));
  }
}

int64_t registerSize(DType dtype) { return dtype == DType::bf16 ? 4 : elementSize(dtype); }

/// Zeros from `count` elements to the next whole quantum, so that no operation sees what happens to be there.
void padRegister(DType dtype, int64_t count, char* reg) {
  const int64_t size = registerSize(dtype);
  std::memset(reg + count * size, 0, static_cast<size_t>((roundUp(count, programQuantum) - count) * size));
}

/// What a thread holds while it runs its share of the blocks.
class Interpreter {
 public:
  Interpreter(const VectorProgramView& program, const BlockOperation* operations, const void* const* inputs,
              void* const* outputs, char* scratch)
      : program_(program), operations_(operations), inputs_(inputs), outputs_(outputs) {
    for (int r = 0; r < program.numRegisters; r++) {
      home_[r] = scratch + program.registers[r].offsetBytes;
      at_[r] = home_[r];
      step_[r] = program.registers[r].isScalar ? 0 : 1;
    }
    decideDirectOutputs();
    decideFetching();
    runSetup();
  }

  void runBlock(int64_t block);

 private:
  void decideDirectOutputs();
  void decideFetching();
  void runSetup();
  void runPiece(int64_t row, int64_t column, int64_t numRows, int64_t rowElements, bool isWhole);
  void bringInput(int i, int64_t row, int64_t column, int64_t numRows, int64_t rowElements, bool isWhole);
  void storeOutput(int i, int64_t row, int64_t column, int64_t numRows, int64_t rowElements);
  int64_t rowOffset(const PlannedView& view, int64_t row) const;
  void execute(int from, int to, int64_t start, int64_t count);

  const VectorProgramView& program_;
  const BlockOperation* operations_;
  const void* const* inputs_;
  void* const* outputs_;
  char* home_[maxProgramValues];  // a register's own memory
  char* at_[maxProgramValues];    // where its elements are for this block
  int64_t step_[maxProgramValues];
  bool canStoreDirectly_[maxProgramViews];
  // Several inputs used where they lie, too large for the cache: what the next block will read is fetched while this one
  // is computed, since instructions that go through one block of each in turn show the processor no long stream.
  const char* ahead_[maxProgramViews];
  int numAhead_ = 0;
  bool isFetchedAhead_ = false;
};

/// An output needs no register of its own where its instruction may write to memory: contiguous, not bf16, and no input
/// that lies in the same memory is read later.
void Interpreter::decideDirectOutputs() {
  for (int o = 0; o < program_.numOutputs; o++) {
    const PlannedView& output = program_.outputs[o];
    bool isDirect = output.access == PlannedView::Access::contiguous && output.dtype != DType::bf16 &&
                    output.instruction >= program_.numSetupInstructions;
    for (int other = 0; other < o; other++) isDirect = isDirect && program_.outputs[other].reg != output.reg;
    for (int i = 0; i < program_.numInputs; i++) {
      if (inputs_[i] == outputs_[o] && program_.inputs[i].instruction > output.instruction) isDirect = false;
      // An input that is itself stored to another output at the end of the block.
      for (int other = 0; other < program_.numOutputs; other++) {
        if (inputs_[i] == outputs_[o] && program_.outputs[other].reg == program_.inputs[i].reg) isDirect = false;
      }
    }
    canStoreDirectly_[o] = isDirect;
  }
}

void Interpreter::decideFetching() {
  constexpr int fewestStreams = 3;
  constexpr int64_t fewestBytes = 1 << 20;
  int numStreams = 0;
  for (int i = 0; i < program_.numInputs; i++) numStreams += program_.inputs[i].access == PlannedView::Access::contiguous;
  isFetchedAhead_ = numStreams >= fewestStreams && program_.rowSize * program_.numRows * 4 * numStreams >= fewestBytes;
}

void Interpreter::runSetup() {
  for (int i = 0; i < program_.numInputs; i++) {
    const PlannedView& view = program_.inputs[i];
    if (view.access == PlannedView::Access::scalar) {
      loadRun(view.dtype, static_cast<const char*>(inputs_[i]), 0, programQuantum, home_[view.reg]);
    }
  }
  execute(0, program_.numSetupInstructions, 0, programQuantum);
  // The rows of a periodic input are the same in every block of whole rows.
  if (program_.rowsPerBlock == 1) return;
  for (int i = 0; i < program_.numInputs; i++) {
    const PlannedView& view = program_.inputs[i];
    if (view.access != PlannedView::Access::periodic) continue;
    for (int64_t row = 0; row < program_.rowsPerBlock; row++) {
      loadRun(view.dtype, static_cast<const char*>(inputs_[i]), 1, program_.rowSize,
              home_[view.reg] + row * program_.rowSize * registerSize(view.dtype));
    }
    padRegister(view.dtype, program_.blockSize, home_[view.reg]);
  }
}

int64_t Interpreter::rowOffset(const PlannedView& view, int64_t row) const {
  int64_t offset = 0;
  for (int dim = program_.rank - 2; dim >= 0; dim--) {
    offset += row % program_.sizes[dim] * view.strides[dim];
    row /= program_.sizes[dim];
  }
  return offset;
}

/// Makes `at_` of an input's register hold its elements for the piece: `numRows` rows (or `rowElements` of one).
void Interpreter::bringInput(int i, int64_t row, int64_t column, int64_t numRows, int64_t rowElements, bool isWhole) {
  const PlannedView& view = program_.inputs[i];
  if (view.access == PlannedView::Access::scalar) return;
  const int64_t size = elementSize(view.dtype), inner = view.strides[program_.rank - 1];
  const char* base = static_cast<const char*>(inputs_[i]);
  const bool isOneRun = numRows == 1 || view.access == PlannedView::Access::contiguous;
  char*& at = at_[view.reg];
  at = home_[view.reg];
  step_[view.reg] = 1;
  if (isOneRun) {
    const char* from = base + (rowOffset(view, row) + column * inner) * size;
    const int64_t count = numRows * rowElements;
    if (inner == 0) {
      loadRun(view.dtype, from, 0, programQuantum, at);
      step_[view.reg] = 0;
    } else if (isWhole && inner == 1 && view.dtype != DType::bf16) {
      at = const_cast<char*>(from);
      if (isFetchedAhead_) ahead_[numAhead_++] = from + count * size;
    } else {
      loadRun(view.dtype, from, inner, count, at);
      padRegister(view.dtype, count, at);
    }
    return;
  }
  if (view.access == PlannedView::Access::periodic) return;  // loaded by the setup
  for (int64_t r = 0; r < numRows; r++) {
    loadRun(view.dtype, base + rowOffset(view, row + r) * size, inner, rowElements,
            at + r * rowElements * registerSize(view.dtype));
  }
  padRegister(view.dtype, numRows * rowElements, at);
}

void Interpreter::storeOutput(int i, int64_t row, int64_t column, int64_t numRows, int64_t rowElements) {
  const PlannedView& view = program_.outputs[i];
  const int64_t size = elementSize(view.dtype), inner = view.strides[program_.rank - 1], step = step_[view.reg];
  char* base = static_cast<char*>(outputs_[i]);
  if (numRows == 1 || view.access == PlannedView::Access::contiguous) {
    char* to = base + (rowOffset(view, row) + column * inner) * size;
    if (to != at_[view.reg]) storeRun(view.dtype, at_[view.reg], step, numRows * rowElements, to, inner);
    return;
  }
  for (int64_t r = 0; r < numRows; r++) {
    storeRun(view.dtype, at_[view.reg] + step * r * rowElements * registerSize(view.dtype), step, rowElements,
             base + rowOffset(view, row + r) * size, inner);
  }
}

void Interpreter::execute(int from, int to, int64_t start, int64_t count) {
  constexpr int64_t line = 64;
  const int64_t bytesAhead = count * 4, stepAhead = roundUp(ceilDiv(bytesAhead, larger(to - from, 1)), line);
  for (int index = from; index < to; index++) {
    const PlannedInstruction& instruction = program_.instructions[index];
    for (int64_t at = (index - from) * stepAhead; at < smaller((index - from + 1) * stepAhead, bytesAhead); at += line) {
      for (int i = 0; i < numAhead_; i++) __builtin_prefetch(ahead_[i] + at);
    }
    void* result = at_[instruction.result];
    if (instruction.opcode == Opcode::iota) {
      iota(instruction, start, count, result);
    } else if (instruction.opcode == Opcode::constant) {
      loadRun(instruction.dtype, reinterpret_cast<const char*>(&instruction.immediate), 0, count, static_cast<char*>(result));
    } else {
      BlockArguments arguments{result, {}, {}, count};
      for (int i = 0; i < numOperands(instruction.opcode); i++) {
        arguments.operands[i] = at_[instruction.operands[i]];
        arguments.steps[i] = step_[instruction.operands[i]];
      }
      operations_[index](arguments);
    }
  }
}

/// One pass over the instructions. `isWhole`: the elements are whole quanta, so memory may be used where it lies.
void Interpreter::runPiece(int64_t row, int64_t column, int64_t numRows, int64_t rowElements, bool isWhole) {
  numAhead_ = 0;
  for (int i = 0; i < program_.numInputs; i++) bringInput(i, row, column, numRows, rowElements, isWhole);
  const int64_t start = row * program_.rowSize + column;
  for (int o = 0; o < program_.numOutputs; o++) {
    const PlannedView& view = program_.outputs[o];
    if (!canStoreDirectly_[o]) continue;
    at_[view.reg] = isWhole ? static_cast<char*>(outputs_[o]) + start * elementSize(view.dtype) : home_[view.reg];
  }
  execute(program_.numSetupInstructions, program_.numInstructions, start, roundUp(numRows * rowElements, programQuantum));
  for (int o = 0; o < program_.numOutputs; o++) storeOutput(o, row, column, numRows, rowElements);
}

void Interpreter::runBlock(int64_t block) {
  if (program_.rowsPerBlock > 1) {
    const int64_t row = block * program_.rowsPerBlock;
    const int64_t numRows = smaller(program_.rowsPerBlock, program_.numRows - row);
    runPiece(row, 0, numRows, program_.rowSize, numRows * program_.rowSize % programQuantum == 0);
    return;
  }
  const int64_t pieces = ceilDiv(program_.rowSize, program_.blockSize);
  const int64_t row = block / pieces, column = block % pieces * program_.blockSize;
  const int64_t count = smaller(program_.blockSize, program_.rowSize - column);
  const int64_t whole = count / programQuantum * programQuantum;
  if (whole > 0) runPiece(row, column, 1, whole, true);
  if (whole < count) runPiece(row, column + whole, 1, count - whole, false);
}

}  // namespace

void runVectorProgram(const VectorProgramView& program, const void* const* inputs, void* const* outputs) {
  const int64_t count = program.rowSize * program.numRows;
  if (count == 0) return;
  BlockOperation operations[maxProgramValues];
  for (int i = 0; i < program.numInstructions; i++) {
    const Opcode opcode = program.instructions[i].opcode;
    operations[i] = opcode <= Opcode::iota ? nullptr : findOperation(program.instructions[i]);
  }
  const int64_t numBlocks = program.rowsPerBlock > 1 ? ceilDiv(program.numRows, program.rowsPerBlock)
                                                     : program.numRows * ceilDiv(program.rowSize, program.blockSize);
  const bool isParallel = isWorthThreads(count * program.workPerElement) && numBlocks > 1;
  const auto runShare = [&](int64_t share, int64_t numShares) {
    alignas(64) char scratch[programScratchBytes];
    Interpreter interpreter(program, operations, inputs, outputs, scratch);
    const int64_t end = numBlocks * (share + 1) / numShares;
    for (int64_t block = numBlocks * share / numShares; block < end; block++) interpreter.runBlock(block);
  };
  shareOut(isParallel, runShare);
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
