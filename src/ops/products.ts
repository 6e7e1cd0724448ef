/** Matrix products in all their forms. */
import type { DType } from '../core/dtype.js'
import { TalwegError } from '../core/errors.js'
import { broadcastShapes, formatType, type Shape } from '../core/shape.js'
import { currentPlace } from '../graph/location.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { apply, broadcastTo } from './lift.js'
import type { CheckMatmul, Matmul, ShapeOf } from './types.js'

export interface DotGeneralOptions {
  readonly leftBatch?: readonly number[]
  readonly rightBatch?: readonly number[]
  readonly leftContracting: readonly number[]
  readonly rightContracting: readonly number[]
  /** Element type of the result; the operands' own where not given. */
  readonly dtype?: DType
}

/** The product in its general form: result dimensions are batch, left's free ones, right's free ones. */
export function dotGeneral(left: AnyTensor, right: AnyTensor, options: DotGeneralOptions): AnyTensor {
  const { leftBatch = [], rightBatch = [], leftContracting, rightContracting, dtype = left.dtype } = options
  return apply('dotGeneral', [left, right], { leftBatch, rightBatch, leftContracting, rightContracting, dtype })
}

/**
 * Matrix product of the last two dimensions, [..., M, K] x [..., K, N] -> [..., M, N]; those before are broadcast.
 * A vector on either side takes part as [K] and its dimension is gone from the result.
 *
 * @example matmul(x, weight) // Tensor<[number, 784]> by Tensor<[784, 10]> gives Tensor<[number, 10]>
 */
export function matmul<A extends AnyTensor, B extends AnyTensor>(
  left: A,
  right: B & CheckMatmul<ShapeOf<A>, B>,
): Tensor<Matmul<ShapeOf<A>, ShapeOf<B>>, A['dtype']> {
  return matmulOf(left, right) as Tensor<Matmul<ShapeOf<A>, ShapeOf<B>>, A['dtype']>
}

function matmulOf(left: AnyTensor, right: AnyTensor): AnyTensor {
  if (left.rank === 0 || right.rank === 0) throw mismatch('a scalar is no matrix', left, right, 'use multiply')
  const leftContracting = [left.rank - 1]
  if (right.rank <= 2)
    return dotGeneral(left, right, { leftContracting, rightContracting: [Math.max(right.rank - 2, 0)] })
  if (left.rank === 1) return batched(apply('reshape', [left], { shape: [1, ...left.shape] }), right, true)
  return batched(left, right, false)
}

function batched(left: AnyTensor, right: AnyTensor, dropRow: boolean): AnyTensor {
  const batch = broadcastShapes(left.shape.slice(0, -2), right.shape.slice(0, -2))
  if (batch === undefined) throw mismatch("leading dimensions don't broadcast", left, right)
  const dims = batch.map((_, dim) => dim)
  const a = broadcastTo(left, [...batch, ...left.shape.slice(-2)])
  const b = broadcastTo(right, [...batch, ...right.shape.slice(-2)])
  const result = dotGeneral(a, b, {
    leftBatch: dims,
    rightBatch: dims,
    leftContracting: [batch.length + 1],
    rightContracting: [batch.length],
  })
  return dropRow ? apply('reshape', [result], { shape: [...batch, right.shape.at(-1)!] }) : result
}

function mismatch(problem: string, left: AnyTensor, right: AnyTensor, hint?: string): TalwegError {
  return new TalwegError({
    code: 'SHAPE_MISMATCH',
    operation: 'matmul',
    problem: `${problem} (left ${formatType(left.type)}, right ${formatType(right.type)})`,
    hint,
    place: currentPlace(),
  })
}

/** Sum of products of two vectors. */
export function dot<D extends DType>(left: Tensor<Shape, D>, right: Tensor<Shape, D>): Tensor<Shape, D> {
  return matmulOf(left, right) as Tensor<Shape, D>
}
