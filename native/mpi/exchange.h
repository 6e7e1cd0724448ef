// One exchange among all workers, as the communication thread carries it out: messages are posted, and when one is done
// others may follow.
#pragma once

#include <string>
#include <vector>

#include "mpi/channel.h"

namespace talweg::mpi {

class Exchange {
 public:
  virtual ~Exchange() = default;

  // On the communication thread only. `tag` and `tag + 1`, and the channel's store of that number, are this exchange's
  // own while it is under way.
  virtual void begin(Channel& channel, int tag, int store) = 0;
  virtual void done(Channel& channel, const Message& message) = 0;
  virtual bool isDone() const = 0;
  // Workers that hold it up: whose own part hasn't come, rather than what they in turn wait for.
  virtual std::vector<int> missing() const = 0;

  // `allReduce of f32[64,10] and 3 more`, for messages.
  virtual const std::string& description() const = 0;
};

}  // namespace talweg::mpi
