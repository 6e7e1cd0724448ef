// Philox4x32-10, bit for bit as `src/core/random.ts`.
#pragma once

#include "types.h"

namespace talweg::kernels {

/// Element i is word i % 4 of counter `start + i / 4`. `state`: key low, key high, counter low, counter high (64 bits,
/// wrapping; the upper two words of the counter are 0).
using RunPhilox = void (*)(const uint32_t state[4], int64_t count, uint32_t* result);

}  // namespace talweg::kernels
