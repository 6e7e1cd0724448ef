// Vector programs: random programs of exact operations over random views, every conversion, integer corner cases.
#include <algorithm>
#include <stdexcept>

#include "support.h"

namespace talweg::test {
namespace {

constexpr DType allDTypes[] = {DType::f64, DType::f32, DType::bf16, DType::i32, DType::u32, DType::u8, DType::boolean};

bool isFloat(DType dtype) { return dtype <= DType::bf16; }

/// A value of the twin: the bits it has in a register, f32 for bf16.
union Scalar {
  double f64;
  float f32;
  int32_t i32;
  uint32_t u32;
  uint8_t u8;
};

double toDouble(DType dtype, Scalar s) {
  switch (dtype) {
    case DType::f64: return s.f64;
    case DType::f32:
    case DType::bf16: return s.f32;
    case DType::i32: return s.i32;
    case DType::u32: return s.u32;
    default: return s.u8;
  }
}

/// A double as StableHLO converts it: truncated and saturated to integers, rounded to floats.
Scalar fromDouble(DType dtype, double v) {
  Scalar s{};
  const auto clamped = [v](double low, double high) { return v != v ? 0.0 : std::min(std::max(std::trunc(v), low), high); };
  switch (dtype) {
    case DType::f64: s.f64 = v; break;
    case DType::f32: s.f32 = static_cast<float>(v); break;
    case DType::bf16: s.f32 = static_cast<float>(rounded(DType::bf16, v)); break;
    case DType::i32: s.i32 = static_cast<int32_t>(clamped(-2147483648.0, 2147483647.0)); break;
    case DType::u32: s.u32 = static_cast<uint32_t>(clamped(0, 4294967295.0)); break;
    case DType::u8: s.u8 = static_cast<uint8_t>(clamped(0, 255)); break;
    case DType::boolean: s.u8 = v != 0; break;
  }
  return s;
}

/// Wrapping integers.
Scalar wrapped(DType dtype, int64_t v) {
  Scalar s{};
  if (dtype == DType::u8) s.u8 = static_cast<uint8_t>(v);
  else s.u32 = static_cast<uint32_t>(v);
  return s;
}

template <class T>
T larger(T a, T b) { return a > b || a != a ? a : b; }
template <class T>
T lesser(T a, T b) { return a < b || a != a ? a : b; }

template <class T>
T floatOperation(Opcode opcode, T a, T b) {
  switch (opcode) {
    case Opcode::negate: return -a;
    case Opcode::abs: return std::fabs(a);
    case Opcode::sign: return a > 0 ? T(1) : a < 0 ? T(-1) : a;
    case Opcode::add: return a + b;
    case Opcode::subtract: return a - b;
    case Opcode::multiply: return a * b;
    case Opcode::divide: return a / b;
    case Opcode::maximum: return larger(a, b);
    default: return lesser(a, b);
  }
}

int64_t integerOperation(Opcode opcode, DType dtype, int64_t a, int64_t b) {
  const int64_t width = dtype == DType::u8 ? 8 : 32;
  const int64_t bits = a & ((1ll << width) - 1);
  const int64_t extended = width == 8 ? static_cast<int8_t>(bits) : static_cast<int32_t>(bits);
  const bool isOut = b < 0 || b >= width;
  switch (opcode) {
    case Opcode::negate: return -a;
    case Opcode::abs: return a < 0 ? -a : a;
    case Opcode::sign: return a > 0 ? 1 : a < 0 ? -1 : 0;
    case Opcode::add: return a + b;
    case Opcode::subtract: return a - b;
    case Opcode::multiply: return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    case Opcode::divide: return b == 0 ? -1 : a / b;
    case Opcode::remainder: return b == 0 ? a : a % b;
    case Opcode::maximum: return std::max(a, b);
    case Opcode::minimum: return std::min(a, b);
    case Opcode::logicalNot: return ~a;
    case Opcode::logicalAnd: return a & b;
    case Opcode::logicalOr: return a | b;
    case Opcode::logicalXor: return a ^ b;
    case Opcode::shiftLeft: return isOut ? 0 : bits << b;
    case Opcode::shiftRightLogical: return isOut ? 0 : bits >> b;
    default: return extended >> (isOut ? width - 1 : b);
  }
}

bool booleanOperation(Opcode opcode, bool a, bool b) {
  switch (opcode) {
    case Opcode::logicalNot: return !a;
    case Opcode::add:
    case Opcode::maximum:
    case Opcode::logicalOr: return a || b;
    case Opcode::logicalXor: return a != b;
    default: return a && b;
  }
}

bool comparison(Opcode opcode, double a, double b) {
  switch (opcode) {
    case Opcode::compareEQ: return a == b;
    case Opcode::compareNE: return a != b;
    case Opcode::compareLT: return a < b;
    case Opcode::compareLE: return a <= b;
    case Opcode::compareGT: return a > b;
    default: return a >= b;
  }
}

/// A program under test, with what the twin needs.
struct Case {
  ProgramSource source;
  std::vector<DType> dtypes;  // of all values
  std::vector<Buffer> inputs;

