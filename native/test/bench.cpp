// How fast each kernel is: least time of several runs, GB/s of what it must read and write, GFLOP/s where it computes.
// The sizes are those of the models in bench/: gpt-10m (batch 8, context 256, width 384), gpt-1m, gpt-124m, convnet.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "kernel_table.h"

namespace {

using namespace talweg::kernels;

/// Memory of a benchmark, aligned, filled with small numbers that suit every dtype.
class Block {
 public:
  explicit Block(int64_t bytes) : memory_(static_cast<size_t>(bytes) / 4 + 64) {
    for (size_t i = 0; i < memory_.size(); i++) memory_[i] = static_cast<float>(i * 7919 % 1000) * 0.002f - 1;
  }
  void* data() { return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(memory_.data()) + 63) / 64 * 64); }
  float* floats() { return static_cast<float*>(data()); }
  int32_t* integers(int64_t count, int64_t bound) {
    int32_t* values = static_cast<int32_t*>(data());
    for (int64_t i = 0; i < count; i++) values[i] = static_cast<int32_t>(i * 7919 % bound);
    return values;
  }

 private:
  std::vector<float> memory_;
};

/// bf16 bits of small numbers, where a block is read as bf16.
void makeBFloat16(Block& block, int64_t count) {
  auto* bits = static_cast<uint16_t*>(block.data());
  for (int64_t i = 0; i < count; i++) {
    const float value = static_cast<float>(i * 7919 % 1000) * 0.002f - 1;
    uint32_t word;
    std::memcpy(&word, &value, 4);
    bits[i] = static_cast<uint16_t>(word >> 16);
  }
}

struct Options {
  std::string target;
  std::vector<std::string> names;
  double seconds = 0.3;
};

class Bench {
 public:
  Bench(const KernelTable& table, const Options& options) : table(table), options_(options) {}
  const KernelTable& table;

  bool isWanted(const std::string& name) const {
    if (options_.names.empty()) return true;
    return std::any_of(options_.names.begin(), options_.names.end(), [&](const std::string& part) { return name.find(part) != std::string::npos; });
  }
  void measure(const std::string& name, double bytes, double flops, const std::function<void()>& run) const {
    run();
    double least = 1e9, total = 0;
    std::vector<double> times;
    while (total < options_.seconds || times.size() < 5) {
      const auto start = std::chrono::steady_clock::now();
      run();
      times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      total += times.back();
      least = std::min(least, times.back());
    }
    std::sort(times.begin(), times.end());
    std::printf("%-11s %-44s %9.3f ms (median %8.3f) %7.1f GB/s", table.target, name.c_str(), least * 1e3, times[times.size() / 2] * 1e3, bytes / least / 1e9);
    if (flops > 0) std::printf(" %7.1f GFLOP/s", flops / least / 1e9);
    std::printf("\n");
    std::fflush(stdout);
  }

 private:
  const Options& options_;
};

Dims dims(std::initializer_list<int64_t> values) {
  Dims result;
  for (int64_t value : values) result.append(value);
  return result;
}

const char* suffix(DType dtype) { return dtype == DType::bf16 ? " bf16" : " f32"; }

// ---- vector programs ----

VectorProgram adamw(int64_t count) {
  ProgramSource s;
  s.shape = dims({count});
  const int w = s.input(DType::f32, dims({1})), m = s.input(DType::f32, dims({1})), v = s.input(DType::f32, dims({1})), g = s.input(DType::f32, dims({1}));
  const int rate = s.input(DType::f32, dims({0}));
  const auto times = [&](int a, int b) { return s.emit(Opcode::multiply, DType::f32, {a, b}); };
  const auto plus = [&](int a, int b) { return s.emit(Opcode::add, DType::f32, {a, b}); };
  const int newM = plus(times(m, s.constant(DType::f32, 0.9)), times(g, s.constant(DType::f32, 0.1)));
  const int newV = plus(times(v, s.constant(DType::f32, 0.999)), times(times(g, g), s.constant(DType::f32, 0.001)));
  const int denominator = plus(s.emit(Opcode::sqrt, DType::f32, {newV}), s.constant(DType::f32, 1e-8));
  const int step = plus(s.emit(Opcode::divide, DType::f32, {newM, denominator}), times(w, s.constant(DType::f32, 0.01)));
  s.output(s.emit(Opcode::subtract, DType::f32, {w, times(rate, step)}));
  s.output(newM);
  s.output(newV);
  return VectorProgram(s);
}

