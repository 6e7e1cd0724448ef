// Scratch memory that the instructions of a program share, one after the other.
//
// A program is built twice: first over no memory at all, which finds the peak, then over memory of that size. So what
// a program needs is known before anything is allocated, and pointers are fixed when instructions are built.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/memory.h"

namespace talweg {

class Scratch {
 public:
  // `base` is null while measuring.
  explicit Scratch(char* base) : base_(base) {}

  // Memory until the enclosing scope ends. The pointer must not be followed while measuring.
  char* take(std::size_t sizeBytes) {
    char* place = reinterpret_cast<char*>(reinterpret_cast<std::uintptr_t>(base_) + used_);
    used_ += alignUp(sizeBytes);
    peak_ = std::max(peak_, used_);
    return place;
  }
  std::size_t peakBytes() const { return peak_; }

  class Scope {
   public:
    explicit Scope(Scratch& scratch) : scratch_(scratch), mark_(scratch.used_) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { scratch_.used_ = mark_; }

   private:
    Scratch& scratch_;
    std::size_t mark_;
  };

 private:
  char* base_;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

}  // namespace talweg
