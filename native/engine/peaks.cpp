#include "engine/peaks.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/error.h"
#include "onednn/matmul.h"

namespace talweg {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double measuredSeconds = 0.05;
constexpr int leastRuns = 3;

double secondsOf(const Task& task) {
  const Clock::time_point start = Clock::now();
  task();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The shortest of the runs that go into a twentieth of a second: others may be at work on this machine.
double bestSeconds(const Task& task) {
  task();
  double best = secondsOf(task), sum = best;
  for (int run = 1; run < leastRuns || sum < measuredSeconds; ++run) {
    const double seconds = secondsOf(task);
    best = std::min(best, seconds);
    sum += seconds;
  }
  return best;
}

// Numbers of either sign: a processor may be faster at zeros, which need less power.
void fill(const View& view) {
  const std::int64_t count = view.numElements();
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = 0.37f * static_cast<float>(i % 11) - 1.7f;
    if (view.dtype == DType::f32) {
      view.as<float>()[i] = value;
    } else {
      std::memcpy(view.as<char>() + 2 * i, reinterpret_cast<const char*>(&value) + 2, 2);  // the upper half
    }
  }
}

// A square product by oneDNN, over memory of its own; empty where it has none.
class SquareProduct {
 public:
  SquareProduct(const Machine& machine, DType dtype, std::int64_t size)
      : operands_(2 * static_cast<std::size_t>(size * size) * sizeOf(dtype)),
        result_(static_cast<std::size_t>(size * size) * sizeof(float)) {
    const View left = contiguousView(dtype, {size, size}, operands_.data());
    const View right = contiguousView(dtype, {size, size}, operands_.data() + operands_.sizeBytes() / 2);
    const View result = contiguousView(DType::f32, {size, size}, result_.data());
    fill(left);
    fill(right);
    const auto prepare = [&](Scratch& scratch) {
      return onednn::prepareMatmul(machine.session, scratch, left, right, result, nullptr, onednn::Activation::none);
    };
    Scratch measuring(nullptr);
    if (!prepare(measuring)) return;
    scratch_ = std::make_unique<Memory>(measuring.peakBytes());
    Scratch scratch(scratch_->data());
    task_ = prepare(scratch);
  }
  const Task& task() const { return task_; }

 private:
  Memory operands_, result_;
  std::unique_ptr<Memory> scratch_;
  Task task_;
};

// Of a product that is large enough for this machine: one that takes some milliseconds.
std::optional<double> productFlopsPerSecond(const Machine& machine, DType dtype) {
  for (std::int64_t size = 1024;; size *= 2) {
    const SquareProduct product(machine, dtype, size);
    if (!product.task()) return std::nullopt;
    const double seconds = bestSeconds(product.task());
    const double flops = 2.0 * static_cast<double>(size) * static_cast<double>(size) * static_cast<double>(size);
    if (seconds > 0.004 || size >= 8192) return flops / seconds;
  }
}

// Two vectors read and one written, each far larger than any cache.
double triadBytesPerSecond() {
  constexpr std::int64_t numElements = std::int64_t{1} << 24;
  const Memory left(numElements * sizeof(float)), right(numElements * sizeof(float)), sum(numElements * sizeof(float));
  const float* a = reinterpret_cast<const float*>(left.data());
  const float* b = reinterpret_cast<const float*>(right.data());
  float* c = reinterpret_cast<float*>(sum.data());
  for (const Memory* memory : {&left, &right}) fill(contiguousView(DType::f32, {numElements}, memory->data()));
  const double seconds = bestSeconds([=] {
#pragma omp parallel for simd schedule(static)
    for (std::int64_t i = 0; i < numElements; ++i) c[i] = a[i] + 3.0f * b[i];
  });
  return 3.0 * static_cast<double>(numElements * sizeof(float)) / seconds;
}

}  // namespace

Peaks measurePeaks(const Machine& machine) {
  const std::optional<double> f32 = productFlopsPerSecond(machine, DType::f32);
  if (!f32) throw EngineError("ENGINE_FAILED", "oneDNN has no product of f32 for this processor");
  return {*f32, productFlopsPerSecond(machine, DType::bf16), triadBytesPerSecond()};
}

}  // namespace talweg