void programs(const Bench& bench) {
  const int64_t count = 10'800'000;
  if (bench.isWanted("program adamw")) {
    Block w(count * 4), m(count * 4), v(count * 4), g(count * 4), rate(4);
    std::memset(v.data(), 0, static_cast<size_t>(count) * 4);
    const VectorProgram program = adamw(count);
    const void* inputs[] = {w.data(), m.data(), v.data(), g.data(), rate.data()};
    void* outputs[] = {w.data(), m.data(), v.data()};
    bench.measure("program adamw 10.8 M", count * 28.0, 0, [&] { bench.table.runVectorProgram(program.view(), inputs, outputs); });
  }
  if (bench.isWanted("program momentum")) {
    const int64_t n = 784 * 512;
    ProgramSource s;
    s.shape = dims({n});
    const int w = s.input(DType::f32, dims({1})), v = s.input(DType::f32, dims({1})), g = s.input(DType::f32, dims({1}));
    const int rate = s.input(DType::f32, dims({0})), isFine = s.input(DType::boolean, dims({0}));
    const int newV = s.emit(Opcode::add, DType::f32, {s.emit(Opcode::multiply, DType::f32, {v, s.constant(DType::f32, 0.9)}), g});
    const int newW = s.emit(Opcode::subtract, DType::f32, {w, s.emit(Opcode::multiply, DType::f32, {newV, rate})});
    s.output(s.emit(Opcode::select, DType::f32, {isFine, newW, w}));
    s.output(s.emit(Opcode::select, DType::f32, {isFine, newV, v}));
    const VectorProgram program(s);
    Block a(n * 4), b(n * 4), c(n * 4), r(4), f(4);
    std::memset(f.data(), 1, 4);
    const void* inputs[] = {a.data(), b.data(), c.data(), r.data(), f.data()};
    void* outputs[] = {a.data(), b.data()};
    bench.measure("program momentum 784x512", n * 20.0, 0, [&] { bench.table.runVectorProgram(program.view(), inputs, outputs); });
  }
  for (const int64_t rows : {int64_t{64}, int64_t{2048}}) {
    if (!bench.isWanted("program bias")) break;
    ProgramSource s;
    const int64_t width = 1536;
    s.shape = dims({rows, width});
    const int x = s.input(DType::f32, dims({width, 1})), b = s.input(DType::f32, dims({0, 1}));
    const int sum = s.emit(Opcode::add, DType::f32, {x, b});
    s.output(s.emit(Opcode::maximum, DType::f32, {sum, s.constant(DType::f32, 0)}));
    const VectorProgram program(s);
    Block from(rows * width * 4), bias(width * 4), to(rows * width * 4);
    const void* inputs[] = {from.data(), bias.data()};
    void* outputs[] = {to.data()};
    bench.measure("program bias + relu " + std::to_string(rows) + "x1536", rows * width * 8.0, 0, [&] { bench.table.runVectorProgram(program.view(), inputs, outputs); });
  }
  for (const Opcode opcode : {Opcode::exponential, Opcode::log, Opcode::tanh, Opcode::logistic, Opcode::erf, Opcode::sine, Opcode::power}) {
    if (!bench.isWanted("program function")) break;
    ProgramSource s;
    const int64_t n = 1 << 20;
    s.shape = dims({n});
    const int x = s.input(DType::f32, dims({1}));
    s.output(opcode == Opcode::power ? s.emit(opcode, DType::f32, {x, x}) : s.emit(opcode, DType::f32, {x}));
    const VectorProgram program(s);
    Block from(n * 4), to(n * 4);
    const void* inputs[] = {from.data()};
    void* outputs[] = {to.data()};
    bench.measure("program function " + std::to_string(static_cast<int>(opcode)) + " 1 M", n * 8.0, 0, [&] { bench.table.runVectorProgram(program.view(), inputs, outputs); });
  }
  if (bench.isWanted("program small")) {
    const int64_t n = 512;
    const VectorProgram program = adamw(n);
    Block w(n * 4), m(n * 4), v(n * 4), g(n * 4), rate(4);
    std::memset(v.data(), 0, n * 4);
    const void* inputs[] = {w.data(), m.data(), v.data(), g.data(), rate.data()};
    void* outputs[] = {w.data(), m.data(), v.data()};
    bench.measure("program small, adamw 512", n * 28.0, 0, [&] { bench.table.runVectorProgram(program.view(), inputs, outputs); });
  }
}

// ---- reductions and movement ----

