// What this machine reaches at best, for the roofline of a profile: measured where the work is done, with the same
// team.
#pragma once

#include <optional>

#include "engine/executable.h"

namespace talweg {

struct Peaks {
  double f32FlopsPerSecond;
  std::optional<double> bf16FlopsPerSecond;  // where oneDNN has products of bf16 for this processor
  double bytesPerSecond;
};

// Takes about a fifth of a second, and 200 MB meanwhile. On the engine's thread.
Peaks measurePeaks(const Machine& machine);

}  // namespace talweg
