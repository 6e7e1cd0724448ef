// The engine: one thread of its own, whose OpenMP team does all the work, so that Node's event loop stays free.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "engine/executable.h"

namespace talweg {

class Engine {
 public:
  // `target`: a kernel target to be held to (tests), or empty for the best that this processor has.
  // `communicator`: the other workers, or none.
  Engine(int numThreads, const std::string& target, std::shared_ptr<mpi::Communicator> communicator);
  ~Engine();

  // Work is done in the order in which it is posted. It must not throw.
  void post(std::function<void()> work);
  // Work whose end is waited for; what it throws is thrown here.
  void postAndWait(const std::function<void()>& work);
  // Ends after the step in progress; what is posted but not begun is dropped.
  void stop();

  // On the engine's thread only.
  Machine machine() const { return {kernels_, *session_, numThreads_, peers_.communicator ? &peers_ : nullptr}; }
  const std::atomic<bool>& isStopped() const { return isStopped_; }

  const char* target() const { return kernels_.target; }
  int numThreads() const { return numThreads_; }

 private:
  void work();

  const kernels::KernelTable& kernels_;
  const int numThreads_;
  std::unique_ptr<onednn::Session> session_;
  std::mutex mutex_;
  std::condition_variable isPosted_;
  std::deque<std::function<void()>> queue_;
  std::atomic<bool> isStopped_{false};
  const Peers peers_;
  std::thread thread_;
};

}  // namespace talweg
