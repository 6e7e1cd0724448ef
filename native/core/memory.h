// Memory that an engine owns: aligned for vectors and cache lines, zeroed, freed when nobody holds it.
#pragma once

#include <cstddef>
#include <memory>

namespace talweg {

constexpr std::size_t alignmentBytes = 64;

inline std::size_t alignUp(std::size_t bytes) { return (bytes + alignmentBytes - 1) / alignmentBytes * alignmentBytes; }

class Memory {
 public:
  // Throws EngineError DOES_NOT_FIT where the system refuses.
  explicit Memory(std::size_t sizeBytes);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  char* data() const { return data_; }
  std::size_t sizeBytes() const { return sizeBytes_; }

 private:
  std::size_t sizeBytes_;
  std::size_t mappedBytes_ = 0;  // 0: from the heap
  char* data_ = nullptr;
};

}  // namespace talweg
