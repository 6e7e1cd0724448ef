#include "engine/executable.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.h"

namespace talweg {
namespace {

template <class Action>
void withLabel(const std::string& label, const std::string& operation, const Action& action) {
  try {
    action();
  } catch (const EngineError& error) {
    throw EngineError(error.code(), operation + " at " + label + ": " + error.what());
  } catch (const std::exception& error) {
    throw EngineError("ENGINE_FAILED", operation + " at " + label + ": " + error.what());
  }
}

// By the bits of the exponent: all ones means infinite or not a number.
template <class Bits>
bool areFinite(const void* data, std::int64_t count, Bits exponent) {
  const Bits* bits = static_cast<const Bits*>(data);
  bool isBad = false;
  for (std::int64_t i = 0; i < count; ++i) isBad |= (bits[i] & exponent) == exponent;
  return !isBad;
}

bool isFinite(const View& view) {
  const std::int64_t count = view.numElements();
  switch (view.dtype) {
    case DType::f64:
      return areFinite<std::uint64_t>(view.data, count, 0x7ff0000000000000ull);
    case DType::f32:
      return areFinite<std::uint32_t>(view.data, count, 0x7f800000u);
    case DType::bf16:
      return areFinite<std::uint16_t>(view.data, count, 0x7f80);
    default:
      return true;
  }
}

}  // namespace

std::size_t measureScratch(const Machine& machine, const Instruction& instruction, const std::vector<View>& inputs,
                           const std::vector<View>& outputs) {
  Scratch scratch(nullptr);
  withLabel(instruction.label, instruction.name(), [&] {
    Builder builder(machine.kernels, machine.session, scratch, machine.numThreads, nullptr);
    builder.build({instruction.name(), instruction.attributes, inputs, outputs, instruction.body.get()});
  });
  return scratch.peakBytes();
}

Executable::Executable(const Machine& machine, Program program, std::vector<std::shared_ptr<Memory>> state)
    : kernels_(machine.kernels),
      program_(std::move(program)),
      state_(std::move(state)),
      arena_(program_.arenaSizeBytes),
      exchanges_{machine.peers, {}} {
  placeBuffers();
  for (const Instruction& instruction : program_.instructions) buildInstruction(machine, instruction);
  planState();
  planGathers();
}

void Executable::placeBuffers() {
  for (const Buffer& buffer : program_.buffers) {
    switch (buffer.storage) {
      case Storage::arena:
        invariant(buffer.offsetBytes + buffer.sizeBytes <= program_.arenaSizeBytes, "a buffer lies in the arena");
        buffers_.push_back(arena_.data() + buffer.offsetBytes);
        break;
      case Storage::constant:
        owned_.push_back(std::make_unique<Memory>(buffer.sizeBytes));
        std::memcpy(owned_.back()->data(), buffer.contents.data(), buffer.sizeBytes);
        buffers_.push_back(owned_.back()->data());
        break;
      case Storage::input:
      case Storage::output:
        owned_.push_back(std::make_unique<Memory>(buffer.sizeBytes));
        buffers_.push_back(owned_.back()->data());
        break;
      case Storage::state:
        buffers_.push_back(nullptr);
        break;
    }
  }
  for (std::size_t i = 0; i < program_.state.size(); ++i) {
    const int buffer = program_.values[program_.state[i].value].buffer;
    invariant(program_.buffers[buffer].sizeBytes <= state_[i]->sizeBytes(), "a state's buffer is large enough");
    buffers_[buffer] = state_[i]->data();
  }
}

View Executable::viewOf(int index) const {
  const Value& value = program_.values[index];
  char* data = buffers_[value.buffer] + value.offsetElements * static_cast<std::int64_t>(sizeOf(value.dtype));
  return {value.dtype, value.shape, value.strides, data};
}

char* Executable::scratchFor(const Instruction& instruction, std::size_t* capacityBytes) {
  if (instruction.scratch) {
    *capacityBytes = program_.buffers[*instruction.scratch].sizeBytes;
    return buffers_[*instruction.scratch];
  }
  *capacityBytes = unplannedScratch_ == nullptr ? 0 : unplannedScratch_->sizeBytes();
  return unplannedScratch_ == nullptr ? nullptr : unplannedScratch_->data();
}

void Executable::buildInstruction(const Machine& machine, const Instruction& instruction) {
  Step step{instruction.name(), instruction.attributes, {}, {}, instruction.body.get()};
  for (int input : instruction.inputs) step.inputs.push_back(viewOf(input));
  for (int output : instruction.outputs) step.outputs.push_back(viewOf(output));
  withLabel(instruction.label, instruction.name(), [&] {
    std::size_t capacityBytes;
    char* base = scratchFor(instruction, &capacityBytes);
    while (true) {
      Scratch scratch(base);
      Builder builder(machine.kernels, machine.session, scratch, machine.numThreads, &exchanges_);
      builder.build(step);
      if (scratch.peakBytes() <= capacityBytes) {
        tasks_.push_back(builder.takeTasks());
        return;
      }
      // The program was planned without this engine's say (`scratchBytes`), or the planner let a result share its
      // operand's memory, which a kernel then has to get round: it gets memory beside the arena.
      capacityBytes = scratch.peakBytes();
      owned_.push_back(std::make_unique<Memory>(capacityBytes));
      unplannedScratch_ = owned_.back().get();
      base = unplannedScratch_->data();
    }
  });
}

// What isn't written in place is copied after the step. A new state may be another entry's old one: it then goes by way
// of memory of its own, so that all are read before the first is written.
void Executable::planState() {
  std::vector<Copy> second;
  for (const Program::State& state : program_.state) {
    if (!state.output || state.isAliased) continue;
    const View from = viewOf(*state.output), to = viewOf(state.value);
    invariant(from.isContiguous() && to.isContiguous(), "a state is row-major");
    const std::size_t sizeBytes = static_cast<std::size_t>(to.sizeBytes());
    if (program_.buffers[program_.values[*state.output].buffer].storage != Storage::state) {
      second.push_back({from.as<char>(), to.as<char>(), sizeBytes});
      continue;
    }
    owned_.push_back(std::make_unique<Memory>(sizeBytes));
    stateCopies_.push_back({from.as<char>(), owned_.back()->data(), sizeBytes});
    second.push_back({owned_.back()->data(), to.as<char>(), sizeBytes});
  }
  stateCopies_.insert(stateCopies_.end(), second.begin(), second.end());
}

// Of each stepped input, a batch's rows of the data. How many rows that has is checked where calls enter the engine.
void Executable::planGathers() {
  for (const Program::Input& input : program_.inputs) {
    const View view = viewOf(input.value);
    kernels::GatherPlan plan{};
    if (input.isStepped && view.rank() > 0 && view.numElements() > 0) {
      const std::int64_t size = view.numElements() / view.shape[0];
      const kernels::Dims data = toKernelDims({std::numeric_limits<std::int32_t>::max(), size});
      const kernels::Dims row = toKernelDims({1, size}), starts = toKernelDims({view.shape[0]});
      const kernels::Dims first = toKernelDims({0}), second = toKernelDims({1});
      plan = kernels::planGather(view.dtype, data, DType::i32, starts, second, first, first, 1, row);
    }
    gathers_.push_back(plan);
  }
}

void Executable::copyInputs(const std::vector<const char*>& inputs, const std::int32_t* rows, std::int64_t step) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const View view = viewOf(program_.inputs[i].value);
    const bool isStepped = program_.inputs[i].isStepped;
    if (rows != nullptr && isStepped) {
      kernels_.gather(gathers_[i], inputs[i], rows + step * view.shape[0], view.data);
      continue;
    }
    const std::int64_t offset = isStepped ? step * view.sizeBytes() : 0;
    if (view.sizeBytes() > 0) std::memcpy(view.data, inputs[i] + offset, static_cast<std::size_t>(view.sizeBytes()));
  }
}

