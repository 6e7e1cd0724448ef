// Max pooling by oneDNN, over f32 or bf16 activations in the order batch, feature, spatial, whatever their strides.
#pragma once

#include "onednn/session.h"

namespace talweg::onednn {

struct Pooling {
  View input, output;
  Dims window, strides;
  Dims gaps;  // steps between elements of the window, less one
  Dims paddingLow, paddingHigh;
};

// output from input. Empty where oneDNN has no such pooling.
Task preparePooling(const Session& session, Scratch& scratch, const Pooling& pooling);

// inputGradient from outputGradient and the input, whose pooling is done again: of equal elements the first one gets
// the gradient.
Task preparePoolingGradient(const Session& session, Scratch& scratch, const Pooling& pooling,
                            const View& outputGradient, const View& inputGradient);

}  // namespace talweg::onednn
