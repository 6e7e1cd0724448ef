// Bytes of any number from workers to workers: how they agree on what to do next, and how the first state goes round.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mpi/exchange.h"

namespace talweg::mpi {

using Bytes = std::vector<std::uint8_t>;

class ByteExchange : public Exchange {
 public:
  // The same bytes go to each of `to`; from each of `from` comes a message of its own.
  ByteExchange(std::string description, Bytes bytes, std::vector<int> to, std::vector<int> from);

  void begin(Channel& channel, int tag, int store) override;
  void done(Channel& channel, const Message& message) override;
  bool isDone() const override { return numLeft_ == 0; }
  std::vector<int> missing() const override;
  const std::string& description() const override { return description_; }

  // What came, in the order of `from`, once it is done.
  std::vector<Bytes>& incoming() { return incoming_; }

 private:
  // A message begins with its size and its first bytes, so that a short one is a single message of MPI's.
  struct Header {
    static constexpr std::size_t room = 4096;
    std::uint64_t sizeBytes;
    std::uint8_t first[room];
  };

  void sendMore(Channel& channel, std::size_t index);
  void receiveMore(Channel& channel, std::size_t index);

  const std::string description_;
  const Bytes bytes_;
  const std::vector<int> to_, from_;
  Header outgoingHeader_;
  std::vector<Header> headers_;
  std::vector<Bytes> incoming_;
  std::vector<bool> hasHeader_;
  std::vector<std::size_t> numSent_, numAsked_;  // bytes posted, by place in `to_` and `from_`
  std::vector<int> sendsUnderWay_, receivesUnderWay_;
  std::size_t numLeft_ = 0;
  int tag_ = 0;
};

}  // namespace talweg::mpi
