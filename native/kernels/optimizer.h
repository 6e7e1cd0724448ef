// Optimisers' updates: every number of a parameter, its gradient and its moments is read once and written once.
#pragma once

#include "types.h"

namespace talweg::kernels {

struct AdamPlan {
  int64_t count;
  float beta1, oneMinusBeta1;
  float beta2, oneMinusBeta2;
  float epsilon;
  float coupledDecay;  // what of the parameter is added to its gradient
};

struct AdamOperands {
  const float *parameter, *gradient, *mean, *variance;
  // One number each.
  const float *kept, *learningRate, *meanCorrection, *varianceCorrection;
  const uint8_t* isFine;  // null: yes; pointing at 0: the results are the old values
};

struct AdamResults {
  float *parameter, *mean, *variance;
};

/// g' = g + coupledDecay p; m' = beta1 m + (1 - beta1) g'; v' = beta2 v + (1 - beta2) g'^2;
/// p' = kept p - learningRate (m' / meanCorrection) / (sqrt(v' / varianceCorrection) + epsilon).
/// A result may be the very memory of any operand of `count` elements.
using RunAdam = void (*)(const AdamPlan& plan, const AdamOperands& operands, const AdamResults& results);

}  // namespace talweg::kernels
