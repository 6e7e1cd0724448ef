// Sums and gathers of tensors between workers.
//
// What is exchanged is cut into a range for each worker, and ranges into pieces. A worker gets everybody's part of each
// piece of its own range, adds them up in the order of the tree over shards, and sends the sum to everybody: for two
// workers no more bytes than must be sent, and the bits don't depend on who was first. Pieces follow one another, so
// that the network, the additions and the copies work at the same time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mpi/combine.h"
#include "mpi/exchange.h"
#include "mpi/tree.h"

namespace talweg::mpi {

// A run of what is exchanged: where it is read, and where its result goes. The two may be the same memory.
struct Span {
  char* from;
  char* to;
  std::size_t sizeBytes;
};

struct Piece {
  std::vector<Span> spans;
  std::size_t sizeBytes = 0;
};
using Range = std::vector<Piece>;

// What a tensor exchange does. `ranges[w]`: what is sent to worker w for its sum, and what comes back from it.
struct TensorPlan {
  std::string description;
  int rank;
  std::vector<Range> ranges;
  Combine combine = nullptr;  // none where nothing is summed: what is in the own range is sent as it is
  std::vector<Join> joins;
  bool isShared;    // whether results are sent to everybody
  bool isRepeated;  // whether all ranges are the same memory: each worker sums everything itself
};

// Spans cut into ranges for `numWorkers`, of equal length but for whole cache lines, and into pieces.
std::vector<Range> cutIntoRanges(const std::vector<Span>& spans, int numWorkers);
Range cutIntoPieces(const std::vector<Span>& spans);

// Below this, every worker is better off getting everything and summing it itself: one message instead of two.
constexpr std::size_t largestRepeated = 8 << 10;

class TensorExchange : public Exchange {
 public:
  explicit TensorExchange(TensorPlan plan);

  void begin(Channel& channel, int tag, int store) override;
  void done(Channel& channel, const Message& message) override;
  bool isDone() const override { return numLeft_ == 0; }
  std::vector<int> missing() const override;
  const std::string& description() const override { return plan_.description; }

 private:
  // How far the messages with one worker are.
  struct Peer {
    std::size_t numContributed = 0, numReceives = 0, numResultsSent = 0, numResultReceives = 0;  // posted
    std::size_t contributionsUnderWay = 0, resultsUnderWay = 0;
    std::size_t numReceived = 0, numResults = 0;  // done
    std::vector<bool> isContributed;              // by piece
  };

  int numWorkers() const { return static_cast<int>(plan_.ranges.size()); }
  const Range& own() const { return plan_.ranges[plan_.rank]; }
  char* slot(int peer, std::size_t piece);
  bool isSummable(std::size_t piece) const;
  void prepare(Channel& channel);
  void advance(Channel& channel);
  void advanceWith(Channel& channel, int peer);
  void sum(const Piece& piece, std::size_t index);

  const TensorPlan plan_;
  char* slots_ = nullptr;  // what came and isn't summed yet
  std::size_t slotBytes_ = 0;
  std::vector<std::vector<Place>> from_, to_;  // of each range's pieces
  bool isPrepared_ = false;
  int tag_ = 0;
  std::vector<Peer> peers_;
  std::vector<int> numContributions_;  // of each own piece
  std::vector<int> numSends_;          // done, of each own piece where ranges are the same memory
  std::size_t numSummed_ = 0;
  std::size_t numLeft_ = 0;
};

}  // namespace talweg::mpi
