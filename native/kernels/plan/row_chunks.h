// Into how many chunks of rows the kernels divide their sums: as target/rows.h does, which is compiled for each target
// and so can't be asked from here.
#pragma once

#include <cstdint>

namespace talweg::kernels {

// At least one: the sums of no rows at all want a place too.
inline int64_t numRowChunks(int64_t rows) {
  constexpr int64_t maxChunks = 64, fewestRows = 64;
  const int64_t wanted = (rows + fewestRows - 1) / fewestRows;
  return wanted < 1 ? 1 : wanted < maxChunks ? wanted : maxChunks;
}

}  // namespace talweg::kernels
