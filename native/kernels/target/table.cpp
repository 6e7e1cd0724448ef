// This target's table.
#include "vector.h"

#define TALWEG_QUOTE(name) #name
#define TALWEG_NAME_OF(name) TALWEG_QUOTE(name)

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {

void runVectorProgram(const VectorProgramView& program, const void* const* inputs, void* const* outputs);
void reduce(const ReducePlan& plan, const void* source, const void* initial, void* result, void* scratch);
void reduceWindow(const WindowPlan& plan, const void* source, const void* initial, void* result);
void maxPoolGradient(const WindowPlan& plan, const void* source, const void* resultGradient, void* sourceGradient);
void copy(const CopyPlan& plan, const void* source, void* destination);
void fill(int64_t elementBytes, const void* value, int64_t count, void* destination);
void gather(const GatherPlan& plan, const void* operand, const void* indices, void* result);
void scatter(const ScatterPlan& plan, const void* indices, const void* updates, void* result);
void philox(const uint32_t state[4], int64_t count, uint32_t* result);
void softmax(const RowPlan& plan, const void* x, void* y);
void logSoftmax(const RowPlan& plan, const void* x, void* y);
void softmaxGradient(const RowPlan& plan, const void* y, const void* dy, void* dx);
void layerNorm(const RowPlan& plan, const void* x, const float* weight, const float* bias, void* y, float* mean, float* rstd);
void layerNormGradient(const RowPlan& plan, const void* x, const float* weight, const float* mean, const float* rstd,
                       const void* dy, void* dx, float* dweight, float* dbias, void* scratch);
void rmsNorm(const RowPlan& plan, const void* x, const float* weight, void* y, float* rstd);
void rmsNormGradient(const RowPlan& plan, const void* x, const float* weight, const float* rstd, const void* dy, void* dx,
                     float* dweight, void* scratch);
void batchNorm(const RowPlan& plan, const void* x, const float* weight, const float* bias, void* y, float* mean,
               float* variance, float* rstd, void* scratch);
void batchNormGradient(const RowPlan& plan, const void* x, const float* weight, const float* mean, const float* rstd,
                       const void* dy, void* dx, float* dweight, float* dbias, void* scratch);
void batchNormRelu(const BatchNormReluPlan& plan, const void* x, const float* weight, const float* bias, void* y, float* mean,
                   float* variance, void* scratch);
void batchNormReluGradient(const BatchNormReluPlan& plan, const void* dy, const void* x, const float* weight, const float* bias,
                           const float* mean, const float* variance, void* dx, float* dweight, float* dbias, void* scratch);
void gelu(Gelu form, int64_t count, DType inputDType, const void* x, DType outputDType, void* y);
void geluGradient(Gelu form, int64_t count, DType inputDType, const void* x, DType gradientDType, const void* dy,
                  DType resultDType, void* dx);
void crossEntropy(const CrossEntropyPlan& plan, const void* logits, const int32_t* targets, float* losses, float* logSumExp);
void crossEntropyGradient(const CrossEntropyPlan& plan, const void* logits, const int32_t* targets, const float* logSumExp,
                          const float* dlosses, int64_t dlossStride, void* dlogits);
void attention(const AttentionPlan& plan, const void* q, const void* k, const void* v, const void* mask, void* out,
               float* logSumExp, void* scratch);
void attentionGradient(const AttentionPlan& plan, const void* q, const void* k, const void* v, const void* mask,
                       const void* out, const void* dout, const float* logSumExp, void* dq, void* dk, void* dv, void* scratch);
void linearGradient(const LinearModelPlan& plan, const float* features, const void* targets, const float* weights, float intercept,
                    float* loss, float* weightGradient, float* interceptGradient, void* scratch);
void linearDescent(const LinearModelPlan& plan, const float* features, const void* targets, const int32_t* order, const float* rates,
                   const float* weights, float intercept, float* newWeights, float* newIntercept, float* losses, void* scratch);
void matmul(const MatmulPlan& plan, const void* a, const void* b, void* c);
void adam(const AdamPlan& plan, const AdamOperands& operands, const AdamResults& results);

/// In the order of `KernelTable`.
const KernelTable& kernelTable() {
  static const KernelTable table = {
      TALWEG_NAME_OF(TALWEG_TARGET_NAMESPACE),
      runVectorProgram,
      reduce,
      reduceWindow,
      maxPoolGradient,
      copy,
      fill,
      gather,
      scatter,
      philox,
      softmax,
      logSoftmax,
      softmaxGradient,
      layerNorm,
      layerNormGradient,
      rmsNorm,
      rmsNormGradient,
      batchNorm,
      batchNormGradient,
      batchNormRelu,
      batchNormReluGradient,
      gelu,
      geluGradient,
      crossEntropy,
      crossEntropyGradient,
      attention,
      attentionGradient,
      linearGradient,
      linearDescent,
      matmul,
      adam,
  };
  return table;
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