void reductions(const Bench& bench) {
  const auto run = [&](const std::string& name, Combine combine, DType dtype, const Dims& sizes, const Dims& over) {
    if (!bench.isWanted(name)) return;
    const ReducePlan plan = planReduce(combine, dtype, dtype == DType::bf16 ? DType::f32 : dtype, sizes, rowMajorStrides(sizes), over);
    const double bytes = static_cast<double>(numElements(sizes) * elementSize(dtype));
    Block from(static_cast<int64_t>(bytes)), to(numElements(sizes) * 4), scratch(plan.scratchBytes);
    bench.measure(name, bytes, 0, [&] { bench.table.reduce(plan, from.data(), nullptr, to.data(), scratch.data()); });
  };
  run("reduce sum of squares, 10.8 M", Combine::sumOfSquares, DType::f32, dims({10'800'000}), dims({0}));
  run("reduce columns 2048x1536", Combine::add, DType::f32, dims({2048, 1536}), dims({0}));
  run("reduce columns 2048x1536 bf16", Combine::add, DType::bf16, dims({2048, 1536}), dims({0}));
  run("reduce columns 1000000x20", Combine::add, DType::f32, dims({1000000, 20}), dims({0}));
  run("reduce rows 2048x1536", Combine::add, DType::f32, dims({2048, 1536}), dims({1}));
  run("reduce max rows 2048x65", Combine::maximum, DType::f32, dims({2048, 65}), dims({1}));
  run("reduce middle 8x256x384", Combine::add, DType::f32, dims({8, 256, 384}), dims({1}));
}

void movement(const Bench& bench) {
  const auto transpose = [&](const std::string& name, DType dtype, const Dims& sizes, const Dims& permutation) {
    if (!bench.isWanted(name)) return;
    const CopyPlan plan = planTranspose(elementSize(dtype), sizes, rowMajorStrides(sizes), permutation);
    const double bytes = 2.0 * static_cast<double>(numElements(sizes) * elementSize(dtype));
    Block from(static_cast<int64_t>(bytes)), to(static_cast<int64_t>(bytes));
    bench.measure(name, bytes, 0, [&] { bench.table.copy(plan, from.data(), to.data()); });
  };
  transpose("copy transpose 2048x1536", DType::f32, dims({2048, 1536}), dims({1, 0}));
  transpose("copy transpose 2048x1536 bf16", DType::bf16, dims({2048, 1536}), dims({1, 0}));
  transpose("copy transpose 8x256x6x64 heads first", DType::f32, dims({8, 256, 6, 64}), dims({0, 2, 1, 3}));
  transpose("copy NHWC to NCHW 64x26x26x32", DType::f32, dims({64, 26, 26, 32}), dims({0, 3, 1, 2}));
  for (const int64_t vocabulary : {int64_t{65}, int64_t{50257}}) {
    const int64_t tokens = 2048, width = 384;
    Block table(vocabulary * width * 4), rows(tokens * width * 4), indexBlock(tokens * 4);
    const int32_t* indices = indexBlock.integers(tokens, vocabulary);
    const double bytes = 2.0 * tokens * width * 4;
    const std::string of = " 2048x384 of " + std::to_string(vocabulary);
    if (bench.isWanted("gather" + of)) {
      const GatherPlan plan = planGather(DType::f32, dims({vocabulary, width}), DType::i32, dims({tokens}), dims({1}), dims({0}), dims({0}), 1, dims({1, width}));
      bench.measure("gather" + of, bytes, 0, [&] { bench.table.gather(plan, table.data(), indices, rows.data()); });
    }
    if (bench.isWanted("scatter" + of)) {
      const ScatterPlan plan = planScatter(DType::f32, Combine::add, dims({vocabulary, width}), DType::i32, dims({tokens}), dims({tokens, width}), dims({1}), dims({0}), dims({0}), 1);
      bench.measure("scatter add" + of, bytes, 0, [&] { bench.table.scatter(plan, indices, rows.data(), table.data()); });
    }
  }
  if (bench.isWanted("philox")) {
    const int64_t count = 2048 * 384;
    Block to(count * 4);
    const uint32_t state[4] = {1, 2, 3, 4};
    bench.measure("philox 786,432 words", count * 4.0, 0, [&] { bench.table.philox(state, count, static_cast<uint32_t*>(to.data())); });
  }
}

// ---- rows ----