void Executable::runInstruction(std::size_t index) const {
  const Instruction& instruction = program_.instructions[index];
  withLabel(instruction.label, instruction.name(), [&] {
    for (const Task& task : tasks_[index]) task();
  });
}

void Executable::runInstructions() const {
  for (std::size_t index = 0; index < tasks_.size(); ++index) runInstruction(index);
}

void Executable::runInstructions(Timeline& timeline) const {
  timeline.mark();
  for (std::size_t index = 0; index < tasks_.size(); ++index) {
    runInstruction(index);
    timeline.mark();
  }
}

void Executable::copyResults(const std::vector<char*>& outputs, std::int64_t step) const {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const View view = viewOf(program_.outputs[i].value);
    invariant(view.isContiguous(), "an output is row-major");
    std::memcpy(outputs[i] + step * view.sizeBytes(), view.data, static_cast<std::size_t>(view.sizeBytes()));
  }
  for (const Copy& copy : stateCopies_) std::memcpy(copy.to, copy.from, copy.sizeBytes);
}

void Executable::run(const std::vector<const char*>& inputs, const std::int32_t* rows,
                     const std::vector<char*>& outputs, std::int64_t steps, const std::atomic<bool>& isStopped,
                     Timeline* timeline) {
  for (std::int64_t step = 0; step < steps && !isStopped; ++step) {
    if (timeline != nullptr) timeline->mark();
    copyInputs(inputs, rows, step);
    if (timeline == nullptr) {
      runInstructions();
    } else {
      runInstructions(*timeline);
    }
    copyResults(outputs, step);
    if (timeline != nullptr) timeline->mark();
  }
}

std::optional<NonFinite> Executable::checkValue(int value, const std::string& label,
                                                const std::string& operation) const {
  const View view = viewOf(value);
  if (!view.isContiguous() || isFinite(view)) return std::nullopt;
  return NonFinite{label, operation, view.dtype, view.shape};
}

std::optional<NonFinite> Executable::findNonFinite(const std::vector<const char*>& inputs) {
  std::vector<std::vector<char>> before;
  for (const auto& memory : state_) before.emplace_back(memory->data(), memory->data() + memory->sizeBytes());
  const auto restore = [&] {
    for (std::size_t i = 0; i < state_.size(); ++i) std::memcpy(state_[i]->data(), before[i].data(), before[i].size());
  };
  copyInputs(inputs, nullptr, 0);
  std::optional<NonFinite> finding;
  for (const Program::State& state : program_.state) {
    if (!finding) finding = checkValue(state.value, "state " + state.name, "parameter");
  }
  for (const Program::Input& input : program_.inputs) {
    if (!finding) finding = checkValue(input.value, "input " + input.name, "parameter");
  }
  for (std::size_t i = 0; i < tasks_.size() && !finding; ++i) {
    const Instruction& instruction = program_.instructions[i];
    runInstruction(i);
    for (int output : instruction.outputs) {
      if (!finding) finding = checkValue(output, instruction.label, instruction.operation);
    }
  }
  restore();
  return finding;
}

}  // namespace talweg
