// Convolutions by oneDNN: forward, and the gradients of input and kernel.
#pragma once

#include "onednn/session.h"

namespace talweg::onednn {

// A convolution in oneDNN's terms. All three views have their dimensions in the order batch, feature, spatial (kernel:
// output feature, input feature, spatial; with groups in front where there are several), whatever their strides.
// Each is f32 or bf16.
struct Convolution {
  View input, kernel, output;
  Dims strides;
  Dims gaps;  // steps between elements of the kernel, less one
  Dims paddingLow, paddingHigh;
};

// Each writes one of the three views from the other two. Empty where oneDNN has no such convolution.
Task prepareConvolution(const Session& session, Scratch& scratch, const Convolution& convolution);
Task prepareInputGradient(const Session& session, Scratch& scratch, const Convolution& convolution);
Task prepareKernelGradient(const Session& session, Scratch& scratch, const Convolution& convolution);

}  // namespace talweg::onednn
