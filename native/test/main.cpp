// Runs the kernels' tests on every target that this processor has.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "support.h"

namespace talweg::test {

int64_t Random::size(int64_t largest, bool mayBeEmpty) {
  if (mayBeEmpty && chance(0.05)) return 0;
  if (chance(0.15)) return 1;
  const int64_t bound = chance(0.5) ? std::min<int64_t>(largest, 20) : chance(0.7) ? std::min<int64_t>(largest, 130) : largest;
  return integer(1, bound);
}

Buffer::Buffer(DType dtype, int64_t count)
    : dtype_(dtype), count_(count), bytes_(static_cast<size_t>(count * elementSize(dtype) + 2 * guard + 64), 0xa5) {
  // Just not on a vector's boundary.
  const auto address = reinterpret_cast<uintptr_t>(bytes_.data()) + guard;
  const int64_t toBoundary = static_cast<int64_t>((64 - address % 64) % 64);
  offset_ = guard + toBoundary - (toBoundary >= elementSize(dtype) ? elementSize(dtype) : 0);
  if (offset_ % elementSize(dtype) != 0) offset_ = guard;
  zero();
}

double Buffer::get(int64_t index) const {
  const uint8_t* p = bytes_.data() + offset_ + index * elementSize(dtype_);
  switch (dtype_) {
    case DType::f64: {
      double v;
      std::memcpy(&v, p, 8);
      return v;
    }
    case DType::f32: {
      float v;
      std::memcpy(&v, p, 4);
      return v;
    }
    case DType::bf16: {
      uint16_t bits;
      std::memcpy(&bits, p, 2);
      const uint32_t word = static_cast<uint32_t>(bits) << 16;
      float v;
      std::memcpy(&v, &word, 4);
      return v;
    }
    case DType::i32: {
      int32_t v;
      std::memcpy(&v, p, 4);
      return v;
    }
    case DType::u32: {
      uint32_t v;
      std::memcpy(&v, p, 4);
      return v;
    }
    case DType::u8:
    case DType::boolean: return *p;
  }
  return 0;
}

void Buffer::set(int64_t index, double value) {
  uint8_t* p = bytes_.data() + offset_ + index * elementSize(dtype_);
  switch (dtype_) {
    case DType::f64: std::memcpy(p, &value, 8); return;
    case DType::f32: {
      const float v = static_cast<float>(value);
      std::memcpy(p, &v, 4);
      return;
    }
    case DType::bf16: {
      const float v = static_cast<float>(rounded(DType::bf16, value));
      uint32_t word;
      std::memcpy(&word, &v, 4);
      const uint16_t bits = static_cast<uint16_t>(word >> 16);
      std::memcpy(p, &bits, 2);
      return;
    }
    case DType::i32: {
      const int32_t v = static_cast<int32_t>(value);
      std::memcpy(p, &v, 4);
      return;
    }
    case DType::u32: {
      const uint32_t v = static_cast<uint32_t>(value);
      std::memcpy(p, &v, 4);
      return;
    }
    case DType::u8: *p = static_cast<uint8_t>(value); return;
    case DType::boolean: *p = value != 0; return;
  }
}

Buffer& Buffer::randomize(Random& random, double low, double high) {
  for (int64_t i = 0; i < count_; i++) {
    switch (dtype_) {
      case DType::boolean: set(i, random.chance(0.5)); break;
      case DType::u8: set(i, static_cast<double>(random.integer(0, 255))); break;
      case DType::i32: set(i, static_cast<double>(random.integer(-1000, 1000))); break;
      case DType::u32: set(i, static_cast<double>(random.integer(0, 5000))); break;
      default: set(i, random.uniform(low, high));
    }
  }
  return *this;
}

Buffer& Buffer::fill(double value) {
  for (int64_t i = 0; i < count_; i++) set(i, value);
  return *this;
}

bool Buffer::sameBits(const Buffer& other) const {
  return count_ == other.count_ && (count_ == 0 || std::memcmp(data(), other.data(), static_cast<size_t>(count_ * elementSize(dtype_))) == 0);
}

bool Buffer::isIntact() const {
  const int64_t end = offset_ + count_ * elementSize(dtype_);
  for (int64_t i = 0; i < static_cast<int64_t>(bytes_.size()); i++) {
    if ((i < offset_ || i >= end) && bytes_[static_cast<size_t>(i)] != 0xa5) return false;
  }
  return true;
}

double rounded(DType dtype, double value) {
  if (dtype == DType::f64) return value;
  if (dtype == DType::f32) return static_cast<float>(value);
  if (dtype != DType::bf16) return value;
  const float v = static_cast<float>(value);
  uint32_t word;
  std::memcpy(&word, &v, 4);
  word = v != v ? word | 0x400000 : (word + 0x7fff + ((word >> 16) & 1)) & 0xffff0000u;
  float result;
  std::memcpy(&result, &word, 4);
  return result;
}

void Check::that(bool holds, const std::string& what) {
  numChecks_++;
  if (holds) return;
  if (++numFailures_ <= 5) std::printf("  %s, %s: %s\n", table.target, name_.c_str(), what.c_str());
}

void Check::near(double got, double wanted, double absolute, double relative, const std::string& what) {
  const bool holds = std::isnan(wanted) ? std::isnan(got)
                     : std::isinf(wanted) ? got == wanted
                                          : std::fabs(got - wanted) <= absolute + relative * std::fabs(wanted);
  if (holds) {
    numChecks_++;
    return;
  }
  char text[160];
  std::snprintf(text, sizeof text, ": got %.9g, want %.9g", got, wanted);
  that(false, what + text);
}

void Check::allNear(const Buffer& got, const std::vector<double>& wanted, double absolute, double relative, const std::string& what) {
  that(got.count() == static_cast<int64_t>(wanted.size()), what + ": the twin gives another number of elements");
  that(got.isIntact(), what + ": wrote beyond its result");
  const double more = got.dtype() == DType::bf16 ? 0.004 : 0;
  for (int64_t i = 0; i < got.count(); i++) {
    near(got.get(i), wanted[static_cast<size_t>(i)], absolute + more * 1e-3, relative + more, what + " [" + std::to_string(i) + "]");
  }
}

void Check::allEqual(const Buffer& got, const std::vector<double>& wanted, const std::string& what) {
  that(got.count() == static_cast<int64_t>(wanted.size()), what + ": the twin gives another number of elements");
  that(got.isIntact(), what + ": wrote beyond its result");
  for (int64_t i = 0; i < got.count(); i++) {
    near(got.get(i), rounded(got.dtype(), wanted[static_cast<size_t>(i)]), 0, 0, what + " [" + std::to_string(i) + "]");
  }
}

namespace {
std::vector<Test>& tests() {
  static std::vector<Test> list;
  return list;
}
}  // namespace

Registration::Registration(const char* name, TestFunction run) { tests().push_back({name, run}); }
const std::vector<Test>& allTests() { return tests(); }
void setThreads(int threads) { omp_set_num_threads(threads); }

Dims dims(std::initializer_list<int64_t> values) {
  Dims result;
  for (int64_t value : values) result.append(value);
  return result;
}
std::string show(const Dims& values) {
  std::string text = "[";
  for (int i = 0; i < values.rank; i++) text += (i ? "," : "") + std::to_string(values[i]);
  return text + "]";
}
const char* nameOf(DType dtype) {
  static const char* names[] = {"f64", "f32", "bf16", "i32", "u32", "u8", "bool"};
  return names[static_cast<int>(dtype)];
}

}  // namespace talweg::test

