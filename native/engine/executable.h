// A loaded program: its memory, and its instructions as tasks over fixed pointers.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/memory.h"
#include "engine/builder.h"
#include "engine/program.h"
#include "engine/timeline.h"

namespace talweg {

// What programs are built with: the kernels of this processor, oneDNN, and the size of the team.
struct Machine {
  const kernels::KernelTable& kernels;
  const onednn::Session& session;
  int numThreads;
  const Peers* peers;  // none where there is one worker
};

// One instruction outside any program, to learn what scratch memory it wants.
std::size_t measureScratch(const Machine& machine, const Instruction& instruction, const std::vector<View>& inputs,
                           const std::vector<View>& outputs);

struct NonFinite {
  std::string label, operation;
  DType dtype;
  Dims shape;
};

// Made and used on the engine's thread.
class Executable {
 public:
  // `state`: one memory for each of the program's state entries, in their order. Errors name the instruction.
  Executable(const Machine& machine, Program program, std::vector<std::shared_ptr<Memory>> state);

  // `inputs` and `outputs` in the program's order; the outputs have a row for each step, and so have stepped inputs.
  // Where `rows` is not null, stepped inputs are the whole data, and a step's batch is the rows that it names.
  // Ends early, between two steps, once `isStopped`. `timeline`, if not null, is given marks for each step: when it
  // begins, when each instruction begins, when the last one ends, when the step ends.
  void run(const std::vector<const char*>& inputs, const std::int32_t* rows, const std::vector<char*>& outputs,
           std::int64_t steps, const std::atomic<bool>& isStopped, Timeline* timeline);
  // Runs one step, puts the state back, and names the first value that isn't finite.
  std::optional<NonFinite> findNonFinite(const std::vector<const char*>& inputs);

  const Program& program() const { return program_; }

 private:
  void placeBuffers();
  void buildInstruction(const Machine& machine, const Instruction& instruction);
  void planState();
  View viewOf(int value) const;
  char* scratchFor(const Instruction& instruction, std::size_t* capacityBytes);
  void planGathers();
  void copyInputs(const std::vector<const char*>& inputs, const std::int32_t* rows, std::int64_t step);
  void runInstruction(std::size_t index) const;
  void runInstructions() const;
  void runInstructions(Timeline& timeline) const;
  void copyResults(const std::vector<char*>& outputs, std::int64_t step) const;
  std::optional<NonFinite> checkValue(int value, const std::string& label, const std::string& operation) const;

  struct Copy {
    const char* from;
    char* to;
    std::size_t sizeBytes;
  };

  const kernels::KernelTable& kernels_;
  const Program program_;
  const std::vector<std::shared_ptr<Memory>> state_;
  Memory arena_;
  std::vector<std::unique_ptr<Memory>> owned_;  // input and output buffers, scratch memory that wasn't planned
  Memory* unplannedScratch_ = nullptr;
  Exchanges exchanges_;
  std::vector<char*> buffers_;
  std::vector<std::vector<Task>> tasks_;  // by instruction
  std::vector<Copy> stateCopies_;
  std::vector<kernels::GatherPlan> gathers_;  // by input; of those that are not stepped they mean nothing
};

}  // namespace talweg
