// Checks attention's plans and says what scratch memory they want.
#include <stdexcept>
#include <string>

#include "../attention_layout.h"

namespace talweg::kernels {
namespace {

void check(const AttentionPlan& plan) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(std::string("attention: ") + what);
  };
  require(plan.dtype == DType::f32 || plan.dtype == DType::bf16, "operands must be f32 or bf16");
  require(plan.batch >= 0 && plan.queries >= 0 && plan.keys >= 0 && plan.headSize >= 1, "a size makes no sense");
  require(plan.keyHeads >= 1 && plan.heads % plan.keyHeads == 0, "key heads must divide the heads");
  require(plan.numThreads >= 1, "there must be a thread");
}

}  // namespace

int64_t attentionScratchBytes(const AttentionPlan& plan) {
  check(plan);
  return attentionLayout(plan, false).size * static_cast<int64_t>(sizeof(float)) * plan.numThreads;
}

int64_t attentionGradientScratchBytes(const AttentionPlan& plan) {
  check(plan);
  return attentionLayout(plan, true).size * static_cast<int64_t>(sizeof(float)) * plan.numThreads;
}

}  // namespace talweg::kernels
