// Planning of elementwise programs: checks, merging of dimensions, memory of the registers, size of a block.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "../vector_program.h"

namespace talweg::kernels {

namespace {

[[noreturn]] void fail(const std::string& what) { throw std::invalid_argument("vector program: " + what); }

bool isFloat(DType dtype) { return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::bf16; }
bool isInteger(DType dtype) { return dtype == DType::i32 || dtype == DType::u32 || dtype == DType::u8; }

/// Whether the opcode is defined on operands of this dtype.
bool isDefined(Opcode opcode, DType dtype) {
  switch (opcode) {
    case Opcode::constant:
    case Opcode::convert:
    case Opcode::bitcastConvert:
    case Opcode::select:
    case Opcode::compareEQ:
    case Opcode::compareNE:
    case Opcode::compareLT:
    case Opcode::compareLE:
    case Opcode::compareGT:
    case Opcode::compareGE:
    case Opcode::add:
    case Opcode::multiply:
    case Opcode::maximum:
    case Opcode::minimum: return true;
    case Opcode::logicalNot:
    case Opcode::logicalAnd:
    case Opcode::logicalOr:
    case Opcode::logicalXor: return !isFloat(dtype);
    case Opcode::shiftLeft:
    case Opcode::shiftRightLogical:
    case Opcode::shiftRightArithmetic: return isInteger(dtype);
    case Opcode::iota:
    case Opcode::negate:
    case Opcode::abs:
    case Opcode::sign:
    case Opcode::subtract:
    case Opcode::divide:
    case Opcode::remainder:
    case Opcode::power: return dtype != DType::boolean;
    default: return isFloat(dtype);
  }
}

int64_t opcodeCost(Opcode opcode) {
  if (opcode >= Opcode::exponential && opcode <= Opcode::logPlusOne) return 8;
  if (opcode >= Opcode::cbrt && opcode <= Opcode::cosine) return 16;
  if (opcode == Opcode::power || opcode == Opcode::atan2 || opcode == Opcode::remainder) return 32;
  return opcode == Opcode::erf ? 12 : 2;
}

/// Size of an element in a register: bf16 is held as f32.
int64_t registerSize(DType dtype) { return dtype == DType::bf16 ? 4 : elementSize(dtype); }

struct Value {
  DType dtype;
  bool isScalar = false;
  bool isOutput = false;
  bool isKept = false;  // its register is filled once, not once a block
  int lastUse = -1;  // instruction that reads it last
};

/// The program under planning: values numbered as in the source.
struct Planner {
  const ProgramSource& source;
  std::vector<Value> values;
  Dims sizes;                         // merged
  std::vector<Dims> inputStrides, outputStrides;

  explicit Planner(const ProgramSource& s) : source(s) {}

  int numInputs() const { return static_cast<int>(source.inputs.size()); }
  int numInstructions() const { return static_cast<int>(source.instructions.size()); }

