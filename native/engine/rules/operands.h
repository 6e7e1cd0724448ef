// What rules ask of operands before they take them: kernels read activations in f32 or bf16, all else in f32.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "core/view.h"

namespace talweg::rules {

inline bool isActivation(const View& view) { return view.dtype == DType::f32 || view.dtype == DType::bf16; }
inline bool isSingle(const View& view) { return view.dtype == DType::f32; }

template <class Test>
bool areAll(Test test, std::initializer_list<const View*> views) {
  return std::all_of(views.begin(), views.end(), [&](const View* view) { return test(*view); });
}

}  // namespace talweg::rules
