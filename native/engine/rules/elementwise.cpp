// Elementwise operations and groups of them, as vector programs: each input is read once, each output written once.
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>

#include "core/error.h"
#include "engine/rules.h"

namespace talweg::rules {
namespace {

using kernels::Opcode;
using kernels::ProgramSource;

const std::map<std::string, Opcode>& opcodes() {
  static const std::map<std::string, Opcode> table{
      {"negate", Opcode::negate},
      {"abs", Opcode::abs},
      {"sign", Opcode::sign},
      {"exponential", Opcode::exponential},
      {"exponentialMinusOne", Opcode::exponentialMinusOne},
      {"log", Opcode::log},
      {"logPlusOne", Opcode::logPlusOne},
      {"sqrt", Opcode::sqrt},
      {"rsqrt", Opcode::rsqrt},
      {"cbrt", Opcode::cbrt},
      {"tanh", Opcode::tanh},
      {"logistic", Opcode::logistic},
      {"sine", Opcode::sine},
      {"cosine", Opcode::cosine},
      {"floor", Opcode::floor},
      {"ceil", Opcode::ceil},
      {"roundNearestEven", Opcode::roundNearestEven},
      {"erf", Opcode::erf},
      {"not", Opcode::logicalNot},
      {"isFinite", Opcode::isFinite},
      {"convert", Opcode::convert},
      {"bitcastConvert", Opcode::bitcastConvert},
      {"add", Opcode::add},
      {"subtract", Opcode::subtract},
      {"multiply", Opcode::multiply},
      {"divide", Opcode::divide},
      {"remainder", Opcode::remainder},
      {"power", Opcode::power},
      {"maximum", Opcode::maximum},
      {"minimum", Opcode::minimum},
      {"atan2", Opcode::atan2},
      {"and", Opcode::logicalAnd},
      {"or", Opcode::logicalOr},
      {"xor", Opcode::logicalXor},
      {"shiftLeft", Opcode::shiftLeft},
      {"shiftRightLogical", Opcode::shiftRightLogical},
      {"shiftRightArithmetic", Opcode::shiftRightArithmetic},
      {"select", Opcode::select},
      {"EQ", Opcode::compareEQ},
      {"NE", Opcode::compareNE},
      {"LT", Opcode::compareLT},
      {"LE", Opcode::compareLE},
      {"GT", Opcode::compareGT},
      {"GE", Opcode::compareGE},
  };
  return table;
}

std::optional<Opcode> opcodeOf(const std::string& name, const Data& attributes) {
  const auto found = opcodes().find(name == "compare" ? attributes["direction"].text() : name);
  if (found == opcodes().end()) return std::nullopt;
  return found->second;
}

int emit(ProgramSource& source, Opcode opcode, DType dtype, const std::vector<int>& operands) {
  switch (operands.size()) {
    case 1:
      return source.emit(opcode, dtype, {operands[0]});
    case 2:
      return source.emit(opcode, dtype, {operands[0], operands[1]});
    default:
      return source.emit(opcode, dtype, {operands[0], operands[1], operands[2]});
  }
}

double elementOf(DType dtype, const std::uint8_t* bytes) {
  const auto read = [bytes](auto value) {
    std::memcpy(&value, bytes, sizeof value);
    return value;
  };
  switch (dtype) {
    case DType::f64:
      return read(double{});
    case DType::f32:
      return read(float{});
    case DType::bf16: {
      const std::uint32_t bits = static_cast<std::uint32_t>(read(std::uint16_t{})) << 16;
      float value;
      std::memcpy(&value, &bits, sizeof value);
      return value;
    }
    case DType::i32:
      return read(std::int32_t{});
    case DType::u32:
      return read(std::uint32_t{});
    default:
      return bytes[0];
  }
}

// An output may share memory with an input only where both are the same row-major elements: else the input is copied.
std::vector<View> withoutOverlaps(Builder& builder, const std::vector<View>& inputs, const std::vector<View>& outputs) {
  std::vector<View> result;
  for (const View& input : inputs) {
    bool isSafe = true;
    for (const View& output : outputs) {
      const bool isSame = input.data == output.data && input.shape == output.shape && input.isContiguous() &&
                          sizeOf(input.dtype) == sizeOf(output.dtype);
      if (!isSame && shareMemory(input, output)) isSafe = false;
    }
    if (isSafe) {
      result.push_back(input);
    } else {
      result.push_back(builder.temporary(input.dtype, input.shape));
      builder.addCopy(input, result.back());
    }
  }
  return result;
}

void addProgram(Builder& builder, const ProgramSource& source, const std::vector<View>& inputs,
                const std::vector<View>& outputs) {
  auto program = std::make_shared<kernels::VectorProgram>(source);
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const View& input : inputs) from.push_back(input.data);
  for (const View& output : outputs) to.push_back(output.data);
  builder.add(
      [run = builder.kernels.runVectorProgram, program, from, to] { run(program->view(), from.data(), to.data()); });
}

// Translates the inside of a group. Values have the group's shape, or are operands and constants that are broadcast to
// it.
class GroupTranslator {
 public:
  GroupTranslator(const Body& body, const std::vector<View>& inputs, const Dims& shape)
      : body_(body), shape_(shape), views_(body.values.size()), numbers_(body.values.size(), -1) {
    source.shape = toKernelDims(shape);
    for (std::size_t i = 0; i < inputs.size(); ++i) views_[body.inputs[i]] = inputs[i];
    for (const Body::Constant& constant : body.constants) {
      const Body::Type& type = body.values[constant.value];
      void* data = const_cast<std::uint8_t*>(constant.contents->data());
      views_[constant.value] = contiguousView(type.dtype, type.shape, data);
    }
  }

