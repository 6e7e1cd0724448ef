// oneDNN's engine and stream, and primitives with their arguments bound beforehand: a call then costs 0.3 µs, not 2.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/scratch.h"
#include "core/view.h"
#include "onednn/compatibility.h"

namespace talweg::onednn {

// Something to be run any number of times, on the engine's thread.
using Task = std::function<void()>;

// Made and used on the engine's thread: oneDNN takes the number of threads from the calling thread's OpenMP team.
class Session {
 public:
  Session() : engine(dnnl::engine::kind::cpu, 0), stream(engine) {}

  const dnnl::engine engine;
  const dnnl::stream stream;
};

// Limits oneDNN's choice of instructions to those of a kernel target; must come before its first use in this process.
void limitInstructionSet(const std::string& target);
std::string versionText();

dnnl::memory::data_type dataTypeOf(DType dtype);
// A memory description with the view's own strides.
dnnl::memory::desc describe(const View& view);
// The same sizes, with the layout left to oneDNN.
dnnl::memory::desc anyLayout(const View& view);

// A primitive with its arguments.
class Prepared {
 public:
  Prepared(const Session& session, dnnl::primitive primitive) : session_(session), primitive_(std::move(primitive)) {}
  void bind(int argument, const dnnl::memory::desc& description, void* data);
  void run() const;

 private:
  const Session& session_;
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

// Several primitives one after the other.
class Sequence {
 public:
  explicit Sequence(const Session& session) : session_(session) {}
  Prepared& add(dnnl::primitive primitive);
  // Adds a copy between two layouts.
  void addReorder(const dnnl::memory::desc& from, void* source, const dnnl::memory::desc& to, void* destination);
  void run() const;

 private:
  const Session& session_;
  std::vector<std::unique_ptr<Prepared>> steps_;
};

// Attributes with memory for work provided by us, so that it is planned.
dnnl::primitive_attr plannedScratchpad();

// Whether oneDNN has nothing better than its reference code, loops of one element at a time: hundreds of times slower
// than what the engine has itself.
template <class Description>
bool isReferenceCode(const Description& description) {
  return std::string(description.impl_info_str()).rfind("ref", 0) == 0;
}

// A task that runs the sequence.
Task taskOf(std::shared_ptr<Sequence> sequence);

// What `prepare` gives, or an empty task where oneDNN says that it has no such primitive; other failures throw.
Task ifImplemented(const std::function<Task()>& prepare);

}  // namespace talweg::onednn