  void checkInstruction(int index) const;
  void describeValues();
  void mergeDimensions();
};

void Planner::checkInstruction(int index) const {
  const ProgramInstruction& instruction = source.instructions[index];
  const std::string where = "instruction " + std::to_string(index);
  const int count = numOperands(instruction.opcode);
  for (int i = 0; i < count; i++) {
    if (instruction.operands[i] < 0 || instruction.operands[i] >= numInputs() + index) {
      fail(where + ": operand " + std::to_string(i) + " is value " + std::to_string(instruction.operands[i]) +
           ", which doesn't come before it");
    }
  }
  auto operandDType = [&](int i) { return values[instruction.operands[i]].dtype; };
  const DType subject = count == 0 ? instruction.dtype : operandDType(count - 1);
  if (!isDefined(instruction.opcode, subject)) fail(where + ": its opcode isn't defined on that dtype");
  const bool givesBool = (instruction.opcode >= Opcode::compareEQ && instruction.opcode <= Opcode::compareGE) ||
                         instruction.opcode == Opcode::isFinite;
  const bool isConversion = instruction.opcode == Opcode::convert || instruction.opcode == Opcode::bitcastConvert;
  if (givesBool ? instruction.dtype != DType::boolean : !isConversion && instruction.dtype != subject) {
    fail(where + ": its dtype isn't what its operands give");
  }
  if (instruction.opcode == Opcode::bitcastConvert &&
      (registerSize(instruction.dtype) != registerSize(subject) || instruction.dtype == DType::bf16 ||
       subject == DType::bf16) && instruction.dtype != subject) {
    fail(where + ": bitcastConvert between different element sizes");
  }
  const bool isSelect = instruction.opcode == Opcode::select;
  if (isSelect && operandDType(0) != DType::boolean) fail(where + ": select's predicate must be bool");
  for (int i = isSelect ? 1 : 0; i + 1 < count; i++) {
    if (operandDType(i) != subject) fail(where + ": its operands have different dtypes");
  }
  if (instruction.opcode == Opcode::iota &&
      (instruction.immediate < 0 || instruction.immediate >= source.shape.rank)) {
    fail(where + ": iota's dimension is outside the shape");
  }
}

void Planner::describeValues() {
  for (const auto& input : source.inputs) {
    if (input.strides.rank != source.shape.rank) fail("an input's strides have another rank than the shape");
    Value value{input.dtype};
    value.isScalar = true;
    for (int dim = 0; dim < source.shape.rank; dim++) {
      if (source.shape[dim] != 1 && input.strides[dim] != 0) value.isScalar = false;
    }
    values.push_back(value);
  }
  for (int index = 0; index < numInstructions(); index++) {
    checkInstruction(index);
    const ProgramInstruction& instruction = source.instructions[index];
    Value value{instruction.dtype};
    value.isScalar = instruction.opcode != Opcode::iota;
    for (int i = 0; i < numOperands(instruction.opcode); i++) {
      Value& operand = values[instruction.operands[i]];
      operand.lastUse = index;
      value.isScalar = value.isScalar && operand.isScalar;
    }
    values.push_back(value);
  }
  for (const auto& output : source.outputs) {
    if (output.value < 0 || output.value >= static_cast<int>(values.size())) fail("an output names no value");
    if (output.strides.rank != source.shape.rank) fail("an output's strides have another rank than the shape");
    values[output.value].isOutput = true;
  }
}

/// Drops dimensions of size 1 and merges neighbours that every view walks through in one stride.
void Planner::mergeDimensions() {
  inputStrides.assign(source.inputs.size(), Dims{});
  outputStrides.assign(source.outputs.size(), Dims{});
  auto forEachView = [&](auto&& visit) {
    for (size_t i = 0; i < source.inputs.size(); i++) visit(source.inputs[i].strides, inputStrides[i]);
    for (size_t i = 0; i < source.outputs.size(); i++) visit(source.outputs[i].strides, outputStrides[i]);
  };
  for (int dim = 0; dim < source.shape.rank; dim++) {
    const int64_t size = source.shape[dim];
    if (size == 1) continue;
    bool merges = sizes.rank > 0;
    forEachView([&](const Dims& from, const Dims& to) {
      merges = merges && to.at[to.rank - 1] == from[dim] * size;
    });
    if (merges) {
      sizes[sizes.rank - 1] *= size;
      forEachView([&](const Dims& from, Dims& to) { to[to.rank - 1] = from[dim]; });
    } else {
      sizes.append(size);
      forEachView([&](const Dims& from, Dims& to) { to.append(from[dim]); });
    }
  }
  if (sizes.rank == 0) {
    sizes.append(1);
    forEachView([&](const Dims&, Dims& to) { to.append(1); });
  }
}

PlannedView::Access accessOf(const Dims& sizes, const Dims& strides) {
  const Dims rowMajor = rowMajorStrides(sizes);
  bool isContiguous = true, isPeriodic = strides[sizes.rank - 1] == 1, isScalar = true;
  for (int dim = 0; dim < sizes.rank; dim++) {
    isContiguous = isContiguous && strides[dim] == rowMajor[dim];
    isScalar = isScalar && strides[dim] == 0;
    if (dim + 1 < sizes.rank) isPeriodic = isPeriodic && strides[dim] == 0;
  }
  if (isScalar) return PlannedView::Access::scalar;
  if (isContiguous) return PlannedView::Access::contiguous;
  return isPeriodic ? PlannedView::Access::periodic : PlannedView::Access::strided;
}

/// Places of the registers, in bytes for each element of a block; slots are shared by values of one size that aren't
/// alive together. Scalars have fixed places at the end.
struct RegisterLayout {
  int64_t bytesPerElement = 0;   // of all slots
  int64_t scalarBytes = 0;
  std::vector<int64_t> slot;     // offset, in bytes per element (or in bytes, for scalars)
  std::vector<std::vector<int64_t>> freeSlots = std::vector<std::vector<int64_t>>(9);

