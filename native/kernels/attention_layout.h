// How attention divides its work and its scratch memory: known alike to the plan, which is compiled once, and to the
// kernels, which are compiled for each target.
#pragma once

#include "attention.h"

namespace talweg::kernels {

/// Queries handled at a time: a strip of scores is so many rows high. A multiple of the products' 6 rows.
constexpr int64_t attentionBlockRows = 48;
/// Rows of packed operands are padded to this many elements, the widest target's vector.
constexpr int64_t attentionPadding = 16;

constexpr int64_t attentionPadded(int64_t size) { return (size + attentionPadding - 1) / attentionPadding * attentionPadding; }

/// One thread's scratch memory, in f32 elements from its start.
struct AttentionLayout {
  int64_t headSize, keys;  // padded
  int64_t keysTransposed, valuesTransposed, rowsOfKeys, values;
  int64_t queries, gradients, strip, secondStrip, result;
  int64_t keyGradient, valueGradient;
  int64_t size;
};

constexpr AttentionLayout attentionLayout(const AttentionPlan& plan, bool isGradient) {
  AttentionLayout layout{};
  layout.headSize = attentionPadded(plan.headSize);
  layout.keys = attentionPadded(plan.keys);
  const int64_t transposed = plan.headSize * layout.keys, rows = plan.keys * layout.headSize;
  const int64_t block = attentionBlockRows * layout.headSize, strip = attentionBlockRows * layout.keys;
  const auto take = [&layout](int64_t count) {
    const int64_t start = layout.size;
    layout.size += attentionPadded(count);
    return start;
  };
  layout.keysTransposed = take(transposed);
  layout.queries = take(block);
  layout.strip = take(strip);
  layout.result = take(block);
  if (!isGradient) {
    layout.values = take(rows);
    return layout;
  }
  layout.valuesTransposed = take(transposed);
  layout.rowsOfKeys = take(rows);
  layout.gradients = take(block);
  layout.secondStrip = take(strip);
  layout.keyGradient = take(rows);
  layout.valueGradient = take(rows);
  return layout;
}

}  // namespace talweg::kernels
