// This worker's place among the others: a thread of its own that alone calls MPI and carries out what is posted.
//
// One thread rather than MPI_THREAD_MULTIPLE: Open MPI then takes no locks, and messages move on while the engine's
// thread computes, which nobody else would see to. It has two lanes, each carried out in the order of posting: tensors
// (in the program's order, the same on every worker) and control (in the training loop's order, likewise), so that it
// doesn't matter how the two fall between each other.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "mpi/byte_exchange.h"
#include "mpi/exchange.h"

namespace talweg::mpi {

enum class Lane { tensors, control };
constexpr int numLanes = 2;
// How many of a lane are under way at once.
constexpr std::size_t depths[numLanes] = {numStores, 1};

struct Statistics {
  std::uint64_t bytesSent = 0;
  double secondsExchanging = 0;  // while a tensor exchange was under way
  double secondsWaiting = 0;     // while the engine's thread had nothing to do but wait for one
};

// The end of what was posted.
struct Ticket {
  bool isDone = false;
  std::exception_ptr error;
};

class Communicator : public std::enable_shared_from_this<Communicator> {
 public:
  using Clock = std::chrono::steady_clock;
  // Called on the communication thread, with the error where there is one.
  using Settled = std::function<void(std::exception_ptr)>;

  // Begins at once; `opened` is called when every worker has begun, or it is known that it can't be. The thread holds
  // it too: MPI's own start and end wait for the other workers, perhaps longer than anybody here does.
  static std::shared_ptr<Communicator> begin(std::chrono::milliseconds timeout, Settled opened);

  // Once opened.
  int rank() const { return rank_; }
  int size() const { return size_; }
  const std::vector<std::string>& hosts() const { return hosts_; }
  const std::string& version() const { return version_; }

  std::shared_ptr<Ticket> post(Lane lane, std::shared_ptr<Exchange> exchange, Settled settled = nullptr);
  // Throws what went wrong; `isStopped`: Node is going down, nobody waits for the result.
  void wait(const Ticket& ticket, const std::atomic<bool>& isStopped);
  // Wakes those that wait, to look at their `isStopped`.
  void wake();
  // Waits for all workers to have come here, then lets go of MPI.
  void close(Settled closed);
  // Ends without the others: what is under way is left. Without `close`, mpirun ends the other workers.
  void stop();
  // Since it was last asked.
  Statistics takeStatistics();

 private:
  struct Job {
    std::shared_ptr<Exchange> exchange;
    std::shared_ptr<Ticket> ticket;
    Settled settled;
    bool isBegun = false;
  };

  explicit Communicator(std::chrono::milliseconds timeout) : timeout_(timeout) {}

  void work(const Settled& opened);
  void initialize();
  std::shared_ptr<ByteExchange> exchangeWithAll(const std::string& description, const std::string& text) const;
  void exchangeHosts(Channel& channel);
  void carryOut(Channel& channel);
  void finalize(Channel& channel);
  Job* jobAt(int lane, std::size_t place);
  bool beginFronts(Channel& channel);
  bool finishFronts(const Channel& channel);
  void moved();
  void checkDeadlines();
  void settle(int lane, std::exception_ptr error);
  void fail(const std::exception_ptr& error);
  void rest(Channel& channel);
  std::string describe(const std::vector<int>& workers) const;

  const std::chrono::milliseconds timeout_;
  const Library* library_ = nullptr;
  int rank_ = 0, size_ = 1;
  std::vector<std::string> hosts_;
  std::string version_;

  std::mutex mutex_;
  std::condition_variable posted_, settled_;
  std::deque<Job> lanes_[numLanes];
  std::exception_ptr error_;  // once one exchange has failed no other can be carried out
  std::atomic<bool> isStopped_{false}, isInLibrary_{false};
  std::atomic<int> numWaiting_{0};
  Statistics statistics_;
  std::thread thread_;

  // The communication thread's alone.
  Settled closed_;
  bool isClosing_ = false;
  int sequences_[numLanes] = {};
  std::uint64_t bytesCounted_ = 0;
  Clock::time_point lastMoved_{}, exchangingSince_{};
};

}  // namespace talweg::mpi
