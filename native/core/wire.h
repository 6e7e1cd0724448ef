// Programs as they come from JavaScript: one run of bytes, written by src/engine/native/wire.ts.
#pragma once

#include <utility>

#include "core/data.h"

namespace talweg {

// Bytes that somebody else holds.
using ByteSpan = std::pair<const std::uint8_t*, std::size_t>;

// `arrays`: what lies beside, copied where the bytes refer to it. Throws EngineError where the bytes are no such form.
Data readWire(ByteSpan bytes, const std::vector<ByteSpan>& arrays);

}  // namespace talweg
