// Turns instructions into tasks: the engine's lowering.
//
// A table gives each operation, and each composite with a kernel of its own, a rule that plans the work once and leaves
// a task that runs it any number of times. A composite without a rule, or whose operands its kernel doesn't take (say
// f64), is built from its decomposition.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/scratch.h"
#include "core/view.h"
#include "engine/peers.h"
#include "engine/program.h"
#include "kernels/kernel_table.h"
#include "onednn/session.h"

namespace talweg {

using onednn::Task;

// An instruction with its operands in place.
struct Step {
  const std::string& name;  // of the operation or composite
  const Data& attributes;
  std::vector<View> inputs, outputs;
  const Body* body;
};

class Builder {
 public:
  // `exchanges`: what goes on between workers in a program; none where the tasks are never run, only their scratch
  // memory is wanted.
  Builder(const kernels::KernelTable& kernels, const onednn::Session& session, Scratch& scratch, int numThreads,
          Exchanges* exchanges)
      : kernels(kernels), session(session), scratch(scratch), numThreads(numThreads), exchanges(exchanges) {}

  // Appends the step's tasks. Throws EngineError where no rule and no decomposition takes it.
  void build(const Step& step);
  // The same for the whole inside of a composite.
  void buildBody(const Body& body, const std::vector<View>& inputs, const std::vector<View>& outputs);
  std::vector<Task> takeTasks() { return std::move(tasks_); }

  // For rules.
  void add(Task task) { tasks_.push_back(std::move(task)); }
  // Row-major scratch memory until the end of the step.
  View temporary(DType dtype, const Dims& shape);
  // The same elements in row-major order: the view itself where it already is, else a copy.
  View dense(const View& view);
  void addCopy(const View& from, const View& to);
  // Elements of another type. The views have one shape.
  void addConvert(const View& from, const View& to);
  // Row-major and of this type, by copy or conversion where needed.
  View converted(const View& view, DType dtype);

  const kernels::KernelTable& kernels;
  const onednn::Session& session;
  Scratch& scratch;
  const int numThreads;
  Exchanges* const exchanges;

 private:
  std::vector<Task> tasks_;
};

kernels::Dims toKernelDims(const Dims& dims);
kernels::Combine combineNamed(const std::string& kind);
bool shareMemory(const View& left, const View& right);

}  // namespace talweg
