#include "engine/engine.h"

#include <omp.h>

#include <exception>
#include <future>

#include "core/error.h"

namespace talweg {
namespace {

const kernels::KernelTable& kernelsFor(const std::string& target) {
  if (target.empty()) return kernels::bestKernelTable();
  const kernels::KernelTable* table = kernels::findKernelTable(target.c_str());
  if (table == nullptr) {
    std::string built;
    for (const char* const* name = kernels::builtTargets(); *name != nullptr; ++name) built += std::string(" ") + *name;
    throw EngineError("ENGINE_UNAVAILABLE",
                      "TALWEG_CPU is " + target + ", which this processor or build does not have; built are" + built);
  }
  static std::once_flag once;
  std::call_once(once, [&] { onednn::limitInstructionSet(target); });
  return *table;
}

}  // namespace

Engine::Engine(int numThreads, const std::string& target, std::shared_ptr<mpi::Communicator> communicator)
    : kernels_(kernelsFor(target)), numThreads_(numThreads), peers_{std::move(communicator), isStopped_} {
  thread_ = std::thread([this] { work(); });
  try {
    postAndWait([this] { session_ = std::make_unique<onednn::Session>(); });
  } catch (...) {
    stop();
    throw;
  }
}

Engine::~Engine() { stop(); }

void Engine::post(std::function<void()> work) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(work));
  }
  isPosted_.notify_one();
}

void Engine::postAndWait(const std::function<void()>& work) {
  std::promise<void> promise;
  post([&] {
    try {
      work();
      promise.set_value();
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  });
  promise.get_future().get();
}

void Engine::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    isStopped_ = true;
  }
  isPosted_.notify_one();
  if (peers_.communicator) peers_.communicator->wake();
  if (thread_.joinable()) thread_.join();
}

void Engine::work() {
  omp_set_dynamic(0);
  omp_set_num_threads(numThreads_);
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    isPosted_.wait(lock, [this] { return isStopped_ || !queue_.empty(); });
    if (isStopped_) break;
    std::function<void()> next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    next();
    next = nullptr;  // what it holds is let go of before the wait
    lock.lock();
  }
}

}  // namespace talweg