void rowKernels(const Bench& bench, DType dtype) {
  RowPlan plan{};
  plan.rows = 2048;
  plan.width = 384;
  plan.inputDType = DType::f32;  // the residual stream stays in f32
  plan.outputDType = plan.gradientDType = dtype;
  const int64_t count = plan.rows * plan.width;
  const double small = static_cast<double>(elementSize(dtype));
  Block x(count * 4), y(count * 4), dy(count * 4), dx(count * 4), weight(count), bias(count), mean(plan.rows * 4), rstd(plan.rows * 4), dw(4096 * 4), db(4096 * 4);
  Block scratch(normalizationScratchBytes(plan) + 64);
  if (dtype == DType::bf16) makeBFloat16(dy, count);
  const KernelTable& t = bench.table;
  const std::string of = std::string(" 2048x384") + suffix(dtype);
  if (bench.isWanted("layerNorm")) {
    bench.measure("layerNorm" + of, count * (4 + small), 0, [&] { t.layerNorm(plan, x.data(), weight.floats(), bias.floats(), y.data(), mean.floats(), rstd.floats()); });
    bench.measure("layerNormGradient" + of, count * (8 + small), 0, [&] { t.layerNormGradient(plan, x.data(), weight.floats(), mean.floats(), rstd.floats(), dy.data(), dx.data(), dw.floats(), db.floats(), scratch.data()); });
  }
  if (bench.isWanted("rmsNorm")) {
    bench.measure("rmsNorm" + of, count * (4 + small), 0, [&] { t.rmsNorm(plan, x.data(), weight.floats(), y.data(), rstd.floats()); });
    bench.measure("rmsNormGradient" + of, count * (8 + small), 0, [&] { t.rmsNormGradient(plan, x.data(), weight.floats(), rstd.floats(), dy.data(), dx.data(), dw.floats(), scratch.data()); });
  }
  if (bench.isWanted("softmax")) {
    bench.measure("softmax" + of, count * (4 + small), 0, [&] { t.softmax(plan, x.data(), y.data()); });
    bench.measure("softmaxGradient" + of, count * (4 + 2 * small), 0, [&] { t.softmaxGradient(plan, y.data(), dy.data(), dx.data()); });
  }
  if (bench.isWanted("gelu")) {
    const int64_t wide = 2048 * 1536;
    Block f(wide * 4), g(wide * 4), d(wide * 4);
    if (dtype == DType::bf16) {
      makeBFloat16(f, wide);
      makeBFloat16(d, wide);
    }
    for (const Gelu form : {Gelu::tanh, Gelu::erf}) {
      const std::string name = form == Gelu::tanh ? "gelu tanh" : "gelu erf";
      bench.measure(name + " 2048x1536" + suffix(dtype), wide * 2 * small, 0, [&] { t.gelu(form, wide, dtype, f.data(), dtype, g.data()); });
      bench.measure(name + " gradient 2048x1536" + suffix(dtype), wide * 3 * small, 0, [&] { t.geluGradient(form, wide, dtype, f.data(), dtype, d.data(), dtype, g.data()); });
    }
  }
  if (bench.isWanted("batchNorm")) {
    RowPlan images{};
    images.rows = 64 * 26 * 26;
    images.width = 32;
    images.inputDType = images.outputDType = images.gradientDType = images.resultDType = dtype;
    const int64_t n = images.rows * images.width;
    Block a(n * 4), b(n * 4), c(n * 4), more(normalizationScratchBytes(images) + 64);
    if (dtype == DType::bf16) {
      makeBFloat16(a, n);
      makeBFloat16(b, n);
    }
    bench.measure(std::string("batchNorm 43264x32") + suffix(dtype), n * 2 * small, 0, [&] { t.batchNorm(images, a.data(), weight.floats(), bias.floats(), c.data(), mean.floats(), dw.floats(), rstd.floats(), more.data()); });
    bench.measure(std::string("batchNormGradient 43264x32") + suffix(dtype), n * 3 * small, 0, [&] { t.batchNormGradient(images, a.data(), weight.floats(), mean.floats(), rstd.floats(), b.data(), c.data(), dw.floats(), db.floats(), more.data()); });
  }
}

void crossEntropies(const Bench& bench) {
  for (const int64_t classes : {int64_t{65}, int64_t{50257}}) {
    if (!bench.isWanted("crossEntropy")) return;
    CrossEntropyPlan plan{};
    plan.rows = classes == 65 ? 2048 : 512;
    plan.classes = plan.rowStride = plan.gradientRowStride = classes;
    const int64_t count = plan.rows * classes;
    Block logits(count * 4), targetBlock(plan.rows * 4), losses(plan.rows * 4), sums(plan.rows * 4), dlosses(plan.rows * 4), dlogits(count * 4);
    const int32_t* targets = targetBlock.integers(plan.rows, classes);
    const std::string of = " " + std::to_string(plan.rows) + "x" + std::to_string(classes);
    bench.measure("crossEntropy" + of, count * 4.0, 0, [&] { bench.table.crossEntropy(plan, logits.data(), targets, losses.floats(), sums.floats()); });
    bench.measure("crossEntropyGradient" + of, count * 8.0, 0, [&] { bench.table.crossEntropyGradient(plan, logits.data(), targets, sums.floats(), dlosses.floats(), 1, dlogits.data()); });
  }
}

