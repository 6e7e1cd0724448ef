// Messages under way. Used by the communication thread alone, which alone calls MPI.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/memory.h"
#include "mpi/library.h"

namespace talweg::mpi {

class Exchange;

// What a message is to the exchange that posted it: which of its parts, to or from whom, which piece.
struct Message {
  int part;
  int peer;
  std::int64_t piece;
};

// Memory of a message: a run of bytes, or, where a piece lies in several runs, all of them as one MPI datatype.
struct Place {
  void* data = nullptr;
  std::size_t sizeBytes = 0;
  Datatype runs = nullptr;  // over absolute addresses; `data` is null then
};

struct Run {
  char* data;
  std::size_t sizeBytes;
};

// Tensor exchanges that may be under way at once: while the last pieces of one travel, the next begins.
constexpr int numStores = 2;

class Channel {
 public:
  explicit Channel(const Library& library) : library_(library) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // `tag` is the same at both ends; messages of one tag between two workers arrive in the order of their posting.
  void send(Exchange& owner, const Message& message, const Place& place, int tag);
  void receive(Exchange& owner, const Message& message, const Place& place, int tag);
  // Lets MPI work, and tells the owners of messages that are done. Returns whether any was.
  bool poll();
  // Lets MPI work where no message is under way.
  void pollIdle();

  // One place of several runs. Its datatype is kept until `freeTypes`.
  Place join(const std::vector<Run>& runs);
  void freeTypes();

  // Memory for what came and isn't used yet: one of `numStores`, each for one exchange at a time.
  char* store(int index, std::size_t sizeBytes);

  std::uint64_t bytesSent() const { return bytesSent_; }

 private:
  struct UnderWay {
    Exchange* owner;
    Message message;
  };
  void post(Exchange& owner, const Message& message, Request request);

  const Library& library_;
  std::vector<Request> requests_;  // with `underWay_`, index by index
  std::vector<UnderWay> underWay_;
  std::vector<int> indices_;
  std::vector<Status> statuses_;
  std::vector<Datatype> types_;
  std::unique_ptr<Memory> stores_[numStores];
  std::uint64_t bytesSent_ = 0;
};

}  // namespace talweg::mpi
