// Optimisers' updates.
#include "engine/rules.h"

namespace talweg::rules {

// Operands: parameter, gradient, mean, variance, then scalars: what is kept, learning rate, corrections of mean and
// variance, and a condition where guarded. Results: parameter, mean, variance.
bool adamUpdate(Builder& builder, const Step& step) {
  const bool isGuarded = step.attributes["guarded"].boolean();
  for (int i = 0; i < 8; ++i) {
    if (step.inputs[i].dtype != DType::f32) return false;
  }
  const auto number = [&](const char* name) { return step.attributes[name].number(); };
  const double beta1 = number("beta1"), beta2 = number("beta2");
  kernels::AdamPlan plan{step.outputs[0].numElements(),
                         static_cast<float>(beta1),
                         static_cast<float>(1 - beta1),
                         static_cast<float>(beta2),
                         static_cast<float>(1 - beta2),
                         static_cast<float>(number("epsilon")),
                         static_cast<float>(number("coupledDecay"))};
  const float* from[8];
  for (int i = 0; i < 8; ++i) from[i] = builder.dense(step.inputs[i]).as<const float>();
  const std::uint8_t* isFine = isGuarded ? step.inputs[8].as<const std::uint8_t>() : nullptr;
  const kernels::AdamOperands operands{from[0], from[1], from[2], from[3], from[4], from[5], from[6], from[7], isFine};
  const kernels::AdamResults results{step.outputs[0].as<float>(), step.outputs[1].as<float>(),
                                     step.outputs[2].as<float>()};
  builder.add([run = builder.kernels.adam, plan, operands, results] { run(plan, operands, results); });
  return true;
}

}  // namespace talweg::rules
