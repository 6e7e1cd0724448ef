// What dotGeneral and dotEpilogue share.
#pragma once

#include "engine/builder.h"
#include "onednn/matmul.h"

namespace talweg::rules {

// Adds result = activation(left x right + bias). `bias`: f32, one for each element of the result's last dimension, or
// null; only for results of f32 or bf16 whose last dimension is the right operand's only free one.
// False, with nothing added, where the bias or activation cannot be had together with the product.
bool addProduct(Builder& builder, const Data& attributes, const View& left, const View& right, const View& result,
                const float* bias, onednn::Activation activation);

}  // namespace talweg::rules
