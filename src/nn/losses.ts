/**
 * Losses and metrics: means over items that remember how many items there were.
 *
 * A training step may see its batch in parts (micro-batches, workers), and the parts need not weigh the same: targets
 * may be ignored, the last batch of a validation may be short. A `Mean` carries its sum and its weight along, so that
 * whoever joins parts divides the sum of sums by the sum of weights, and gets what one large batch would have given.
 */
import type { DType } from '../core/dtype.js'
import { numElements, type Shape } from '../core/shape.js'
import { checkOptions, ranges } from '../graph/checkOptions.js'
import { Tensor, type AnyTensor } from '../graph/tensor.js'
import { full } from '../ops/creation.js'
import {
  abs,
  convert,
  divide,
  equal,
  less,
  maximum,
  multiply,
  notEqual,
  softplus,
  square,
  subtract,
  where,
} from '../ops/elementwise.js'
import { reshape } from '../ops/movement.js'
import { argmax, countTrue, sum } from '../ops/reductions.js'
import { softmaxCrossEntropy } from '../ops/composites/softmax.js'

/** A scalar that is `total / weight`. Arithmetic on it gives plain tensors, which count as one mean a batch. */
export class Mean extends Tensor<readonly [], 'f32'> {
  readonly total: AnyTensor
  /** `f32` scalar; at least 1 when nothing counts, so that the mean of nothing is 0. */
  readonly weight: AnyTensor

  constructor(total: AnyTensor, weight: AnyTensor) {
    super(divide(total, maximum(weight, 1)).value)
    this.total = total
    this.weight = weight
  }
}

/** The mean of all elements of a tensor, as one that can be joined with others. */
export function meanOf(values: AnyTensor): Mean {
  const count = numElements(values.shape)
  return new Mean(sum(values), full([], count))
}

export interface CrossEntropyLossOptions {
  /** Share of the target's probability spread evenly over all classes. Default 0. */
  readonly labelSmoothing?: number
  /** Targets with this value count nothing: not in the sum, not in the weight. */
  readonly ignoredTarget?: number
}

/**
 * Mean of -log softmax(logits)[target] over all targets that count.
 *
 * @param logits f32 [..., V]
 * @param targets i32 [...]; each in [0, V) or the ignored one
 * @example nn.crossEntropy(model.forward(batch.tokens), batch.targets)
 */
export function crossEntropy(
  logits: AnyTensor,
  targets: Tensor<Shape, 'i32'>,
  options: CrossEntropyLossOptions = {},
): Mean {
  const { labelSmoothing = 0, ignoredTarget } = options
  checkOptions('crossEntropy', { labelSmoothing: [labelSmoothing, ranges.share] })
  const numClasses = logits.shape[logits.rank - 1]
  const rows = reshape(logits, [-1, numClasses])
  const classes = reshape(targets, [rows.shape[0]]) as AnyTensor as Tensor<Shape, 'i32'>
  const losses = softmaxCrossEntropy(rows, classes, { labelSmoothing, ignoredTarget: ignoredTarget ?? null })
  if (ignoredTarget === undefined) return meanOf(losses)
  return new Mean(sum(losses), countTrue(notEqual(classes as AnyTensor, ignoredTarget) as Tensor<Shape, 'bool'>))
}

/** Mean of (prediction - target)². */
export function squaredError(predictions: AnyTensor, targets: AnyTensor): Mean {
  return meanOf(square(subtract(predictions, targets)))
}

/** Mean of Huber's loss: squared half near 0, linear beyond `delta`. Source: P. Huber, 1964. */
export function huber(predictions: AnyTensor, targets: AnyTensor, delta = 1): Mean {
  checkOptions('huber', { delta: [delta, ranges.positive] })
  const size = abs(subtract(predictions, targets))
  const near = multiply(square(size), 0.5)
  const far = multiply(subtract(size, delta / 2), delta)
  return meanOf(where(less(size, delta) as Tensor<Shape, 'bool'>, near, far))
}

/** Mean of -(t log σ(x) + (1 - t) log(1 - σ(x))) from logits x, without overflow: softplus(x) - t x. */
export function binaryCrossEntropy(logits: AnyTensor, targets: AnyTensor): Mean {
  const wanted = convert(targets, logits.dtype as 'f32')
  return meanOf(subtract(softplus(logits), multiply(logits, wanted as AnyTensor)))
}

/** Share of rows whose largest logit is the target's. */
export function accuracy(logits: AnyTensor, targets: Tensor<Shape, 'i32'>): Mean {
  return meanOf(convert(equal(argmax(logits) as AnyTensor, targets) as Tensor<Shape, DType>, 'f32'))
}
