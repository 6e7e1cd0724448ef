// The rules of engine/rules/, one file a family. A rule returns false, having added nothing, where it doesn't take the
// operands; a composite is then built from its decomposition.
#pragma once

#include "engine/builder.h"

namespace talweg::rules {

using Rule = bool (*)(Builder& builder, const Step& step);

// elementwise.cpp: one operation or a group of them, as a vector program.
bool elementwise(Builder& builder, const Step& step);
bool elementwiseGroup(Builder& builder, const Step& step);
bool iota(Builder& builder, const Step& step);

// movement.cpp
bool copy(Builder& builder, const Step& step);
bool broadcastInDim(Builder& builder, const Step& step);
bool transpose(Builder& builder, const Step& step);
bool slice(Builder& builder, const Step& step);
bool concatenate(Builder& builder, const Step& step);
bool pad(Builder& builder, const Step& step);
bool reverse(Builder& builder, const Step& step);

// exchange.cpp
bool allReduce(Builder& builder, const Step& step);
bool allReduceStart(Builder& builder, const Step& step);
bool allReduceDone(Builder& builder, const Step& step);
bool reduceScatter(Builder& builder, const Step& step);
bool allGather(Builder& builder, const Step& step);
bool collectivePermute(Builder& builder, const Step& step);

// indexing.cpp
bool gather(Builder& builder, const Step& step);
bool scatter(Builder& builder, const Step& step);
bool rngBitGenerator(Builder& builder, const Step& step);

// reduction.cpp
bool reduce(Builder& builder, const Step& step);
bool widenedReduce(Builder& builder, const Step& step);
bool reduceWindow(Builder& builder, const Step& step);
bool maxPoolGradient(Builder& builder, const Step& step);

// product.cpp, epilogue.cpp
bool dotGeneral(Builder& builder, const Step& step);
bool dotEpilogue(Builder& builder, const Step& step);

// convolution.cpp
bool convolution(Builder& builder, const Step& step);

// normalization.cpp
bool gelu(Builder& builder, const Step& step);
bool geluGradient(Builder& builder, const Step& step);
bool softmax(Builder& builder, const Step& step);
bool softmaxGradient(Builder& builder, const Step& step);
bool layerNorm(Builder& builder, const Step& step);
bool layerNormGradient(Builder& builder, const Step& step);
bool rmsNorm(Builder& builder, const Step& step);
bool rmsNormGradient(Builder& builder, const Step& step);
bool batchNorm(Builder& builder, const Step& step);
bool batchNormGradient(Builder& builder, const Step& step);
bool softmaxCrossEntropy(Builder& builder, const Step& step);
bool softmaxCrossEntropyGradient(Builder& builder, const Step& step);

// batch_norm_relu.cpp
bool batchNormRelu(Builder& builder, const Step& step);
bool batchNormReluGradient(Builder& builder, const Step& step);

// linear_model.cpp
bool linearGradient(Builder& builder, const Step& step);
bool linearDescent(Builder& builder, const Step& step);

// optimizer.cpp
bool adamUpdate(Builder& builder, const Step& step);

// attention.cpp
bool attention(Builder& builder, const Step& step);
bool attentionGradient(Builder& builder, const Step& step);

}  // namespace talweg::rules
