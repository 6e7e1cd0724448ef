// Activations stay as they lie in memory (channels last), which oneDNN's kernels take; the kernel's layout is left to
// oneDNN, with a reorder at the border: kernels are small, and blocked ones are what its fastest code wants. Where no
// implementation takes the activations as they are, their layout is left to oneDNN too.
#include "onednn/convolution.h"

namespace talweg::onednn {
namespace {

using Layout = dnnl::memory::desc (*)(const View&);

struct Descriptions {
  dnnl::memory::desc input, kernel, output;
};

Descriptions descriptionsOf(const Convolution& convolution, Layout activations) {
  return {activations(convolution.input), anyLayout(convolution.kernel), activations(convolution.output)};
}

dnnl::convolution_forward::primitive_desc forwardOf(const Session& session, const Convolution& c,
                                                    const Descriptions& d) {
  return makeDescription<dnnl::convolution_forward>(
      session.engine, plannedScratchpad(), dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct,
      d.input, d.kernel, d.output, c.strides, c.gaps, c.paddingLow, c.paddingHigh);
}

// A gradient's hint: the forward convolution of one type, for there is none whose kernel alone is f32, as a gradient
// may be.
dnnl::convolution_forward::primitive_desc hintOf(const Session& session, Convolution c, Layout activations) {
  c.input.dtype = c.kernel.dtype = c.output.dtype;
  return forwardOf(session, c, descriptionsOf(c, activations));
}

// The memory that a primitive works on: the view itself where the layouts agree, else scratch memory.
struct Operand {
  const View& view;
  dnnl::memory::desc description;
  void* data;
  bool isReordered;
};

Operand operandOf(Scratch& scratch, const View& view, const dnnl::memory::desc& wanted) {
  const bool isReordered = wanted != describe(view);
  return {view, wanted, isReordered ? scratch.take(wanted.get_size()) : view.data, isReordered};
}

struct Binding {
  int argument;
  Operand operand;
};

// Reorders what is read, runs the primitive, reorders what it wrote.
template <class Description, class Primitive>
Task sequenceOf(const Session& session, Scratch& scratch, const Description& description, const Primitive& primitive,
                const Binding& first, const Binding& second, const Binding& result) {
  if (isReferenceCode(description)) return {};
  auto sequence = std::make_shared<Sequence>(session);
  for (const Binding* read : {&first, &second}) {
    const Operand& operand = read->operand;
    if (operand.isReordered) {
      sequence->addReorder(describe(operand.view), operand.view.data, operand.description, operand.data);
    }
  }
  Prepared& step = sequence->add(primitive);
  for (const Binding* binding : {&first, &second, &result}) {
    step.bind(binding->argument, binding->operand.description, binding->operand.data);
  }
  const std::size_t scratchBytes = description.scratchpad_desc().get_size();
  if (scratchBytes > 0) step.bind(DNNL_ARG_SCRATCHPAD, description.scratchpad_desc(), scratch.take(scratchBytes));
  const Operand& written = result.operand;
  if (written.isReordered) {
    sequence->addReorder(written.description, written.data, describe(written.view), written.view.data);
  }
  return taskOf(sequence);
}

Task withLayouts(const std::function<Task(Layout activations)>& prepare) {
  Task task = ifImplemented([&] { return prepare(describe); });
  return task ? task : ifImplemented([&] { return prepare(anyLayout); });
}

}  // namespace

Task prepareConvolution(const Session& session, Scratch& scratch, const Convolution& c) {
  return withLayouts([&](Layout activations) {
    const auto description = forwardOf(session, c, descriptionsOf(c, activations));
    return sequenceOf(session, scratch, description, dnnl::convolution_forward(description),
                      {DNNL_ARG_SRC, operandOf(scratch, c.input, description.src_desc())},
                      {DNNL_ARG_WEIGHTS, operandOf(scratch, c.kernel, description.weights_desc())},
                      {DNNL_ARG_DST, operandOf(scratch, c.output, description.dst_desc())});
  });
}

Task prepareInputGradient(const Session& session, Scratch& scratch, const Convolution& c) {
  return withLayouts([&](Layout activations) {
    const Descriptions d = descriptionsOf(c, activations);
    const auto description = makeBackwardDescription<dnnl::convolution_backward_data>(
        session.engine, plannedScratchpad(), hintOf(session, c, activations), dnnl::algorithm::convolution_direct,
        d.input, d.kernel, d.output, c.strides, c.gaps, c.paddingLow, c.paddingHigh);
    return sequenceOf(session, scratch, description, dnnl::convolution_backward_data(description),
                      {DNNL_ARG_DIFF_DST, operandOf(scratch, c.output, description.diff_dst_desc())},
                      {DNNL_ARG_WEIGHTS, operandOf(scratch, c.kernel, description.weights_desc())},
                      {DNNL_ARG_DIFF_SRC, operandOf(scratch, c.input, description.diff_src_desc())});
  });
}

Task prepareKernelGradient(const Session& session, Scratch& scratch, const Convolution& c) {
  return withLayouts([&](Layout activations) {
    const Descriptions d = descriptionsOf(c, activations);
    const auto description = makeBackwardDescription<dnnl::convolution_backward_weights>(
        session.engine, plannedScratchpad(), hintOf(session, c, activations), dnnl::algorithm::convolution_direct,
        d.input, d.kernel, d.output, c.strides, c.gaps, c.paddingLow, c.paddingHigh);
    return sequenceOf(session, scratch, description, dnnl::convolution_backward_weights(description),
                      {DNNL_ARG_SRC, operandOf(scratch, c.input, description.src_desc())},
                      {DNNL_ARG_DIFF_DST, operandOf(scratch, c.output, description.diff_dst_desc())},
                      {DNNL_ARG_DIFF_WEIGHTS, operandOf(scratch, c.kernel, description.diff_weights_desc())});
  });
}

}  // namespace talweg::onednn
