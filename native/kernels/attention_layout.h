// How attention divides its work and its scratch memory: known alike to the plan, which is compiled once, and to the
// kernels, which are compiled for each target.
//
// Everything is counted in units of four bytes: an f32, or a pair of bf16 that a dot-product instruction takes at once.
#pragma once

#include "attention.h"

namespace talweg::kernels {

/// Queries handled at a time: strips of scores are so many rows high. A multiple of the products' rows and of pairs.
constexpr int64_t attentionBlockRows = 96;
/// Keys handled at a time: strips are at most so wide, so that they stay in the second-level cache.
constexpr int64_t attentionForwardKeys = 1024, attentionGradientKeys = 256;
/// Packed operands are padded to this: a panel of keys, and the widest target's vectors.
constexpr int64_t attentionPanelKeys = 64, attentionPadding = 16;

constexpr int64_t attentionRoundUp(int64_t size, int64_t multiple) { return (size + multiple - 1) / multiple * multiple; }

/// One thread's scratch memory, in units from its start. What a pass or a dtype doesn't need has no place.
struct AttentionLayout {
  int64_t width;       // head size, padded
  int64_t keys;        // padded to whole panels
  int64_t stripWidth;  // keys of a strip
  // Of a head, packed once.
  int64_t keysTransposed, valuesTransposed, keyRows, values;
  int64_t keyGradient, valueGradient;
  // Of a block of queries.
  int64_t queries, gradients, queryPairs, gradientPairs;
  int64_t scores, products, probabilities, probabilityPairs, scoreGradients, scoreGradientPairs;
  int64_t result;
  int64_t size;
};

constexpr AttentionLayout attentionLayout(const AttentionPlan& plan, bool isGradient) {
  AttentionLayout layout{};
  layout.width = attentionRoundUp(plan.headSize, attentionPadding);
  layout.keys = attentionRoundUp(plan.keys, attentionPanelKeys);
  const int64_t tile = isGradient ? attentionGradientKeys : attentionForwardKeys;
  layout.stripWidth = layout.keys < tile ? layout.keys : tile;
  const int64_t head = layout.keys * layout.width, block = attentionBlockRows * layout.width;
  // A little wider than the keys, so that rows don't lie a power of two apart and compete for the same lines of the cache.
  layout.stripWidth += attentionPadding;
  const int64_t strip = attentionBlockRows * layout.stripWidth;
  const auto take = [&layout](int64_t count) {
    const int64_t start = layout.size;
    layout.size += attentionRoundUp(count, attentionPadding);
    return start;
  };
  const bool isPaired = plan.dtype == DType::bf16;
  layout.keysTransposed = take(head);
  layout.queries = take(block);
  layout.scores = take(strip);
  layout.result = take(block);
  if (!isGradient) {
    layout.values = take(head);
    layout.probabilities = isPaired ? take(strip) : layout.scores;
    return layout;
  }
  layout.valuesTransposed = take(head);
  layout.keyRows = take(head);
  layout.keyGradient = take(head);
  layout.valueGradient = take(head);
  layout.gradients = take(block);
  layout.products = take(strip);
  layout.queryPairs = isPaired ? take(block) : layout.queries;
  layout.gradientPairs = isPaired ? take(block) : layout.gradients;
  layout.probabilityPairs = isPaired ? take(strip) : layout.scores;
  layout.scoreGradients = isPaired ? take(strip) : layout.products;
  layout.scoreGradientPairs = isPaired ? take(strip) : layout.products;
  return layout;
}

}  // namespace talweg::kernels
