// The order in which sums are taken between workers: the twin of src/core/shardTree.ts, which says why.
#pragma once

#include <utility>
#include <vector>

namespace talweg::mpi {

// `value[first] += value[second]`.
using Join = std::pair<int, int>;

// The additions between workers, in an order in which they can be done; the sum of all is then at worker 0.
std::vector<Join> joinsOfWorkers(int numShards, int numWorkers);

}  // namespace talweg::mpi
