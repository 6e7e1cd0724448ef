#include "mpi/byte_exchange.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace talweg::mpi {
namespace {

constexpr std::size_t pieceBytes = 1 << 20;
constexpr int window = 4;

enum Part { header, sent, receivedHeader, received };

}  // namespace

ByteExchange::ByteExchange(std::string description, Bytes bytes, std::vector<int> to, std::vector<int> from)
    : description_(std::move(description)),
      bytes_(std::move(bytes)),
      to_(std::move(to)),
      from_(std::move(from)),
      headers_(from_.size()),
      incoming_(from_.size()),
      hasHeader_(from_.size()),
      numSent_(to_.size()),
      numAsked_(from_.size()),
      sendsUnderWay_(to_.size()),
      receivesUnderWay_(from_.size()) {}

// A message's `peer` is the worker; its `piece` the place in `to_` or `from_`.
void ByteExchange::begin(Channel& channel, int tag, int) {
  tag_ = tag;
  outgoingHeader_.sizeBytes = bytes_.size();
  const std::size_t numFirst = std::min(bytes_.size(), Header::room);
  if (numFirst > 0) std::memcpy(outgoingHeader_.first, bytes_.data(), numFirst);
  numLeft_ = to_.size() + from_.size();
  for (std::size_t index = 0; index < from_.size(); ++index) {
    channel.receive(*this, {receivedHeader, from_[index], static_cast<std::int64_t>(index)},
                    {&headers_[index], sizeof(Header), nullptr}, tag_);
  }
  for (std::size_t index = 0; index < to_.size(); ++index) {
    numSent_[index] = numFirst;
    ++sendsUnderWay_[index];
    channel.send(*this, {header, to_[index], static_cast<std::int64_t>(index)},
                 {&outgoingHeader_, offsetof(Header, first) + numFirst, nullptr}, tag_);
    sendMore(channel, index);
  }
}

void ByteExchange::done(Channel& channel, const Message& message) {
  const std::size_t index = static_cast<std::size_t>(message.piece);
  switch (message.part) {
    case header:
    case sent:
      --sendsUnderWay_[index];
      sendMore(channel, index);
      break;
    case receivedHeader: {
      const Header& came = headers_[index];
      hasHeader_[index] = true;
      incoming_[index].resize(came.sizeBytes);
      numAsked_[index] = std::min<std::size_t>(came.sizeBytes, Header::room);
      if (numAsked_[index] > 0) std::memcpy(incoming_[index].data(), came.first, numAsked_[index]);
      receiveMore(channel, index);
      break;
    }
    case received:
      --receivesUnderWay_[index];
      receiveMore(channel, index);
      break;
  }
  --numLeft_;
}

void ByteExchange::sendMore(Channel& channel, std::size_t index) {
  std::size_t& numSent = numSent_[index];
  while (numSent < bytes_.size() && sendsUnderWay_[index] < window) {
    const std::size_t some = std::min(pieceBytes, bytes_.size() - numSent);
    ++sendsUnderWay_[index];
    ++numLeft_;
    channel.send(*this, {sent, to_[index], static_cast<std::int64_t>(index)},
                 {const_cast<std::uint8_t*>(bytes_.data()) + numSent, some, nullptr}, tag_ + 1);
    numSent += some;
  }
}

void ByteExchange::receiveMore(Channel& channel, std::size_t index) {
  std::size_t& numAsked = numAsked_[index];
  while (numAsked < incoming_[index].size() && receivesUnderWay_[index] < window) {
    const std::size_t some = std::min(pieceBytes, incoming_[index].size() - numAsked);
    ++receivesUnderWay_[index];
    ++numLeft_;
    channel.receive(*this, {received, from_[index], static_cast<std::int64_t>(index)},
                    {incoming_[index].data() + numAsked, some, nullptr}, tag_ + 1);
    numAsked += some;
  }
}

std::vector<int> ByteExchange::missing() const {
  std::vector<int> silent, late;
  for (std::size_t index = 0; index < from_.size(); ++index) {
    const bool isWhole =
        hasHeader_[index] && receivesUnderWay_[index] == 0 && numAsked_[index] == incoming_[index].size();
    if (!isWhole) silent.push_back(from_[index]);
  }
  for (std::size_t index = 0; index < to_.size(); ++index) {
    if (sendsUnderWay_[index] > 0) late.push_back(to_[index]);
  }
  return silent.empty() ? late : silent;
}

}  // namespace talweg::mpi
