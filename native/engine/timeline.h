// When the parts of a call happened: what a profile is made of.
//
// Without a timeline a program runs by a loop that knows of none, so profiling costs nothing where it isn't asked for.
#pragma once

#include <chrono>

namespace talweg {

class Timeline {
 public:
  using Clock = std::chrono::steady_clock;

  // `marks`: room for all that will be written, in seconds since `origin`.
  Timeline(Clock::time_point origin, double* marks) : origin_(origin), next_(marks) {}
  void mark() { *next_++ = std::chrono::duration<double>(Clock::now() - origin_).count(); }

 private:
  const Clock::time_point origin_;
  double* next_;
};

}  // namespace talweg
