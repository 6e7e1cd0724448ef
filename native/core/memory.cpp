#include "core/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "core/error.h"

namespace talweg {
namespace {

// From here on memory is mapped: the system gives it zeroed, page by page as it is first touched.
constexpr std::size_t mapFromBytes = 256 * 1024;

}  // namespace

Memory::Memory(std::size_t sizeBytes) : sizeBytes_(sizeBytes) {
  const std::size_t rounded = alignUp(sizeBytes == 0 ? 1 : sizeBytes);
  if (rounded >= mapFromBytes) {
    void* mapped = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped != MAP_FAILED) {
      data_ = static_cast<char*>(mapped);
      mappedBytes_ = rounded;
    }
  } else {
    data_ = static_cast<char*>(std::aligned_alloc(alignmentBytes, rounded));
    if (data_ != nullptr) std::memset(data_, 0, rounded);
  }
  if (data_ == nullptr)
    throw EngineError("DOES_NOT_FIT", "the system refused " + std::to_string(sizeBytes) + " bytes of memory");
}

Memory::~Memory() {
  if (mappedBytes_ > 0) {
    munmap(data_, mappedBytes_);
  } else {
    std::free(data_);
  }
}

}  // namespace talweg