  Scalar evaluate(const ProgramInstruction& instruction, const std::vector<Scalar>& values, const Dims& index) const;
};

Scalar Case::evaluate(const ProgramInstruction& instruction, const std::vector<Scalar>& values, const Dims& index) const {
  const Opcode opcode = instruction.opcode;
  const DType dtype = instruction.dtype;
  Scalar s{};
  if (opcode == Opcode::constant) {
    if (dtype == DType::bf16) {
      const uint32_t word = static_cast<uint32_t>(instruction.immediate) << 16;
      std::memcpy(&s.f32, &word, 4);
    } else {
      std::memcpy(&s, &instruction.immediate, sizeof s);
    }
    return s;
  }
  if (opcode == Opcode::iota) {
    const int64_t at = index[static_cast<int>(instruction.immediate)];
    return isFloat(dtype) ? (dtype == DType::f64 ? fromDouble(dtype, static_cast<double>(at)) : fromDouble(DType::f32, static_cast<double>(at)))
                          : wrapped(dtype, at);
  }
  const Scalar a = values[instruction.operands[0]], b = values[instruction.operands[1]];
  const DType from = dtypes[instruction.operands[0]];
  if (opcode == Opcode::select) return a.u8 ? b : values[instruction.operands[2]];
  if (opcode == Opcode::convert) {
    if (from == DType::bf16 && dtype == DType::bf16) return a;
    if (!isFloat(from) && !isFloat(dtype) && dtype != DType::boolean) return wrapped(dtype, static_cast<int64_t>(toDouble(from, a)));
    if (dtype == DType::bf16) return fromDouble(dtype, static_cast<float>(toDouble(from, a)));
    return fromDouble(dtype, toDouble(from, a));
  }
  if (opcode == Opcode::bitcastConvert) return a;
  if (opcode == Opcode::isFinite) {
    s.u8 = std::isfinite(toDouble(from, a));
  } else if (opcode >= Opcode::compareEQ && opcode <= Opcode::compareGE) {
    s.u8 = comparison(opcode, toDouble(from, a), toDouble(from, b));
  } else if (dtype == DType::f64) {
    s.f64 = floatOperation(opcode, a.f64, b.f64);
  } else if (isFloat(dtype)) {
    s.f32 = floatOperation(opcode, a.f32, b.f32);
  } else if (dtype == DType::boolean) {
    s.u8 = booleanOperation(opcode, a.u8, b.u8);
  } else {
    s = wrapped(dtype, integerOperation(opcode, dtype, static_cast<int64_t>(toDouble(dtype, a)), static_cast<int64_t>(toDouble(dtype, b))));
  }
  return s;
}

int randomValueOf(Random& random, const std::vector<DType>& dtypes, DType dtype) {
  std::vector<int> candidates;
  for (size_t v = 0; v < dtypes.size(); v++) {
    if (dtypes[v] == dtype) candidates.push_back(static_cast<int>(v));
  }
  if (candidates.empty()) return -1;
  // Recent values more often, so that programs are deep.
  const int64_t count = static_cast<int64_t>(candidates.size());
  return candidates[random.chance(0.5) ? count - 1 - random.integer(0, std::min<int64_t>(count - 1, 2)) : random.integer(0, count - 1)];
}

constexpr Opcode floatOpcodes[] = {Opcode::negate, Opcode::abs, Opcode::sign, Opcode::add, Opcode::subtract, Opcode::multiply,
                                   Opcode::divide, Opcode::maximum, Opcode::minimum};
constexpr Opcode integerOpcodes[] = {Opcode::negate, Opcode::abs, Opcode::sign, Opcode::add, Opcode::subtract, Opcode::multiply,
                                     Opcode::divide, Opcode::remainder, Opcode::maximum, Opcode::minimum, Opcode::logicalNot,
                                     Opcode::logicalAnd, Opcode::logicalOr, Opcode::logicalXor, Opcode::shiftLeft,
                                     Opcode::shiftRightLogical, Opcode::shiftRightArithmetic};
constexpr Opcode booleanOpcodes[] = {Opcode::logicalNot, Opcode::logicalAnd, Opcode::logicalOr, Opcode::logicalXor, Opcode::add,
                                     Opcode::multiply, Opcode::maximum, Opcode::minimum};

template <size_t count>
Opcode oneOf(Random& random, const Opcode (&list)[count]) { return list[random.integer(0, count - 1)]; }

void addRandomInstruction(Random& random, Case& c) {
  const DType dtype = c.dtypes[random.integer(0, static_cast<int64_t>(c.dtypes.size()) - 1)];
  const int a = randomValueOf(random, c.dtypes, dtype), b = randomValueOf(random, c.dtypes, dtype);
  const int predicate = randomValueOf(random, c.dtypes, DType::boolean);
  const double choice = random.uniform(0, 1);
  auto add = [&](Opcode opcode, DType result, std::initializer_list<int> operands, int64_t immediate = 0) {
    c.source.emit(opcode, result, operands, immediate);
    c.dtypes.push_back(result);
  };
  if (choice < 0.06) {
    const DType made = allDTypes[random.integer(0, 6)];
    c.source.constant(made, std::floor(random.uniform(0, 100)) / 4);
    c.dtypes.push_back(made);
  } else if (choice < 0.12 && c.source.shape.rank > 0 && dtype != DType::boolean) {
    add(Opcode::iota, dtype, {}, random.integer(0, c.source.shape.rank - 1));
  } else if (choice < 0.22) {
    add(static_cast<Opcode>(static_cast<int>(Opcode::compareEQ) + random.integer(0, 5)), DType::boolean, {a, b});
  } else if (choice < 0.32 && predicate >= 0) {
    add(Opcode::select, dtype, {predicate, a, b});
  } else if (choice < 0.45) {
    add(Opcode::convert, allDTypes[random.integer(0, 6)], {a});
  } else if (choice < 0.48 && isFloat(dtype)) {
    add(Opcode::isFinite, DType::boolean, {a});
  } else {
    const Opcode opcode = isFloat(dtype) ? oneOf(random, floatOpcodes)
                          : dtype == DType::boolean ? oneOf(random, booleanOpcodes) : oneOf(random, integerOpcodes);
    if (numOperands(opcode) == 1) add(opcode, dtype, {a});
    else add(opcode, dtype, {a, b});
  }
}

/// Row-major strides with some dimensions repeated, permuted, or spread; returns the elements that they reach.
int64_t randomStrides(Random& random, const Dims& shape, Dims& strides) {
  strides = rowMajorStrides(shape);
  int64_t reach = numElements(shape);
  const double choice = random.uniform(0, 1);
  if (choice < 0.4 || shape.rank == 0) return reach;
  if (choice < 0.75) {  // repeated along some dimensions
    int64_t stride = 1;
    for (int dim = shape.rank - 1; dim >= 0; dim--) {
      const bool isRepeated = random.chance(0.5);
      strides[dim] = isRepeated ? 0 : stride;
      if (!isRepeated) stride *= shape[dim];
    }
    return std::max<int64_t>(stride, 1);
  }
  int order[maxRank];  // a transpose, with gaps
  for (int dim = 0; dim < shape.rank; dim++) order[dim] = dim;
  for (int dim = shape.rank - 1; dim > 0; dim--) std::swap(order[dim], order[random.integer(0, dim)]);
  int64_t stride = random.integer(1, 2);
  for (int i = 0; i < shape.rank; i++) {
    strides[order[i]] = stride;
    stride *= shape[order[i]];
  }
  return std::max<int64_t>(stride, 1);
}

Case randomCase(Random& random) {
  Case c;
  const int rank = static_cast<int>(random.integer(0, 4));
  const int64_t largest = rank == 1 ? 5000 : rank == 2 ? 300 : 24;
  for (int dim = 0; dim < rank; dim++) c.source.shape.append(random.size(largest, true));
  const int64_t numInputs = random.integer(1, 6);
  for (int64_t i = 0; i < numInputs; i++) {
    const DType dtype = random.chance(0.5) ? DType::f32 : allDTypes[random.integer(0, 6)];
    Dims strides;
    const int64_t reach = randomStrides(random, c.source.shape, strides);
    c.source.input(dtype, strides);
    c.dtypes.push_back(dtype);
    c.inputs.emplace_back(dtype, reach);
    c.inputs.back().randomize(random, -50, 50);
    if (isFloat(dtype) && reach > 3 && random.chance(0.3)) c.inputs.back().set(random.integer(0, reach - 1), random.chance(0.5) ? NAN : INFINITY);
  }
  const int64_t numInstructions = random.integer(0, random.chance(0.1) ? 120 : 20);
  for (int64_t i = 0; i < numInstructions; i++) addRandomInstruction(random, c);
  return c;
}

int64_t offsetOf(const Dims& index, const Dims& strides) {
  int64_t offset = 0;
  for (int dim = 0; dim < index.rank; dim++) offset += index[dim] * strides[dim];
  return offset;
}

Scalar readInput(const Buffer& buffer, int64_t offset) {
  const double v = buffer.get(offset);
  return buffer.dtype() == DType::u32 || buffer.dtype() == DType::i32 ? wrapped(buffer.dtype(), static_cast<int64_t>(v))
                                                                      : fromDouble(buffer.dtype(), v);
}

/// All outputs by the twin, element by element.
std::vector<std::vector<double>> twin(const Case& c) {
  std::vector<std::vector<double>> results(c.source.outputs.size());
  const int64_t count = numElements(c.source.shape);
  const Dims rowMajor = rowMajorStrides(c.source.shape);
  for (int64_t e = 0; e < count; e++) {
    Dims index;
    for (int dim = 0; dim < c.source.shape.rank; dim++) index.append(e / rowMajor[dim] % c.source.shape[dim]);
    std::vector<Scalar> values;
    for (size_t i = 0; i < c.inputs.size(); i++) values.push_back(readInput(c.inputs[i], offsetOf(index, c.source.inputs[i].strides)));
    for (const ProgramInstruction& instruction : c.source.instructions) values.push_back(c.evaluate(instruction, values, index));
    for (size_t o = 0; o < results.size(); o++) {
      const int value = c.source.outputs[o].value;
      results[o].push_back(toDouble(c.dtypes[value], values[value]));
    }
  }
  return results;
}

void testRandomPrograms(Check& check) {
  for (int seed = 0; seed < 400; seed++) {
    Random random(1000 + seed);
    Case c = randomCase(random);
    const int64_t numOutputs = random.integer(1, 4);
    std::vector<DType> resultDTypes;
    for (int64_t o = 0; o < numOutputs; o++) {
      const int value = static_cast<int>(random.chance(0.6) ? static_cast<int64_t>(c.dtypes.size()) - 1 - random.integer(0, std::min<int64_t>(2, static_cast<int64_t>(c.dtypes.size()) - 1))
                                                            : random.integer(0, static_cast<int64_t>(c.dtypes.size()) - 1));
      c.source.output(value);
      resultDTypes.push_back(c.dtypes[value]);
    }
    const VectorProgram program(c.source);
    const std::vector<std::vector<double>> wanted = twin(c);
    const std::string what = "program " + std::to_string(seed) + " over " + show(c.source.shape);
    forEachTeam([&](int threads) {
      setThreads(threads);
      std::vector<Buffer> results;
      std::vector<const void*> inputs;
      std::vector<void*> outputs;
      for (Buffer& input : c.inputs) inputs.push_back(input.data());
      for (DType dtype : resultDTypes) results.emplace_back(dtype, numElements(c.source.shape));
      for (Buffer& result : results) outputs.push_back(result.data());
      check.table.runVectorProgram(program.view(), inputs.data(), outputs.data());
      for (size_t o = 0; o < results.size(); o++) check.allEqual(results[o], wanted[o], what + ", output " + std::to_string(o));
    });
  }
}

/// Outputs in the place of inputs, read before and after they are written.
void testInPlace(Check& check) {
  for (int64_t count : {1, 15, 16, 17, 1000, 70001}) {
    for (const bool isReadLater : {false, true}) {
      Random random(static_cast<uint64_t>(count));
      Buffer w(DType::f32, count), m(DType::f32, count), g(DType::f32, count);
      w.randomize(random);
      m.randomize(random);
      g.randomize(random);
      std::vector<double> newW, newM;
      for (int64_t i = 0; i < count; i++) {
        const float sum = static_cast<float>(m.get(i)) * 0.5f + static_cast<float>(g.get(i));
        newM.push_back(sum);
        newW.push_back(isReadLater ? static_cast<float>(w.get(i)) - sum * static_cast<float>(m.get(i)) : static_cast<float>(w.get(i)) - sum);
      }
      ProgramSource source;
      source.shape = dims({count});
      const int vw = source.input(DType::f32, dims({1})), vm = source.input(DType::f32, dims({1})), vg = source.input(DType::f32, dims({1}));
      const int half = source.constant(DType::f32, 0.5);
      const int sum = source.emit(Opcode::add, DType::f32, {source.emit(Opcode::multiply, DType::f32, {vm, half}), vg});
      const int step = isReadLater ? source.emit(Opcode::multiply, DType::f32, {sum, vm}) : sum;
      source.output(source.emit(Opcode::subtract, DType::f32, {vw, step}));
      source.output(sum);
      const VectorProgram program(source);
      const void* inputs[] = {w.data(), m.data(), g.data()};
      void* outputs[] = {w.data(), m.data()};
      check.table.runVectorProgram(program.view(), inputs, outputs);
      check.allEqual(w, newW, "in place, w");
      check.allEqual(m, newM, "in place, m");
    }
  }
}

/// Two inputs exchanged in place: each output lies where the other's input was.
void testExchange(Check& check) {
  for (int64_t count : {1, 33, 2048}) {
    Random random(7);
    Buffer a(DType::f32, count), b(DType::f32, count);
    a.randomize(random);
    b.randomize(random);
    std::vector<double> wantedA, wantedB;
    for (int64_t i = 0; i < count; i++) {
      wantedA.push_back(b.get(i));
      wantedB.push_back(-a.get(i));
    }
    ProgramSource source;
    source.shape = dims({count});
    const int va = source.input(DType::f32, dims({1})), vb = source.input(DType::f32, dims({1}));
    source.output(vb);
    source.output(source.emit(Opcode::negate, DType::f32, {va}));
    const VectorProgram program(source);
    const void* inputs[] = {a.data(), b.data()};
    void* outputs[] = {a.data(), b.data()};
    check.table.runVectorProgram(program.view(), inputs, outputs);
    check.allEqual(a, wantedA, "exchange, first");
    check.allEqual(b, wantedB, "exchange, second");
  }
}

/// Every dtype to every dtype, over values at the edges of their ranges.
void testConversions(Check& check) {
  const double values[] = {0, -0.0, 0.4, 0.5, -0.9, 1, 1.5, 2, 254.9, 255, 256, 300, -1, -300, 2147483520.0, 2147483647.0, 2147483648.0,
                           4294967040.0, 4294967295.0, 1e20, -1e20, 1e-40, 3.39e38, 1e39, INFINITY, -INFINITY, NAN, 65535, 16777217, 1.00390625, 1.01171875};
  const int64_t count = static_cast<int64_t>(sizeof values / sizeof values[0]);
  for (DType from : allDTypes) {
    for (DType to : allDTypes) {
      Case c;
      c.source.shape = dims({count});
      c.source.input(from, dims({1}));
      c.dtypes.push_back(from);
      c.inputs.emplace_back(from, count);
      for (int64_t i = 0; i < count; i++) {
        const bool fits = isFloat(from) || (values[i] == std::floor(values[i]) && values[i] >= (from == DType::i32 ? -2147483648.0 : 0) &&
                                            values[i] <= (from == DType::i32 ? 2147483647.0 : from == DType::u32 ? 4294967295.0 : 255.0));
        c.inputs[0].set(i, fits ? values[i] : 1);
      }
      c.source.output(c.source.emit(Opcode::convert, to, {0}));
      c.dtypes.push_back(to);
      const VectorProgram program(c.source);
      Buffer result(to, count);
      const void* inputs[] = {c.inputs[0].data()};
      void* outputs[] = {result.data()};
      check.table.runVectorProgram(program.view(), inputs, outputs);
      check.allEqual(result, twin(c)[0], std::string(nameOf(from)) + " to " + nameOf(to));
    }
  }
}

/// Outputs with strides of their own: the columns of a wider matrix.
void testStridedOutput(Check& check) {
  for (int64_t rows : {1, 7, 300}) {
    for (int64_t columns : {1, 5, 64, 300}) {
      Random random(3);
      Buffer x(DType::bf16, rows * columns), y(DType::f32, rows * (columns + 3));
      x.randomize(random);
      y.fill(9);
      std::vector<double> wanted(static_cast<size_t>(y.count()), 9);
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++) wanted[static_cast<size_t>(r * (columns + 3) + c)] = 2 * x.get(r * columns + c);
      }
      ProgramSource source;
      source.shape = dims({rows, columns});
      const int v = source.emit(Opcode::convert, DType::f32, {source.input(DType::bf16, dims({columns, 1}))});
      source.output(source.emit(Opcode::add, DType::f32, {v, v}), dims({columns + 3, 1}));
      const VectorProgram program(source);
      const void* inputs[] = {x.data()};
      void* outputs[] = {y.data()};
      check.table.runVectorProgram(program.view(), inputs, outputs);
      check.allEqual(y, wanted, "strided output");
    }
  }
}

