// Vector programs: elementary functions. f32 and bf16 by the vector forms of math.h, f64 by the C library.
#include "math.h"
#include "program_ops.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

namespace {

template <F32 (*function)(F32)>
void vectorUnary(const BlockArguments& a) { mapUnary<float>(a, [](F32 x) { return function(x); }); }
template <double (*function)(double)>
void doubleUnary(const BlockArguments& a) { mapUnaryScalar<double>(a, [](double x) { return function(x); }); }

double rsqrtDouble(double x) { return 1.0 / ::sqrt(x); }
double logisticDouble(double x) {
  const double e = ::exp(-::fabs(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

void powerF32(const BlockArguments& a) { mapBinary<float>(a, [](F32 x, F32 y) { return power(x, y); }); }
void powerF64(const BlockArguments& a) { mapBinaryScalar<double>(a, [](double x, double y) { return ::pow(x, y); }); }
void atan2F32(const BlockArguments& a) { mapBinaryScalar<float>(a, [](float y, float x) { return ::atan2f(y, x); }); }
void atan2F64(const BlockArguments& a) { mapBinaryScalar<double>(a, [](double y, double x) { return ::atan2(y, x); }); }

BlockOperation findF32(Opcode opcode) {
  switch (opcode) {
    case Opcode::exponential: return vectorUnary<exp>;
    case Opcode::exponentialMinusOne: return vectorUnary<expm1>;
    case Opcode::log: return vectorUnary<log>;
    case Opcode::logPlusOne: return vectorUnary<log1p>;
    case Opcode::sqrt: return vectorUnary<sqrt>;
    case Opcode::rsqrt: return vectorUnary<rsqrt>;
    case Opcode::cbrt: return vectorUnary<cbrt>;
    case Opcode::tanh: return vectorUnary<tanh>;
    case Opcode::logistic: return vectorUnary<logistic>;
    case Opcode::sine: return vectorUnary<sine>;
    case Opcode::cosine: return vectorUnary<cosine>;
    case Opcode::floor: return vectorUnary<floor>;
    case Opcode::ceil: return vectorUnary<ceil>;
    case Opcode::roundNearestEven: return vectorUnary<roundEven>;
    case Opcode::erf: return vectorUnary<erf>;
    case Opcode::power: return powerF32;
    case Opcode::atan2: return atan2F32;
    default: return nullptr;
  }
}

BlockOperation findF64(Opcode opcode) {
  switch (opcode) {
    case Opcode::exponential: return doubleUnary<::exp>;
    case Opcode::exponentialMinusOne: return doubleUnary<::expm1>;
    case Opcode::log: return doubleUnary<::log>;
    case Opcode::logPlusOne: return doubleUnary<::log1p>;
    case Opcode::sqrt: return doubleUnary<::sqrt>;
    case Opcode::rsqrt: return doubleUnary<rsqrtDouble>;
    case Opcode::cbrt: return doubleUnary<::cbrt>;
    case Opcode::tanh: return doubleUnary<::tanh>;
    case Opcode::logistic: return doubleUnary<logisticDouble>;
    case Opcode::sine: return doubleUnary<::sin>;
    case Opcode::cosine: return doubleUnary<::cos>;
    case Opcode::floor: return doubleUnary<::floor>;
    case Opcode::ceil: return doubleUnary<::ceil>;
    case Opcode::roundNearestEven: return doubleUnary<::rint>;
    case Opcode::erf: return doubleUnary<::erf>;
    case Opcode::power: return powerF64;
    case Opcode::atan2: return atan2F64;
    default: return nullptr;
  }
}

}  // namespace

BlockOperation findTranscendental(Opcode opcode, DType dtype) {
  if (dtype == DType::f64) return findF64(opcode);
  return dtype == DType::f32 || dtype == DType::bf16 ? findF32(opcode) : nullptr;
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