int main(int argc, char** argv) {
  using namespace talweg::test;
  std::string onlyTarget;
  std::vector<std::string> only;
  for (int i = 1; i < argc; i++) {
    if (std::string(argv[i]) == "--target" && i + 1 < argc) {
      onlyTarget = argv[++i];
    } else {
      only.push_back(argv[i]);
    }
  }
  int64_t failures = 0, numRun = 0;
  for (const char* const* name = talweg::kernels::builtTargets(); *name != nullptr; name++) {
    if (!onlyTarget.empty() && onlyTarget != *name) continue;
    const talweg::kernels::KernelTable* table = talweg::kernels::findKernelTable(*name);
    if (table == nullptr) {
      std::printf("%s: this processor can't run it\n", *name);
      continue;
    }
    for (const Test& test : allTests()) {
      bool isWanted = only.empty();
      for (const std::string& wanted : only) isWanted = isWanted || std::string(test.name).find(wanted) != std::string::npos;
      if (!isWanted) continue;
      Check check(*table, test.name);
      const auto start = std::chrono::steady_clock::now();
      test.run(check);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      std::printf("%-10s %-22s %9lld checks, %lld failed (%.2f s)\n", *name, test.name, static_cast<long long>(check.numChecks()),
                  static_cast<long long>(check.numFailures()), seconds);
      std::fflush(stdout);
      failures += check.numFailures();
      numRun += check.numChecks();
    }
  }
  if (numRun == 0) std::printf("nothing was run\n");
  return failures == 0 && numRun > 0 ? 0 : 1;
}
