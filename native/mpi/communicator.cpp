#include "mpi/communicator.h"

#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include <cstdio>
#include <utility>

#include "core/error.h"

namespace talweg::mpi {
namespace {

// Open MPI moves data only while it is called, so somebody has to. Where the engine's thread waits for the result its
// core is free: this thread asks again and again for a while, then after naps. Where it computes, a nap is long enough
// not to be felt and short enough that what the system holds for the network in the meantime does not run out.
constexpr std::chrono::microseconds eagerFor{300};
constexpr std::chrono::microseconds napWhileWaiting{20};
constexpr std::chrono::microseconds napWhileComputing{150};
// After the last exchange a message of one's own may still be on its way out.
constexpr std::chrono::milliseconds lingerFor{20};
constexpr std::chrono::milliseconds lingerStep{1};

// Tags: two for each exchange. Those of one lane follow each other, so few are enough for messages of neighbouring ones
// not to be taken for one another.
constexpr int numSequences = 1 << 16;

std::string hostName() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0) return "unknown";
  return name;
}

void wakePunctually() {
#if defined(__linux__)
  prctl(PR_SET_TIMERSLACK, 1000);  // else naps are 50 microseconds longer; where it fails they are just that
#endif
}

}  // namespace

std::shared_ptr<Communicator> Communicator::begin(std::chrono::milliseconds timeout, Settled opened) {
  std::shared_ptr<Communicator> begun(new Communicator(timeout));
  begun->thread_ = std::thread([begun, opened = std::move(opened)] { begun->work(opened); });
  return begun;
}

void Communicator::work(const Settled& opened) {
  wakePunctually();
  try {
    initialize();
    Channel channel(*library_);
    exchangeHosts(channel);
    opened(nullptr);
    carryOut(channel);
  } catch (...) {
    const std::exception_ptr error = std::current_exception();
    if (hosts_.empty()) opened(error);
    fail(error);
  }
}

void Communicator::initialize() {
  library_ = &Library::open();
  int isInitialized = 0, provided = 0;
  library_->check(library_->initialized(&isInitialized), "MPI_Initialized");
  if (isInitialized != 0) throw EngineError("INTERNAL", "MPI can be opened once in a process");
  isInLibrary_ = true;
  library_->check(library_->initThread(nullptr, nullptr, threadFunneled, &provided), "MPI_Init_thread");
  isInLibrary_ = false;
  library_->check(library_->commSetErrorHandler(library_->world, library_->errorsReturn), "MPI_Comm_set_errhandler");
  library_->check(library_->commRank(library_->world, &rank_), "MPI_Comm_rank");
  library_->check(library_->commSize(library_->world, &size_), "MPI_Comm_size");
  version_ = library_->version;
}

std::shared_ptr<ByteExchange> Communicator::exchangeWithAll(const std::string& description,
                                                            const std::string& text) const {
  std::vector<int> others;
  for (int worker = 0; worker < size_; ++worker) {
    if (worker != rank_) others.push_back(worker);
  }
  return std::make_shared<ByteExchange>(description, Bytes(text.begin(), text.end()), others, others);
}

void Communicator::exchangeHosts(Channel& channel) {
  const auto exchange = exchangeWithAll("the workers' first exchange", hostName());
  lanes_[static_cast<int>(Lane::control)].push_back({exchange, std::make_shared<Ticket>(), nullptr});
  while (!isStopped_ && jobAt(static_cast<int>(Lane::control), 0) != nullptr) {
    const bool isBegun = beginFronts(channel);
    if (channel.poll() || isBegun) moved();
    if (!finishFronts(channel)) rest(channel);
  }
  std::vector<std::string> hosts;
  for (const Bytes& bytes : exchange->incoming()) hosts.emplace_back(bytes.begin(), bytes.end());
  hosts.insert(hosts.begin() + rank_, hostName());
  hosts_ = std::move(hosts);
}

void Communicator::carryOut(Channel& channel) {
  while (!isStopped_) {
    const bool isBegun = beginFronts(channel);
    if (channel.poll() || isBegun) moved();
    const bool isFinished = finishFronts(channel);
    if (isClosing_) return finalize(channel);
    if (!isFinished) rest(channel);
  }
}

void Communicator::finalize(Channel& channel) {
  channel.freeTypes();
  isInLibrary_ = true;
  library_->check(library_->finalize(), "MPI_Finalize");
  isInLibrary_ = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    error_ = std::make_exception_ptr(EngineError("INTERNAL", "an exchange after the communicator was closed"));
  }
  closed_(nullptr);
}

Communicator::Job* Communicator::jobAt(int lane, std::size_t place) {
  std::lock_guard<std::mutex> lock(mutex_);
  return place < lanes_[lane].size() ? &lanes_[lane][place] : nullptr;
}

bool Communicator::beginFronts(Channel& channel) {
  bool isBegun = false;
  for (int lane = 0; lane < numLanes; ++lane) {
    for (std::size_t place = 0; place < depths[lane]; ++place) {
      Job* job = jobAt(lane, place);
      if (job == nullptr || job->isBegun) continue;
      job->isBegun = isBegun = true;
      if (lane == static_cast<int>(Lane::tensors) && place == 0) exchangingSince_ = Clock::now();
      const int sequence = sequences_[lane]++ % numSequences;
      job->exchange->begin(channel, 2 * (sequence * numLanes + lane), sequence % numStores);
    }
  }
  return isBegun;
}