// ---- attention and products ----

void attentions(const Bench& bench, DType dtype) {
  struct Shape {
    const char* name;
    int64_t batch, positions, heads, size;
    bool isCausal;
  };
  const Shape shapes[] = {{"gpt-10m", 8, 256, 6, 64, true}, {"gpt-1m", 12, 64, 4, 32, true}, {"gpt-124m", 2, 256, 12, 64, true},
                          {"long", 1, 2048, 4, 64, true}, {"bert", 4, 128, 12, 64, false}};
  for (const Shape& shape : shapes) {
    const std::string name = std::string("attention ") + shape.name + suffix(dtype);
    if (!bench.isWanted(name)) continue;
    AttentionPlan plan{};
    plan.dtype = dtype;
    plan.batch = shape.batch;
    plan.queries = plan.keys = shape.positions;
    plan.heads = plan.keyHeads = shape.heads;
    plan.headSize = shape.size;
    plan.scale = 0.125f;
    plan.isCausal = shape.isCausal;
    plan.numThreads = omp_get_max_threads();
    const int64_t width = shape.heads * shape.size, row = 3 * width, size = elementSize(dtype);
    const int64_t positions = shape.batch * shape.positions;
    plan.q = plan.k = plan.v = plan.dq = plan.dk = plan.dv = {shape.positions * row, row, shape.size};  // parts of one product
    plan.out = plan.dout = {shape.positions * width, width, shape.size};
    Block qkv(positions * row * 4), dqkv(positions * row * 4), out(positions * width * 4), dout(positions * width * 4), sums(positions * shape.heads * 4);
    Block scratch(std::max(attentionScratchBytes(plan), attentionGradientScratchBytes(plan)) + 64);
    if (dtype == DType::bf16) {
      makeBFloat16(qkv, positions * row);
      makeBFloat16(dout, positions * width);
    }
    const auto part = [&](Block& block, int which) { return static_cast<char*>(block.data()) + which * width * size; };
    const double pairs = static_cast<double>(shape.batch * shape.heads) * shape.positions * (shape.isCausal ? (shape.positions + 1) / 2.0 : shape.positions);
    const double flops = 4 * pairs * shape.size;
    bench.measure(name, 0, flops, [&] { bench.table.attention(plan, part(qkv, 0), part(qkv, 1), part(qkv, 2), nullptr, out.data(), sums.floats(), scratch.data()); });
    bench.measure(name + " gradient", 0, 2.5 * flops, [&] {
      bench.table.attentionGradient(plan, part(qkv, 0), part(qkv, 1), part(qkv, 2), nullptr, out.data(), dout.data(), sums.floats(), part(dqkv, 0), part(dqkv, 1), part(dqkv, 2), scratch.data());
    });
  }
}

void products(const Bench& bench) {
  for (const DType dtype : {DType::f64, DType::f32, DType::i32}) {
    const std::string name = dtype == DType::f64 ? "matmul f64 512x512x512" : dtype == DType::f32 ? "matmul f32 512x512x512" : "matmul i32 512x512x512";
    if (!bench.isWanted(name)) continue;
    const int64_t n = 512;
    const MatmulPlan plan{dtype, 1, n, n, n, 0, n, 1, 0, n, 1};
    Block a(n * n * 8), b(n * n * 8), c(n * n * 8);
    bench.measure(name, 0, 2.0 * n * n * n, [&] { bench.table.matmul(plan, a.data(), b.data(), c.data()); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    if (argument == "--target" && i + 1 < argc) {
      options.target = argv[++i];
    } else if (argument == "--threads" && i + 1 < argc) {
      omp_set_num_threads(std::atoi(argv[++i]));
    } else if (argument == "--seconds" && i + 1 < argc) {
      options.seconds = std::atof(argv[++i]);
    } else {
      options.names.push_back(argument);
    }
  }
  const KernelTable* table = options.target.empty() ? &bestKernelTable() : findKernelTable(options.target.c_str());
  if (table == nullptr) {
    std::fprintf(stderr, "%s: not built, or not for this processor\n", options.target.c_str());
    return 2;
  }
  const Bench bench(*table, options);
  programs(bench);
  reductions(bench);
  movement(bench);
  for (const DType dtype : {DType::f32, DType::bf16}) rowKernels(bench, dtype);
  crossEntropies(bench);
  for (const DType dtype : {DType::f32, DType::bf16}) attentions(bench, dtype);
  products(bench);
  return 0;
}