  // False where something in the body is no part of a vector program.
  bool translate(const std::vector<View>& outputs) {
    findBroadcasts();
    if (!declareInputs()) return false;
    for (const Instruction& instruction : body_.instructions) {
      if (!translate(instruction)) return false;
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (numbers_[body_.outputs[i]] < 0) return false;
      source.output(numbers_[body_.outputs[i]], toKernelDims(outputs[i].strides));
    }
    return true;
  }

  ProgramSource source;
  std::vector<View> operands;

 private:
  // A repeated operand or constant is itself a view: nothing is computed for it.
  void findBroadcasts() {
    for (const Instruction& instruction : body_.instructions) {
      if (instruction.operation != "broadcastInDim" || !views_[instruction.inputs[0]]) continue;
      views_[instruction.outputs[0]] =
          broadcastTo(*views_[instruction.inputs[0]], instruction.attributes["shape"].integers(),
                      instruction.attributes["dims"].integers());
    }
  }

  // The vector program wants all inputs before the first instruction, so constants of one element come after these.
  bool declareInputs() {
    std::vector<std::pair<int, const std::uint8_t*>> scalars;
    for (std::size_t value = 0; value < views_.size(); ++value) {
      if (!views_[value] || !isUsed(static_cast<int>(value))) continue;
      View& view = *views_[value];
      if (view.shape != shape_) {
        if (view.numElements() != 1) return false;
        view = View{view.dtype, shape_, Dims(shape_.size(), 0), view.data};
      }
      const bool isOneElement = view.strides == Dims(shape_.size(), 0);
      if (isOneElement && isConstant(view.data)) {
        scalars.emplace_back(static_cast<int>(value), view.as<const std::uint8_t>());
        continue;
      }
      numbers_[value] = source.input(view.dtype, toKernelDims(view.strides));
      operands.push_back(view);
    }
    for (const auto& [value, bytes] : scalars) {
      const DType dtype = views_[value]->dtype;
      numbers_[value] = source.constant(dtype, elementOf(dtype, bytes));
    }
    return true;
  }

  bool isUsed(int value) const {
    for (const Instruction& instruction : body_.instructions) {
      if (instruction.operation == "broadcastInDim" && views_[instruction.inputs[0]]) continue;
      for (int input : instruction.inputs) {
        if (input == value) return true;
      }
    }
    for (int output : body_.outputs) {
      if (output == value) return true;
    }
    return false;
  }

  bool isConstant(const void* data) const {
    for (const Body::Constant& constant : body_.constants) {
      if (constant.contents->data() == data) return true;
    }
    return false;
  }

  bool translate(const Instruction& instruction) {
    const int result = instruction.outputs[0];
    if (views_[result]) return true;  // a repeated operand
    const Body::Type& type = body_.values[result];
    if (type.shape != shape_) return false;
    if (instruction.operation == "iota") {
      numbers_[result] = source.emit(Opcode::iota, type.dtype, {}, instruction.attributes["dim"].integer());
      return true;
    }
    if (instruction.operation == "reshape" || instruction.operation == "optimizationBarrier") return false;
    const std::optional<Opcode> opcode = opcodeOf(instruction.name(), instruction.attributes);
    if (!opcode) return false;
    std::vector<int> inputs;
    for (int input : instruction.inputs) {
      if (numbers_[input] < 0) return false;
      inputs.push_back(numbers_[input]);
    }
    numbers_[result] = emit(source, *opcode, type.dtype, inputs);
    return true;
  }

  const Body& body_;
  const Dims& shape_;
  std::vector<std::optional<View>> views_;
  std::vector<int> numbers_;
};

}  // namespace

bool elementwise(Builder& builder, const Step& step) {
  const std::optional<Opcode> opcode = opcodeOf(step.name, step.attributes);
  if (!opcode) return false;
  const View& output = step.outputs[0];
  if (*opcode == Opcode::convert && step.inputs[0].dtype == output.dtype) return copy(builder, step);
  const std::vector<View> inputs = withoutOverlaps(builder, step.inputs, step.outputs);
  ProgramSource source;
  source.shape = toKernelDims(output.shape);
  std::vector<int> operands;
  for (const View& input : inputs) operands.push_back(source.input(input.dtype, toKernelDims(input.strides)));
  source.output(emit(source, *opcode, output.dtype, operands), toKernelDims(output.strides));
  addProgram(builder, source, inputs, step.outputs);
  return true;
}

bool elementwiseGroup(Builder& builder, const Step& step) {
  const std::vector<View> inputs = withoutOverlaps(builder, step.inputs, step.outputs);
  GroupTranslator group(*step.body, inputs, step.outputs[0].shape);
  if (!group.translate(step.outputs)) return false;
  try {
    addProgram(builder, group.source, group.operands, step.outputs);
  } catch (const std::invalid_argument&) {
    return false;  // more registers or operands than a vector program has: one operation after the other
  }
  return true;
}

bool iota(Builder& builder, const Step& step) {
  const View& output = step.outputs[0];
  ProgramSource source;
  source.shape = toKernelDims(output.shape);
  source.output(source.emit(Opcode::iota, output.dtype, {}, step.attributes["dim"].integer()),
                toKernelDims(output.strides));
  addProgram(builder, source, {}, step.outputs);
  return true;
}

}  // namespace talweg::rules
