/** Softmax over the last dimension, and cross-entropy straight from logits. */
import type { DType } from '../../core/dtype.js'
import type { Shape } from '../../core/shape.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { add, convert, divide, equal, exp, multiply, notEqual, subtract, where } from '../elementwise.js'
import { oneHot, takeAlongLast } from '../indexing.js'
import { expandDim } from '../movement.js'
import { logSumExp, max, mean, sum } from '../reductions.js'
import { composite } from '../structure.js'

/** exp(x - max) / sum(exp(x - max)) over the last dimension. */
export function softmax<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  const [result] = composite('softmax', {}, [x], (input) => {
    const exponentials = exp(subtract(input, max(input, -1, { keepDims: true })))
    return [divide(exponentials, sum(exponentials, -1, { keepDims: true }))]
  })
  return result as Tensor<S, D>
}

/** dx = y (dy - sum(y dy)) */
export function softmaxGradient(dy: AnyTensor, y: AnyTensor): AnyTensor {
  const [result] = composite('softmaxGradient', {}, [dy, y], (outer, output) => [
    multiply(output, subtract(outer, sum(multiply(output, outer), -1, { keepDims: true }))),
  ])
  return result
}

/** x - log(sum(exp(x))) over the last dimension. */
export function logSoftmax<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return subtract(x as AnyTensor, logSumExp(x, -1, { keepDims: true })) as AnyTensor as Tensor<S, D>
}

export interface CrossEntropyOptions {
  /** Share of the target's probability that is spread evenly over all classes. */
  readonly labelSmoothing: number
  /** Targets with this value count nothing. */
  readonly ignoredTarget: number | null
}

/**
 * -log softmax(logits)[target], row by row.
 *
 * @param logits [N, V]
 * @param targets i32 [N]
 * @returns losses [N], 0 where ignored
 */
export function softmaxCrossEntropy(
  logits: AnyTensor,
  targets: Tensor<Shape, 'i32'>,
  options: CrossEntropyOptions,
): AnyTensor {
  const { labelSmoothing, ignoredTarget } = options
  const [losses] = composite('softmaxCrossEntropy', { labelSmoothing, ignoredTarget }, [logits, targets], (x, rows) => {
    const target = rows as Tensor<Shape, 'i32'>
    const total = logSumExp(x, -1)
    const hit = multiply(takeAlongLast(x, target), 1 - labelSmoothing)
    const aim = labelSmoothing === 0 ? hit : add(hit, multiply(mean(x, -1), labelSmoothing))
    const loss = subtract(total, aim)
    return [ignoredTarget === null ? loss : where(notEqual(target, ignoredTarget), loss, 0), total]
  })
  return losses
}

/** dlogits = dloss (softmax(logits) - (1 - s) oneHot(target) - s / V), 0 where ignored. */
export function softmaxCrossEntropyGradient(
  dlosses: AnyTensor,
  logits: AnyTensor,
  targets: AnyTensor,
  total: AnyTensor,
  options: CrossEntropyOptions,
): AnyTensor {
  // prettier-ignore
  const { labelSmoothing, ignoredTarget } = options
  const inputs = [dlosses, logits, targets, total]
  const [result] = composite(
    'softmaxCrossEntropyGradient',
    { labelSmoothing, ignoredTarget },
    inputs,
    (outer, x, rows, sums) => {
      const target = rows as Tensor<Shape, 'i32'>
      const numClasses = x.shape[x.rank - 1]
      const probability = exp(subtract(x, expandDim(sums, -1)))
      const aim = multiply(oneHot(target, numClasses, x.dtype), 1 - labelSmoothing)
      const difference = subtract(subtract(probability, aim), labelSmoothing / numClasses)
      const weight = ignoredTarget === null ? outer : where(equal(target, ignoredTarget), 0, outer)
      return [convert(multiply(difference, expandDim(weight, -1)), x.dtype)]
    },
  )
  return result
}
