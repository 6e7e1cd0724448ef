// A plain batched product, blocked and deterministic, for the dtypes that oneDNN has no product for.
#pragma once

#include "types.h"

namespace talweg::kernels {

/// c[b,m,n] = sum_k a[b,m,k] b[b,k,n]. Any strides, in elements; c is row-major per batch. f64, f32, i32, u32, u8 (which
/// wrap), bool (or of ands); bf16 sums in f32.
struct MatmulPlan {
  DType dtype;
  int64_t batch, m, n, k;
  int64_t aBatchStride, aRowStride, aColumnStride;  // a[b, m, k]
  int64_t bBatchStride, bRowStride, bColumnStride;  // b[b, k, n]
};

using RunMatmul = void (*)(const MatmulPlan& plan, const void* a, const void* b, void* c);

}  // namespace talweg::kernels
