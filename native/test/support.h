// What the kernels' tests share: random numbers, guarded buffers, comparison, registration.
//
// A twin is plain scalar code in double precision, written from the contract alone. Buffers lie between canaries, at
// addresses aligned to their element only, so that a write beyond an operand is found.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernel_table.h"

namespace talweg::test {

using namespace talweg::kernels;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}

  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ull;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /// In [low, high].
  int64_t integer(int64_t low, int64_t high) { return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1)); }
  double uniform(double low, double high) { return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53); }
  bool chance(double probability) { return uniform(0, 1) < probability; }
  /// A size worth trying: 0 (if allowed), 1, odd, around vectors' widths, now and then large.
  int64_t size(int64_t largest, bool mayBeEmpty = false);

 private:
  uint64_t state_;
};

/// Elements of any dtype, read and written as doubles.
class Buffer {
 public:
  Buffer(DType dtype, int64_t count);
  Buffer(Buffer&&) = default;

  void* data() { return bytes_.data() + offset_; }
  const void* data() const { return bytes_.data() + offset_; }
  template <class T>
  T* as() { return static_cast<T*>(data()); }
  DType dtype() const { return dtype_; }
  int64_t count() const { return count_; }
  double get(int64_t index) const;
  void set(int64_t index, double value);
  /// Random values that the dtype holds exactly.
  Buffer& randomize(Random& random, double low = -2, double high = 2);
  Buffer& fill(double value);
  Buffer& zero() { return fill(0); }
  bool sameBits(const Buffer& other) const;
  /// Whether nothing was written before or behind the elements.
  bool isIntact() const;

 private:
  static constexpr int64_t guard = 64;
  DType dtype_;
  int64_t count_, offset_;
  std::vector<uint8_t> bytes_;
};

/// `value` as the dtype would hold it.
double rounded(DType dtype, double value);

/// The test being run: counts checks, prints the first failures of each.
class Check {
 public:
  Check(const KernelTable& table, std::string name) : table(table), name_(std::move(name)) {}

  const KernelTable& table;

  void that(bool holds, const std::string& what);
  /// |got - wanted| <= absolute + relative |wanted|; NaN equals NaN, infinities themselves.
  void near(double got, double wanted, double absolute, double relative, const std::string& what);
  /// All elements; the tolerance is widened by bf16's rounding where the buffer is bf16.
  void allNear(const Buffer& got, const std::vector<double>& wanted, double absolute, double relative, const std::string& what);
  /// Bit for bit as the dtype holds `wanted` (NaN equals NaN).
  void allEqual(const Buffer& got, const std::vector<double>& wanted, const std::string& what);

  int64_t numChecks() const { return numChecks_; }
  int64_t numFailures() const { return numFailures_; }

 private:
  std::string name_;
  int64_t numChecks_ = 0, numFailures_ = 0;
};

using TestFunction = void (*)(Check& check);
struct Test {
  const char* name;
  TestFunction run;
};
/// `static Registration r{"reduce", testReduce};`
struct Registration {
  Registration(const char* name, TestFunction run);
};
const std::vector<Test>& allTests();

/// Runs `body(threads)` with teams of 1, 2 and 3 threads: results must have the same bits.
template <class Body>
void forEachTeam(Body body) {
  for (int threads : {1, 2, 3}) body(threads);
}
void setThreads(int threads);

Dims dims(std::initializer_list<int64_t> values);
std::string show(const Dims& values);
const char* nameOf(DType dtype);

}  // namespace talweg::test
