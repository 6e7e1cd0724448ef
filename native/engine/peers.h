// What a program's exchanges with other workers go through.
#pragma once

#include <atomic>
#include <map>
#include <memory>

#include "mpi/communicator.h"
#include "mpi/tensor_exchange.h"

namespace talweg {

// The engine's.
struct Peers {
  std::shared_ptr<mpi::Communicator> communicator;
  const std::atomic<bool>& isStopped;
};

// An exchange that is begun by one instruction and waited for by another.
struct StartedExchange {
  std::shared_ptr<mpi::Ticket> ticket;
};

// A program's.
struct Exchanges {
  const Peers* peers;  // none where there is one worker
  // By the memory of their first operand that isn't empty, which is theirs until they are waited for.
  std::map<const void*, std::shared_ptr<StartedExchange>> started;
};

}  // namespace talweg
