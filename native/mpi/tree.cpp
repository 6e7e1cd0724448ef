#include "mpi/tree.h"

#include <algorithm>

#include "core/error.h"

namespace talweg::mpi {
namespace {

struct Range {
  int first, count;
};

// The largest power of two that leaves some for the right.
int leftCount(int count) {
  int left = 1;
  while (left * 2 < count) left *= 2;
  return left;
}

std::vector<Range> shardsOfWorkers(int numShards, int numWorkers) {
  invariant(numWorkers >= 1 && numWorkers <= numShards, "every worker has a shard at least");
  std::vector<Range> parts{{0, numShards}};
  while (static_cast<int>(parts.size()) < numWorkers) {
    auto largest = parts.begin();
    for (auto part = parts.begin(); part != parts.end(); ++part) {
      if (part->count >= largest->count) largest = part;
    }
    const int left = leftCount(largest->count);
    const Range right{largest->first + left, largest->count - left};
    largest->count = left;
    parts.insert(largest + 1, right);
  }
  return parts;
}

int joinBelow(const std::vector<Range>& parts, Range range, std::vector<Join>& joins) {
  const auto owner =
      std::find_if(parts.begin(), parts.end(), [&](const Range& part) { return part.first == range.first; });
  if (owner->count == range.count) return static_cast<int>(owner - parts.begin());
  const int left = leftCount(range.count);
  const int into = joinBelow(parts, {range.first, left}, joins);
  joins.emplace_back(into, joinBelow(parts, {range.first + left, range.count - left}, joins));
  return into;
}

}  // namespace

std::vector<Join> joinsOfWorkers(int numShards, int numWorkers) {
  std::vector<Join> joins;
  joinBelow(shardsOfWorkers(numShards, numWorkers), {0, numShards}, joins);
  return joins;
}

}  // namespace talweg::mpi