template <class Body>
bool refuses(Body body) {
  try {
    body();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

void testRefusals(Check& check) {
  ProgramSource base;
  base.shape = dims({4});
  const int x = base.input(DType::f32, dims({1}));
  check.that(refuses([&] {
               ProgramSource s = base;
               s.output(s.emit(Opcode::add, DType::f32, {x, 5}));
               VectorProgram program(s);
             }), "an operand that doesn't come before");
  check.that(refuses([&] {
               ProgramSource s = base;
               s.output(s.emit(Opcode::logicalAnd, DType::f32, {x, x}));
               VectorProgram program(s);
             }), "and of floats");
  check.that(refuses([&] {
               ProgramSource s = base;
               s.output(s.emit(Opcode::select, DType::f32, {x, x, x}));
               VectorProgram program(s);
             }), "a predicate that isn't bool");
  check.that(refuses([&] {
               ProgramSource s = base;
               int v = x;
               for (int i = 0; i < maxProgramValues + 1; i++) v = s.emit(Opcode::negate, DType::f32, {v});
               s.output(v);
               VectorProgram program(s);
             }), "too many values");
}

const Registration random_{"random programs", testRandomPrograms}, inPlace{"programs in place", testInPlace},
    exchange{"programs exchanging", testExchange}, conversions{"conversions", testConversions},
    strided{"strided outputs", testStridedOutput}, refusals{"program refusals", testRefusals};

}  // namespace
}  // namespace talweg::test
