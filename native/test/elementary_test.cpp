// Elementary functions of vector programs: errors in units in the last place, over all f32 magnitudes, and special values.
#include <functional>

#include "support.h"

namespace talweg::test {
namespace {

struct Function {
  const char* name;
  Opcode opcode;
  double largestUlp;  // documented in target/math.h
  std::function<double(double)> exact;
};

double logistic(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

const std::vector<Function>& functions() {
  static const std::vector<Function> list{
      {"exponential", Opcode::exponential, 1.1, [](double x) { return std::exp(x); }},
      {"exponentialMinusOne", Opcode::exponentialMinusOne, 1.5, [](double x) { return std::expm1(x); }},
      {"log", Opcode::log, 0.9, [](double x) { return std::log(x); }},
      {"logPlusOne", Opcode::logPlusOne, 1.5, [](double x) { return std::log1p(x); }},
      {"sqrt", Opcode::sqrt, 0.51, [](double x) { return std::sqrt(x); }},
      {"rsqrt", Opcode::rsqrt, 1.5, [](double x) { return 1 / std::sqrt(x); }},
      {"cbrt", Opcode::cbrt, 0.6, [](double x) { return std::cbrt(x); }},
      {"tanh", Opcode::tanh, 1.5, [](double x) { return std::tanh(x); }},
      {"logistic", Opcode::logistic, 2.3, logistic},
      {"sine", Opcode::sine, 1.6, [](double x) { return std::sin(x); }},
      {"cosine", Opcode::cosine, 1.6, [](double x) { return std::cos(x); }},
      {"floor", Opcode::floor, 0, [](double x) { return std::floor(x); }},
      {"ceil", Opcode::ceil, 0, [](double x) { return std::ceil(x); }},
      {"roundNearestEven", Opcode::roundNearestEven, 0, [](double x) { return std::nearbyint(x); }},
      {"erf", Opcode::erf, 1.7, [](double x) { return std::erf(x); }},
  };
  return list;
}

/// |got - exact| in units of the last place of the exact result as f32; a huge number where one is special, the other not.
double ulps(float got, double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
  const float nearest = static_cast<float>(exact);
  if (got == nearest) return std::signbit(got) == std::signbit(nearest) ? 0 : 1e9;
  if (std::isinf(nearest)) return std::fabs(got) >= 3.4028234e38f && std::signbit(got) == std::signbit(nearest) ? 1 : 1e9;
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(got - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

VectorProgram unaryProgram(Opcode opcode, DType dtype, int64_t count) {
  ProgramSource source;
  source.shape = dims({count});
  const int x = source.input(dtype, dims({1}));
  source.output(source.emit(opcode, dtype, {x}));
  return VectorProgram(source);
}

std::vector<float> sampledFloats() {
  std::vector<float> values{0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 1e-39f, 3.4028235e38f, -3.4028235e38f, 88.72f,
                            -103.9f, 1.0f, -1.0f, 0.5f, 1.5f, 2.5f, -0.5f, 8388607.5f, 16777216.0f};
  for (uint64_t bits = 0; bits < (1ull << 32); bits += 12289) {
    const uint32_t word = static_cast<uint32_t>(bits);
    float value;
    std::memcpy(&value, &word, 4);
    values.push_back(value);
  }
  return values;
}

void testF32(Check& check) {
  const std::vector<float> values = sampledFloats();
  const int64_t count = static_cast<int64_t>(values.size());
  std::vector<float> results(values.size());
  for (const Function& function : functions()) {
    const VectorProgram program = unaryProgram(function.opcode, DType::f32, count);
    const void* inputs[] = {values.data()};
    void* outputs[] = {results.data()};
    check.table.runVectorProgram(program.view(), inputs, outputs);
    for (int64_t i = 0; i < count; i++) {
      const double error = ulps(results[i], function.exact(values[i]));
      if (error > function.largestUlp) {
        check.near(results[i], function.exact(values[i]), 0, 0, std::string(function.name) + "(" + std::to_string(values[i]) + ")");
      } else {
        check.that(true, "");
      }
    }
  }
}

void testF64(Check& check) {
  Random random(1);
  Buffer x(DType::f64, 999), y(DType::f64, 999);
  x.randomize(random, -8, 8);
  x.set(0, NAN);
  x.set(1, INFINITY);
  x.set(2, -0.0);
  for (const Function& function : functions()) {
    const VectorProgram program = unaryProgram(function.opcode, DType::f64, x.count());
    const void* inputs[] = {x.data()};
    void* outputs[] = {y.data()};
    check.table.runVectorProgram(program.view(), inputs, outputs);
    for (int64_t i = 0; i < x.count(); i++) check.near(y.get(i), function.exact(x.get(i)), 0, 4e-16, function.name);
  }
}

/// Two operands: power, atan2, remainder, over random and special pairs.
void testBinary(Check& check) {
  struct Binary {
    const char* name;
    Opcode opcode;
    double largestUlp;
    double (*exact)(double, double);
  };
  const Binary list[] = {
      {"power", Opcode::power, 0.6, [](double a, double b) { return std::pow(a, b); }},
      {"atan2", Opcode::atan2, 1.5, [](double a, double b) { return std::atan2(a, b); }},
      {"remainder", Opcode::remainder, 0, [](double a, double b) { return std::fmod(a, b); }},
      {"maximum", Opcode::maximum, 0, [](double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : a > b ? a : b; }},
      {"minimum", Opcode::minimum, 0, [](double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : a < b ? a : b; }},
      {"divide", Opcode::divide, 0.51, [](double a, double b) { return a / b; }},
  };
  const float special[] = {0.0f, -0.0f, 1.0f, -1.0f, 2.0f, -2.0f, 3.0f, -3.0f, 0.5f, -0.5f, 2.5f, INFINITY, -INFINITY, NAN,
                           1e-40f, 1e30f, -1e30f, 127.0f, -149.0f, 16777217.0f};
  Random random(2);
  std::vector<float> a, b;
  for (float x : special) {
    for (float y : special) {
      a.push_back(x);
      b.push_back(y);
    }
  }
  for (int i = 0; i < 20000; i++) {
    a.push_back(static_cast<float>(std::exp(random.uniform(-20, 20)) * (random.chance(0.3) ? -1 : 1)));
    b.push_back(random.chance(0.3) ? static_cast<float>(random.integer(-5, 5)) : static_cast<float>(random.uniform(-6, 6)));
  }
  std::vector<float> results(a.size());
  const int64_t count = static_cast<int64_t>(a.size());
  for (const Binary& binary : list) {
    ProgramSource source;
    source.shape = dims({count});
    const int x = source.input(DType::f32, dims({1})), y = source.input(DType::f32, dims({1}));
    source.output(source.emit(binary.opcode, DType::f32, {x, y}));
    const VectorProgram program(source);
    const void* inputs[] = {a.data(), b.data()};
    void* outputs[] = {results.data()};
    check.table.runVectorProgram(program.view(), inputs, outputs);
    for (int64_t i = 0; i < count; i++) {
      const double exact = binary.exact(a[i], b[i]);
      const bool isZero = exact == 0 && results[i] == 0;  // maximum and minimum don't order zeros
      check.that(isZero || ulps(results[i], exact) <= binary.largestUlp,
                 std::string(binary.name) + "(" + std::to_string(a[i]) + ", " + std::to_string(b[i]) + ") = " +
                     std::to_string(results[i]) + ", want " + std::to_string(exact));
    }
  }
}

const Registration f32{"elementary f32", testF32}, f64{"elementary f64", testF64}, binary{"elementary of two", testBinary};

}  // namespace
}  // namespace talweg::test
