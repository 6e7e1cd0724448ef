#include "onednn/matmul.h"

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

// oneDNN 2 has two fast codes for a product: its own first choice, "brg", and "gemm:jit", which packs both operands on
// the way. Which is the faster depends on the form. Measured on Zen 4, two threads (ms, first choice and packing):
//   left transposed (a weight's gradient)           f32 384·2048·1536  12.0 10.9    bf16 50257·512·768  116  97
//   right transposed, few contracted, many columns  f32 2048·384·1536  12.2 11.0    bf16 2048·384·1536  5.7 5.4
//   very many contracted                            f32 512·50257·768   193  174    bf16                101  97
// and packing loses by as much on other forms, by a quarter where rows lie a multiple of a page apart. The choice is by
// form alone, never by a clock, so that the bits are the same from run to run.
bool isBetterPacked(const View& left, const View& right) {
  if (left.rank() != 2) return false;
  const std::int64_t rows = left.shape[0], contracted = left.shape[1], columns = right.shape[1];
  const std::int64_t elementBytes = static_cast<std::int64_t>(sizeOf(left.dtype));
  const bool isLeftTransposed = left.strides[1] != 1, isRightTransposed = right.strides[1] != 1;
  if (isLeftTransposed && isRightTransposed) return false;
  if (isLeftTransposed) {
    constexpr std::int64_t pageBytes = 4096, leastWorkInHalf = 800'000'000;
    if (contracted < 64 || right.strides[0] * elementBytes % pageBytes == 0) return false;
    return left.dtype == DType::f32 || rows * contracted * columns >= leastWorkInHalf;
  }
  if (isRightTransposed) return contracted * elementBytes <= 1536 && columns >= 3 * contracted && rows >= 256;
  return contracted >= 8192;
}

}  // namespace

Task prepareMatmul(const Session& session, Scratch& scratch, const View& left, const View& right, const View& out,
                   const float* bias, Activation activation) {
  return ifImplemented([&]() -> Task {
    dnnl::primitive_attr attributes = plannedScratchpad();
    appendActivation(attributes, activation);
    dnnl::memory::dims biasShape(out.rank(), 1);
    biasShape.back() = out.shape.back();
    const dnnl::memory::desc biasDescription(biasShape, dnnl::memory::data_type::f32, contiguousStrides(biasShape));
    const auto description = [&] {
      const auto from = describe(left), with = describe(right), to = describe(out);
      if (bias != nullptr)
        return makeDescription<dnnl::matmul>(session.engine, attributes, from, with, biasDescription, to);
      return isBetterPacked(left, right)
                 ? makePackingDescription<dnnl::matmul>(session.engine, attributes, from, with, to)
                 : makeDescription<dnnl::matmul>(session.engine, attributes, from, with, to);
    }();
    if (isReferenceCode(description)) return {};
    auto sequence = std::make_shared<Sequence>(session);
    Prepared& product = sequence->add(dnnl::matmul(description));
    product.bind(DNNL_ARG_SRC, describe(left), left.data);
    product.bind(DNNL_ARG_WEIGHTS, describe(right), right.data);
    product.bind(DNNL_ARG_DST, describe(out), out.data);
    if (bias != nullptr) product.bind(DNNL_ARG_BIAS, biasDescription, const_cast<float*>(bias));
    const std::size_t scratchBytes = description.scratchpad_desc().get_size();
    if (scratchBytes > 0) product.bind(DNNL_ARG_SCRATCHPAD, description.scratchpad_desc(), scratch.take(scratchBytes));
    return taskOf(sequence);
  });
}

}  // namespace talweg::onednn
