// The kernel library's door: one table of functions for each processor target, and the choice among them.
//
// A plan (shapes, strides, chunking) is made once when a program is loaded, by code for any processor; a kernel is run
// many times with pointers alone. Kernels never allocate, throw or keep state. They use the calling thread's OpenMP
// team (`omp_get_max_threads()`); small work stays on the calling thread: below `serialWork` elementary steps.
// Results depend on the target, never on the number of threads. Every pointer may be unaligned to vectors (only to its
// element); scratch is 64-byte aligned.
#pragma once

#include "attention.h"
#include "linear_model.h"
#include "matmul.h"
#include "movement.h"
#include "normalization.h"
#include "optimizer.h"
#include "random.h"
#include "reduction.h"
#include "types.h"
#include "vector_program.h"

namespace talweg::kernels {

/// Work, in vector operations, under which a kernel doesn't wake the team: a few µs of one core.
constexpr int64_t serialWork = 8 * 1024;

struct KernelTable {
  const char* target;  // "avx512bf16", "avx512", "avx2", "portable"
  RunVectorProgram runVectorProgram;
  RunReduce reduce;
  RunReduceWindow reduceWindow;
  RunMaxPoolGradient maxPoolGradient;
  RunCopy copy;
  RunFill fill;
  RunGather gather;
  RunScatter scatter;
  RunPhilox philox;
  RunSoftmax softmax;
  RunLogSoftmax logSoftmax;
  RunSoftmaxGradient softmaxGradient;
  RunLayerNorm layerNorm;
  RunLayerNormGradient layerNormGradient;
  RunRmsNorm rmsNorm;
  RunRmsNormGradient rmsNormGradient;
  RunBatchNorm batchNorm;
  RunBatchNormGradient batchNormGradient;
  RunBatchNormRelu batchNormRelu;
  RunBatchNormReluGradient batchNormReluGradient;
  RunGelu gelu;
  RunGeluGradient geluGradient;
  RunCrossEntropy crossEntropy;
  RunCrossEntropyGradient crossEntropyGradient;
  RunAttention attention;
  RunAttentionGradient attentionGradient;
  RunLinearGradient linearGradient;
  RunLinearDescent linearDescent;
  RunMatmul matmul;
  RunAdam adam;
};

/// The table for a target by name, or null where it wasn't built or this processor can't run it.
const KernelTable* findKernelTable(const char* target);

/// The best table that this processor can run.
const KernelTable& bestKernelTable();

/// Names of all targets that were built, best first, ended by null.
const char* const* builtTargets();

}  // namespace talweg::kernels