// In the order of posting.
bool Communicator::finishFronts(const Channel& channel) {
  bool isFinished = false;
  for (int lane = 0; lane < numLanes; ++lane) {
    const Job* job = jobAt(lane, 0);
    if (job == nullptr || !job->isBegun || !job->exchange->isDone()) continue;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      statistics_.bytesSent += channel.bytesSent() - bytesCounted_;
      bytesCounted_ = channel.bytesSent();
      if (lane == static_cast<int>(Lane::tensors)) {
        const auto now = Clock::now();
        statistics_.secondsExchanging += std::chrono::duration<double>(now - exchangingSince_).count();
        exchangingSince_ = now;  // the next may be under way already
      }
    }
    settle(lane, nullptr);
    isFinished = true;
  }
  return isFinished;
}

void Communicator::settle(int lane, std::exception_ptr error) {
  Settled settled;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Job job = std::move(lanes_[lane].front());
    lanes_[lane].pop_front();
    job.ticket->error = error;
    job.ticket->isDone = true;
    settled = std::move(job.settled);
  }
  settled_.notify_all();
  if (settled) settled(error);
}

// What is under way can't be taken back, so nothing can be exchanged any more.
void Communicator::fail(const std::exception_ptr& error) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    error_ = error;
  }
  for (int lane = 0; lane < numLanes; ++lane) {
    while (jobAt(lane, 0) != nullptr) settle(lane, error);
  }
}

void Communicator::moved() { lastMoved_ = Clock::now(); }

void Communicator::checkDeadlines() {
  if (Clock::now() - lastMoved_ < timeout_) return;
  for (int lane = 0; lane < numLanes; ++lane) {
    const Job* job = jobAt(lane, 0);
    if (job == nullptr) continue;
    char seconds[32];
    std::snprintf(seconds, sizeof(seconds), "%g s", timeout_.count() / 1000.0);
    throw EngineError("EXCHANGE_TIMEOUT", job->exchange->description() + ": " + describe(job->exchange->missing()) +
                                              " did not come within " + seconds);
  }
}

std::string Communicator::describe(const std::vector<int>& workers) const {
  std::string text = workers.size() == 1 ? "worker " : "workers ";
  for (std::size_t i = 0; i < workers.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(workers[i]);
    if (!hosts_.empty()) text += " on " + hosts_[workers[i]];
  }
  return text;
}

void Communicator::rest(Channel& channel) {
  const auto silent = Clock::now() - lastMoved_;
  std::unique_lock<std::mutex> lock(mutex_);
  const auto hasWork = [this] { return isStopped_ || !lanes_[0].empty() || !lanes_[1].empty(); };
  if (!hasWork()) {
    if (silent > lingerFor) {
      posted_.wait(lock, hasWork);
    } else {
      posted_.wait_for(lock, lingerStep, hasWork);
    }
    lock.unlock();
    channel.pollIdle();
    return;
  }
  lock.unlock();
  checkDeadlines();
  if (numWaiting_ > 0 && silent < eagerFor) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(numWaiting_ > 0 ? napWhileWaiting : napWhileComputing);
  }
}

std::shared_ptr<Ticket> Communicator::post(Lane lane, std::shared_ptr<Exchange> exchange, Settled settled) {
  auto ticket = std::make_shared<Ticket>();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (error_ == nullptr) {
      lanes_[static_cast<int>(lane)].push_back({std::move(exchange), ticket, std::move(settled)});
      posted_.notify_one();
      return ticket;
    }
    ticket->error = error_;
    ticket->isDone = true;
  }
  if (settled) settled(ticket->error);
  return ticket;
}

void Communicator::wait(const Ticket& ticket, const std::atomic<bool>& isStopped) {
  const auto begun = Clock::now();
  std::unique_lock<std::mutex> lock(mutex_);
  ++numWaiting_;
  settled_.wait(lock, [&] { return ticket.isDone || isStopped || isStopped_; });
  --numWaiting_;
  statistics_.secondsWaiting += std::chrono::duration<double>(Clock::now() - begun).count();
  if (!ticket.isDone) throw EngineError("WORKER_LOST", "the program ends while its workers exchange");
  if (ticket.error != nullptr) std::rethrow_exception(ticket.error);
}

void Communicator::wake() {
  { std::lock_guard<std::mutex> lock(mutex_); }  // nobody is between looking and sleeping
  settled_.notify_all();
}

void Communicator::close(Settled closed) {
  const auto exchange = exchangeWithAll("the workers' last exchange", "");
  post(Lane::control, exchange, [this, closed = std::move(closed)](std::exception_ptr error) {
    if (error != nullptr) return closed(error);
    closed_ = closed;
    isClosing_ = true;
  });
}

void Communicator::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    isStopped_ = true;
  }
  posted_.notify_all();
  settled_.notify_all();
  if (!thread_.joinable()) return;
  if (isInLibrary_ || thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

Statistics Communicator::takeStatistics() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(statistics_, {});
}

}  // namespace talweg::mpi
