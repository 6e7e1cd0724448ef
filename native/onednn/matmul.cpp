#include "onednn/matmul.h"

#include <algorithm>

namespace talweg::onednn {
namespace {

void appendActivation(dnnl::primitive_attr& attributes, Activation activation) {
  if (activation == Activation::none) return;
  const auto algorithm = [activation] {
    switch (activation) {
      case Activation::geluTanh:
        return dnnl::algorithm::eltwise_gelu_tanh;
      case Activation::geluErf:
        return dnnl::algorithm::eltwise_gelu_erf;
      case Activation::tanh:
        return dnnl::algorithm::eltwise_tanh;
      default:
        return dnnl::algorithm::eltwise_logistic;
    }
  }();
  dnnl::post_ops operations;
  appendEltwise(operations, algorithm);
  attributes.set_post_ops(operations);
}

// A product's operands and what follows it.
struct Operands {
  View left, right, out;
  const float* bias;
  Activation activation;
};

// Adds the product to `place`, a Sequence or SideBySide; false where oneDNN has only its reference code.
template <class Place>
bool addMatmul(Place& place, const Session& session, Scratch& scratch, const Operands& operands) {
  const auto& [left, right, out, bias, activation] = operands;
  dnnl::primitive_attr attributes = plannedScratchpad();
  appendActivation(attributes, activation);
  dnnl::memory::dims biasShape(out.rank(), 1);
  biasShape.back() = out.shape.back();
  const dnnl::memory::desc biasDescription(biasShape, dnnl::memory::data_type::f32, contiguousStrides(biasShape));
  const auto description =
      bias == nullptr
          ? makeDescription<dnnl::matmul>(session.engine, attributes, describe(left), describe(right), describe(out))
          : makeDescription<dnnl::matmul>(session.engine, attributes, describe(left), describe(right), biasDescription,
                                          describe(out));
  if (isReferenceCode(description)) return false;
  Prepared& product = place.add(dnnl::matmul(description));
  product.bind(DNNL_ARG_SRC, describe(left), left.data);
  product.bind(DNNL_ARG_WEIGHTS, describe(right), right.data);
  product.bind(DNNL_ARG_DST, describe(out), out.data);
  if (bias != nullptr) product.bind(DNNL_ARG_BIAS, biasDescription, const_cast<float*>(bias));
  const std::size_t scratchBytes = description.scratchpad_desc().get_size();
  if (scratchBytes > 0) product.bind(DNNL_ARG_SCRATCHPAD, description.scratchpad_desc(), scratch.take(scratchBytes));
  return true;
}

// A part begins at a multiple of so many rows: a cache line of bf16, where the left operand is transposed.
constexpr std::int64_t rowStep = 32;

// Whether each thread takes rows of its own by a product for one thread, instead of all of them sharing one product.
//
// Measured with two threads, shape by shape: where the left operand is transposed, as in weight gradients, the parts
// take from 2% more to 10% less time than the shared product in f32 (4 to 10% less at the sizes of GPTs); elsewhere
// nothing to 5% less from 256 rows a thread on, and up to 12% more below.
bool isBetterSideBySide(const View& left, const View& out, int numThreads) {
  if (numThreads == 1 || out.rank() != 2 || out.shape[1] < 64) return false;
  const bool isTransposed = left.strides[1] != 1;
  return out.shape[0] / numThreads >= (isTransposed ? 64 : 256);
}

View rowsOf(const View& view, std::int64_t begin, std::int64_t end) {
  View rows = view;
  rows.shape[0] = end - begin;
  rows.data = view.as<char>() + begin * view.strides[0] * static_cast<std::int64_t>(sizeOf(view.dtype));
  return rows;
}

Task prepareSideBySide(const Session& session, Scratch& scratch, const Operands& operands, int numThreads) {
  const SingleThread singleThread;
  auto parts = std::make_shared<SideBySide>(session);
  const std::int64_t numRows = operands.out.shape[0], steps = (numRows + rowStep - 1) / rowStep;
  for (int i = 0; i < numThreads; ++i) {
    const std::int64_t begin = steps * i / numThreads * rowStep;
    const std::int64_t end = std::min(numRows, steps * (i + 1) / numThreads * rowStep);
    Operands part = operands;
    part.left = rowsOf(operands.left, begin, end);
    part.out = rowsOf(operands.out, begin, end);
    if (!addMatmul(*parts, session, scratch, part)) return {};
  }
  return [parts = std::move(parts)] { parts->run(); };
}

}  // namespace

Task prepareMatmul(const Session& session, Scratch& scratch, int numThreads, const View& left, const View& right,
                   const View& out, const float* bias, Activation activation) {
  return ifImplemented([&]() -> Task {
    const Operands operands{left, right, out, bias, activation};
    if (isBetterSideBySide(left, out, numThreads)) return prepareSideBySide(session, scratch, operands, numThreads);
    auto sequence = std::make_shared<Sequence>(session);
    if (!addMatmul(*sequence, session, scratch, operands)) return {};
    return taskOf(sequence);
  });
}

}  // namespace talweg::onednn