  int64_t allot(int64_t size) {
    auto& available = freeSlots[size];
    if (!available.empty()) {
      const int64_t offset = available.back();
      available.pop_back();
      return offset;
    }
    const int64_t offset = bytesPerElement;
    bytesPerElement += size;
    return offset;
  }
};

RegisterLayout layOut(const Planner& planner) {
  RegisterLayout layout;
  const auto& values = planner.values;
  layout.slot.assign(values.size(), 0);
  for (size_t v = 0; v < values.size(); v++) {
    if (!values[v].isScalar) continue;
    layout.slot[v] = layout.scalarBytes;
    layout.scalarBytes += programQuantum * 8;
  }
  for (int v = 0; v < planner.numInputs(); v++) {
    if (!values[v].isScalar) layout.slot[v] = layout.allot(registerSize(values[v].dtype));
  }
  auto releaseAfter = [&](int v, int index) {
    const Value& value = values[v];
    if (value.isScalar || value.isOutput || value.isKept || value.lastUse != index) return;
    layout.freeSlots[registerSize(value.dtype)].push_back(layout.slot[v]);
  };
  for (int index = 0; index < planner.numInstructions(); index++) {
    const ProgramInstruction& instruction = planner.source.instructions[index];
    const int result = planner.numInputs() + index;
    if (values[result].isScalar) continue;
    // Operands are released first: a result may overwrite an operand of its size, vector by vector.
    for (int i = 0; i < numOperands(instruction.opcode); i++) {
      bool seen = false;
      for (int j = 0; j < i; j++) seen = seen || instruction.operands[j] == instruction.operands[i];
      if (!seen) releaseAfter(instruction.operands[i], index);
    }
    layout.slot[result] = layout.allot(registerSize(values[result].dtype));
    if (values[result].lastUse < 0 && !values[result].isOutput) {
      layout.freeSlots[registerSize(values[result].dtype)].push_back(layout.slot[result]);
    }
  }
  return layout;
}

int64_t greatestCommonDivisor(int64_t a, int64_t b) { return b == 0 ? a : greatestCommonDivisor(b, a % b); }

int64_t roundUpToQuantum(int64_t size) { return (size + programQuantum - 1) / programQuantum * programQuantum; }

/// Blocks of pieces of long rows, or of several short rows; multiples of the quantum where possible.
void chooseBlocks(VectorProgramView& view, int64_t largestBlock) {
  const int64_t row = view.rowSize;
  if (row >= 256 || view.numRows == 1 || row >= largestBlock) {
    const int64_t pieces = std::max<int64_t>(1, (row + largestBlock - 1) / largestBlock);
    const int64_t piece = (row + pieces - 1) / pieces;
    view.rowsPerBlock = 1;
    view.blockSize = std::max(programQuantum, roundUpToQuantum(piece));
    return;
  }
  const int64_t multiple = programQuantum / greatestCommonDivisor(std::max<int64_t>(row, 1), programQuantum);
  int64_t rows = std::max<int64_t>(1, largestBlock / std::max<int64_t>(row, 1));
  if (rows >= multiple) rows = rows / multiple * multiple;
  view.rowsPerBlock = std::min(rows, std::max<int64_t>(view.numRows, 1));
  view.blockSize = view.rowsPerBlock * row;
  if (view.rowsPerBlock == 1) view.blockSize = roundUpToQuantum(row);
}

void checkSize(const ProgramSource& source) {
  if (source.inputs.size() + source.outputs.size() > static_cast<size_t>(maxProgramViews)) {
    fail("more than " + std::to_string(maxProgramViews) + " inputs and outputs; split the group");
  }
  if (source.inputs.size() + source.instructions.size() > static_cast<size_t>(maxProgramValues)) {
    fail("more than " + std::to_string(maxProgramValues) + " values; split the group");
  }
}

void planSizes(const Dims& sizes, const RegisterLayout& layout, VectorProgramView& view) {
  view.rank = sizes.rank;
  std::copy(sizes.at, sizes.at + maxRank, view.sizes);
  view.rowSize = sizes[view.rank - 1];
  view.numRows = 1;
  for (int dim = 0; dim + 1 < view.rank; dim++) view.numRows *= view.sizes[dim];

  // Half of a first-level cache for the registers, the rest for what streams through it.
  const int64_t available = programScratchBytes - layout.scalarBytes;
  const int64_t perElement = std::max<int64_t>(layout.bytesPerElement, 1);
  if (available < perElement * programQuantum) fail("too many values alive at once; split the group");
  int64_t largestBlock = std::min<int64_t>(1024, std::max<int64_t>(24 * 1024 / perElement, 256));
  largestBlock = std::min(largestBlock, available / perElement) / programQuantum * programQuantum;
  chooseBlocks(view, largestBlock);
}

std::vector<ProgramRegister> planRegisters(const Planner& planner, const RegisterLayout& layout, int64_t blockSize) {
  std::vector<ProgramRegister> registers;
  const int64_t paddedBlock = roundUpToQuantum(blockSize);
  for (size_t v = 0; v < planner.values.size(); v++) {
    const Value& value = planner.values[v];
    const int64_t offset = value.isScalar ? paddedBlock * layout.bytesPerElement + layout.slot[v] : paddedBlock * layout.slot[v];
    registers.push_back({value.dtype, value.isScalar, static_cast<int32_t>(offset)});
  }
  return registers;
}

PlannedInstruction planInstruction(const Planner& planner, int index) {
  const ProgramInstruction& from = planner.source.instructions[index];
  const int count = numOperands(from.opcode), result = planner.numInputs() + index;
  PlannedInstruction to{from.opcode, from.dtype, from.dtype, static_cast<int16_t>(result), {0, 0, 0}, from.immediate, 0};
  for (int i = 0; i < count; i++) to.operands[i] = static_cast<int16_t>(from.operands[i]);
  if (count > 0) to.operandDType = planner.values[from.operands[count - 1]].dtype;
  if (from.opcode == Opcode::iota) {
    to.immediate = rowMajorStrides(planner.source.shape)[static_cast<int>(from.immediate)];
    to.iotaSize = planner.source.shape[static_cast<int>(from.immediate)];
  }
  return to;
}

/// Instructions in the order in which they run: those with scalar results first.
struct InstructionOrder {
  std::vector<PlannedInstruction> instructions;
  std::vector<int16_t> position;  // of each of the source's instructions
  int numSetup = 0;
};

InstructionOrder orderInstructions(const Planner& planner) {
  InstructionOrder order;
  order.position.resize(planner.source.instructions.size());
  for (const bool isSetup : {true, false}) {
    for (int index = 0; index < planner.numInstructions(); index++) {
      if (planner.values[planner.numInputs() + index].isScalar != isSetup) continue;
      order.position[index] = static_cast<int16_t>(order.instructions.size());
      order.instructions.push_back(planInstruction(planner, index));
    }
    if (isSetup) order.numSetup = static_cast<int>(order.instructions.size());
  }
  return order;
}

PlannedView planView(const Planner& planner, const Dims& strides, DType dtype, int value, int instruction) {
  PlannedView planned{accessOf(planner.sizes, strides), dtype, static_cast<int16_t>(value), static_cast<int16_t>(instruction), {}};
  std::copy(strides.at, strides.at + maxRank, planned.strides);
  return planned;
}

PlannedView planInput(const Planner& planner, int input, const std::vector<int16_t>& position) {
  const int lastUse = planner.values[input].lastUse, reader = lastUse < 0 ? -1 : position[lastUse];
  PlannedView planned = planView(planner, planner.inputStrides[input], planner.source.inputs[input].dtype, input, reader);
  if (planner.values[input].isScalar) planned.access = PlannedView::Access::scalar;
  return planned;
}

PlannedView planOutput(const Planner& planner, size_t output, const std::vector<int16_t>& position) {
  const int value = planner.source.outputs[output].value;
  const int maker = value < planner.numInputs() ? -1 : position[value - planner.numInputs()];
  PlannedView planned = planView(planner, planner.outputStrides[output], planner.values[value].dtype, value, maker);
  if (planned.access != PlannedView::Access::contiguous) planned.access = PlannedView::Access::strided;
  return planned;
}

}  // namespace

VectorProgram::VectorProgram(const ProgramSource& source) {
  checkSize(source);
  Planner planner(source);
  planner.describeValues();
  planner.mergeDimensions();
  for (int i = 0; i < planner.numInputs(); i++) {
    planner.values[i].isKept = accessOf(planner.sizes, planner.inputStrides[i]) == PlannedView::Access::periodic;
  }
  const RegisterLayout layout = layOut(planner);
  planSizes(planner.sizes, layout, view_);
  registers_ = planRegisters(planner, layout, view_.blockSize);
  InstructionOrder order = orderInstructions(planner);
  instructions_ = std::move(order.instructions);
  for (int i = 0; i < planner.numInputs(); i++) inputs_.push_back(planInput(planner, i, order.position));
  for (size_t i = 0; i < source.outputs.size(); i++) outputs_.push_back(planOutput(planner, i, order.position));

  view_.workPerElement = 1 + static_cast<int64_t>(source.inputs.size() + source.outputs.size());
  for (size_t i = order.numSetup; i < instructions_.size(); i++) view_.workPerElement += opcodeCost(instructions_[i].opcode);
  view_.numSetupInstructions = order.numSetup;
  view_.numInputs = static_cast<int>(inputs_.size());
  view_.numOutputs = static_cast<int>(outputs_.size());
  view_.numInstructions = static_cast<int>(instructions_.size());
  view_.numRegisters = static_cast<int>(registers_.size());
  view_.inputs = inputs_.data();
  view_.outputs = outputs_.data();
  view_.instructions = instructions_.data();
  view_.registers = registers_.data();
}

}  // namespace talweg::kernels
