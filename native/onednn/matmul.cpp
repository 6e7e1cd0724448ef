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

}  // namespace

Task prepareMatmul(const Session& session, Scratch& scratch, const View& left, const View& right, const View& out,
                   const float* bias, Activation activation) {
  return ifImplemented([&]() -> Task {
    dnnl::primitive_attr attributes = plannedScratchpad();
    appendActivation(attributes, activation);
    dnnl::memory::dims biasShape(out.rank(), 1);
    biasShape.back() = out.shape.back();
    const dnnl::memory::desc biasDescription(biasShape, dnnl::memory::data_type::f32, contiguousStrides(biasShape));
    const auto description =
        bias == nullptr
            ? makeDescription<dnnl::matmul>(session.engine, attributes, describe(left), describe(right), describe(out))
            : makeDescription<dnnl::matmul>(session.engine, attributes, describe(left), describe(right),
                                            biasDescription, describe(out));
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
