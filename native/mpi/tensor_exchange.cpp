#include "mpi/tensor_exchange.h"

#include <algorithm>

#include "core/error.h"

namespace talweg::mpi {
namespace {

// Small enough that the parts of a piece are still in cache when they are added, large enough that a message's own cost
// doesn't show.
constexpr std::size_t pieceBytes = 256 << 10;
// Pieces under way to and from each worker.
constexpr std::size_t window = 8;
constexpr std::size_t cacheLine = 64;

enum Part { contribution, received, result, shared };

// Takes `sizeBytes` off the front of `spans`, beginning at `offset` in the first.
std::vector<Span> take(const std::vector<Span>& spans, std::size_t& index, std::size_t& offset, std::size_t sizeBytes) {
  std::vector<Span> taken;
  while (sizeBytes > 0) {
    const Span& span = spans[index];
    const std::size_t some = std::min(sizeBytes, span.sizeBytes - offset);
    if (some > 0) taken.push_back({span.from + offset, span.to + offset, some});
    sizeBytes -= some;
    offset += some;
    if (offset == span.sizeBytes) {
      ++index;
      offset = 0;
    }
  }
  return taken;
}

std::size_t totalBytes(const std::vector<Span>& spans) {
  std::size_t total = 0;
  for (const Span& span : spans) total += span.sizeBytes;
  return total;
}

template <class Address>
Place placeOf(Channel& channel, const Piece& piece, const Address& address) {
  if (piece.spans.size() == 1) return {address(piece.spans[0]), piece.sizeBytes, nullptr};
  std::vector<Run> runs;
  for (const Span& span : piece.spans) runs.push_back({address(span), span.sizeBytes});
  return channel.join(runs);
}

}  // namespace

Range cutIntoPieces(const std::vector<Span>& spans) {
  Range range;
  std::size_t index = 0, offset = 0;
  for (std::size_t left = totalBytes(spans); left > 0;) {
    const std::size_t some = std::min(left, pieceBytes);
    range.push_back({take(spans, index, offset, some), some});
    left -= some;
  }
  return range;
}

std::vector<Range> cutIntoRanges(const std::vector<Span>& spans, int numWorkers) {
  const std::size_t total = totalBytes(spans);
  std::vector<Range> ranges;
  std::size_t index = 0, offset = 0, begin = 0;
  for (int worker = 0; worker < numWorkers; ++worker) {
    std::size_t end = total * (worker + 1) / numWorkers / cacheLine * cacheLine;
    if (worker == numWorkers - 1) end = total;
    ranges.push_back(cutIntoPieces(take(spans, index, offset, end - begin)));
    begin = end;
  }
  return ranges;
}

TensorExchange::TensorExchange(TensorPlan plan) : plan_(std::move(plan)) {
  if (plan_.combine == nullptr) return;
  for (const Piece& piece : own()) slotBytes_ = std::max(slotBytes_, piece.sizeBytes);
}

char* TensorExchange::slot(int peer, std::size_t piece) {
  const std::size_t depth = std::min(window, own().size());
  return slots_ + (peer * depth + piece % depth) * slotBytes_;
}

void TensorExchange::prepare(Channel& channel) {
  for (const Range& range : plan_.ranges) {
    from_.emplace_back();
    to_.emplace_back();
    for (const Piece& piece : range) {
      const bool isInPlace = piece.spans[0].from == piece.spans[0].to;
      from_.back().push_back(placeOf(channel, piece, [](const Span& span) { return span.from; }));
      to_.back().push_back(isInPlace ? from_.back().back()
                                     : placeOf(channel, piece, [](const Span& span) { return span.to; }));
    }
  }
  isPrepared_ = true;
}

void TensorExchange::begin(Channel& channel, int tag, int store) {
  if (!isPrepared_) prepare(channel);
  slots_ = channel.store(store, numWorkers() * std::min(window, own().size()) * slotBytes_);
  tag_ = tag;
  peers_.assign(numWorkers(), {});
  numContributions_.assign(own().size(), 0);
  numSends_.assign(own().size(), 0);
  numSummed_ = plan_.combine == nullptr ? own().size() : 0;
  const std::size_t numOthers = numWorkers() - 1;
  numLeft_ = 0;
  for (int peer = 0; peer < numWorkers(); ++peer) {
    const std::size_t numPieces = plan_.ranges[peer].size();
    peers_[peer].isContributed.assign(numPieces, plan_.combine == nullptr);
    if (peer == plan_.rank) continue;
    if (plan_.combine != nullptr) numLeft_ += numPieces;
    if (plan_.isShared) numLeft_ += numPieces;
  }
  if (plan_.combine != nullptr) numLeft_ += numOthers * own().size();
  if (plan_.isShared) numLeft_ += numOthers * own().size();
  advance(channel);
}

void TensorExchange::done(Channel& channel, const Message& message) {
  Peer& peer = peers_[message.peer];
  const std::size_t piece = static_cast<std::size_t>(message.piece);
  switch (message.part) {
    case contribution:
      --peer.contributionsUnderWay;
      peer.isContributed[piece] = true;
      if (plan_.isRepeated) ++numSends_[piece];
      break;
    case received:
      ++peer.numReceived;
      ++numContributions_[piece];
      break;
    case result:
      --peer.resultsUnderWay;
      break;
    case shared:
      ++peer.numResults;
      break;
  }
  --numLeft_;
  advance(channel);
}

// Where all ranges are the same memory, a sum takes the place of what is being sent: not before that has gone.
bool TensorExchange::isSummable(std::size_t piece) const {
  const int numOthers = numWorkers() - 1;
  return numContributions_[piece] == numOthers && (!plan_.isRepeated || numSends_[piece] == numOthers);
}

void TensorExchange::advance(Channel& channel) {
  while (numSummed_ < own().size() && isSummable(numSummed_)) {
    sum(own()[numSummed_], numSummed_);
    ++numSummed_;
  }
  // Everybody begins with another, so that not all send to worker 0 first.
  for (int distance = 1; distance < numWorkers(); ++distance) {
    advanceWith(channel, (plan_.rank + distance) % numWorkers());
  }
}

void TensorExchange::advanceWith(Channel& channel, int index) {
  Peer& peer = peers_[index];
  const std::size_t numTheirs = plan_.ranges[index].size(), numOwn = own().size();
  if (plan_.combine != nullptr) {
    for (; peer.numReceives < std::min(numOwn, numSummed_ + window); ++peer.numReceives) {
      const Place place{slot(index, peer.numReceives), own()[peer.numReceives].sizeBytes, nullptr};
      channel.receive(*this, {received, index, static_cast<std::int64_t>(peer.numReceives)}, place, tag_);
    }
    for (; peer.numContributed < numTheirs && peer.contributionsUnderWay < window; ++peer.numContributed) {
      ++peer.contributionsUnderWay;
      const auto piece = static_cast<std::int64_t>(peer.numContributed);
      channel.send(*this, {contribution, index, piece}, from_[index][piece], tag_);
    }
  }
  if (!plan_.isShared) return;
  // A result may come into the memory from which the contribution went.
  for (; peer.numResultReceives < std::min(numTheirs, peer.numResults + window) &&
         peer.isContributed[peer.numResultReceives];
       ++peer.numResultReceives) {
    const auto piece = static_cast<std::int64_t>(peer.numResultReceives);
    channel.receive(*this, {shared, index, piece}, to_[index][piece], tag_ + 1);
  }
  for (; peer.numResultsSent < numSummed_ && peer.resultsUnderWay < window; ++peer.numResultsSent) {
    ++peer.resultsUnderWay;
    const auto piece = static_cast<std::int64_t>(peer.numResultsSent);
    channel.send(*this, {result, index, piece}, to_[plan_.rank][piece], tag_ + 1);
  }
}

void TensorExchange::sum(const Piece& piece, std::size_t index) {
  std::vector<const char*> values(numWorkers());
  std::size_t offset = 0;
  for (const Span& span : piece.spans) {
    for (int worker = 0; worker < numWorkers(); ++worker) {
      values[worker] = worker == plan_.rank ? span.from : slot(worker, index) + offset;
    }
    for (std::size_t i = 0; i < plan_.joins.size(); ++i) {
      const auto [into, from] = plan_.joins[i];
      const bool isLast = i + 1 == plan_.joins.size();
      char* to = isLast || into == plan_.rank ? span.to : slot(into, index) + offset;
      plan_.combine(to, values[into], values[from], span.sizeBytes);
      values[into] = to;
    }
    offset += span.sizeBytes;
  }
}

std::vector<int> TensorExchange::missing() const {
  std::vector<int> silent, late;
  for (int index = 0; index < numWorkers(); ++index) {
    if (index == plan_.rank) continue;
    const Peer& peer = peers_[index];
    const std::size_t numTheirs = plan_.ranges[index].size();
    if (plan_.combine != nullptr && peer.numReceived < own().size()) silent.push_back(index);
    const bool isSending = peer.contributionsUnderWay + peer.resultsUnderWay > 0;
    if (isSending || (plan_.isShared && peer.numResults < numTheirs)) late.push_back(index);
  }
  return silent.empty() ? late : silent;
}

}  // namespace talweg::mpi
