#include "onednn/pooling.h"

namespace talweg::onednn {
namespace {

PoolingForward::primitive_desc forwardOf(const Session& session, const Pooling& p, dnnl::prop_kind kind) {
  return makeDescription<PoolingForward>(session.engine, plannedScratchpad(), kind, dnnl::algorithm::pooling_max,
                                         describe(p.input), describe(p.output), p.strides, p.window, p.gaps,
                                         p.paddingLow, p.paddingHigh);
}

template <class Description>
void bindScratchpad(Prepared& step, Scratch& scratch, const Description& description) {
  const std::size_t sizeBytes = description.scratchpad_desc().get_size();
  if (sizeBytes > 0) step.bind(DNNL_ARG_SCRATCHPAD, description.scratchpad_desc(), scratch.take(sizeBytes));
}

}  // namespace

Task preparePooling(const Session& session, Scratch& scratch, const Pooling& p) {
  return ifImplemented([&]() -> Task {
    const auto description = forwardOf(session, p, dnnl::prop_kind::forward_inference);
    if (isReferenceCode(description)) return {};
    auto sequence = std::make_shared<Sequence>(session);
    Prepared& step = sequence->add(PoolingForward(description));
    step.bind(DNNL_ARG_SRC, describe(p.input), p.input.data);
    step.bind(DNNL_ARG_DST, describe(p.output), p.output.data);
    bindScratchpad(step, scratch, description);
    return taskOf(sequence);
  });
}

Task preparePoolingGradient(const Session& session, Scratch& scratch, const Pooling& p, const View& outputGradient,
                            const View& inputGradient) {
  return ifImplemented([&]() -> Task {
    auto sequence = std::make_shared<Sequence>(session);
    const auto forward = forwardOf(session, p, dnnl::prop_kind::forward_training);
    const auto description = makeBackwardDescription<PoolingBackward>(
        session.engine, plannedScratchpad(), forward, dnnl::algorithm::pooling_max, describe(inputGradient),
        describe(outputGradient), p.strides, p.window, p.gaps, p.paddingLow, p.paddingHigh);
    if (isReferenceCode(forward) || isReferenceCode(description)) return {};
    const dnnl::memory::desc workspace = description.workspace_desc();
    void* places = scratch.take(workspace.get_size());
    Prepared& again = sequence->add(PoolingForward(forward));
    again.bind(DNNL_ARG_SRC, describe(p.input), p.input.data);
    again.bind(DNNL_ARG_DST, describe(p.output), scratch.take(p.output.sizeBytes()));
    again.bind(DNNL_ARG_WORKSPACE, workspace, places);
    bindScratchpad(again, scratch, forward);
    Prepared& step = sequence->add(PoolingBackward(description));
    step.bind(DNNL_ARG_DIFF_DST, describe(outputGradient), outputGradient.data);
    step.bind(DNNL_ARG_DIFF_SRC, describe(inputGradient), inputGradient.data);
    step.bind(DNNL_ARG_WORKSPACE, workspace, places);
    bindScratchpad(step, scratch, description);
    return taskOf(sequence);
  });
}

}  // namespace talweg::onednn
