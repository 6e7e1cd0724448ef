/** Sums, means, extremes: over some dimensions or all. */
import type { DType } from '../core/dtype.js'
import type { ReductionKind } from '../core/operations.js'
import { numElements, type Shape } from '../core/shape.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { add, convert, divide, equal, exp, isFinite, log, square, subtract, where } from './elementwise.js'
import { iota, zeros } from './creation.js'
import { apply, broadcastTo, scalar } from './lift.js'
import { resolveDim } from './movement.js'
import { stopGradient } from './structure.js'

export type Dims = number | readonly number[]

export interface ReduceOptions {
  /** Keep each reduced dimension, with size 1. */
  readonly keepDims?: boolean
}

function resolveDims(operation: string, x: AnyTensor, dims: Dims | undefined): number[] {
  if (dims === undefined) return x.shape.map((_, dim) => dim)
  return (typeof dims === 'number' ? [dims] : dims).map((dim) => resolveDim(operation, x, dim))
}

function reduce<D extends DType>(
  kind: ReductionKind,
  x: Tensor<Shape, D>,
  dims: Dims | undefined,
  { keepDims = false }: ReduceOptions,
): Tensor<Shape, D> {
  const resolved = resolveDims('reduce', x, dims)
  const reduced = apply<'reduce', Shape, D>('reduce', [x], { kind, dims: resolved })
  if (!keepDims) return reduced
  return apply('reshape', [reduced], { shape: x.shape.map((size, dim) => (resolved.includes(dim) ? 1 : size)) })
}

export function sum<D extends DType>(x: Tensor<Shape, D>, dims?: Dims, options: ReduceOptions = {}): Tensor<Shape, D> {
  return reduce('add', x, dims, options)
}

export function product<D extends DType>(
  x: Tensor<Shape, D>,
  dims?: Dims,
  options: ReduceOptions = {},
): Tensor<Shape, D> {
  return reduce('multiply', x, dims, options)
}

export function max<D extends DType>(x: Tensor<Shape, D>, dims?: Dims, options: ReduceOptions = {}): Tensor<Shape, D> {
  return reduce('maximum', x, dims, options)
}

export function min<D extends DType>(x: Tensor<Shape, D>, dims?: Dims, options: ReduceOptions = {}): Tensor<Shape, D> {
  return reduce('minimum', x, dims, options)
}

/** Whether all are true. */
export function all(x: Tensor<Shape, 'bool'>, dims?: Dims, options: ReduceOptions = {}): Tensor<Shape, 'bool'> {
  return reduce('and', x, dims, options)
}

export function any(x: Tensor<Shape, 'bool'>, dims?: Dims, options: ReduceOptions = {}): Tensor<Shape, 'bool'> {
  return reduce('or', x, dims, options)
}

export function mean<D extends DType>(x: Tensor<Shape, D>, dims?: Dims, options: ReduceOptions = {}): Tensor<Shape, D> {
  const count = numElements(resolveDims('mean', x, dims).map((dim) => x.shape[dim]))
  return divide(sum(x, dims, options), count) as AnyTensor as Tensor<Shape, D>
}

/** The mean of the squared distance to the mean (divided by n, not n - 1). */
export function variance<D extends DType>(
  x: Tensor<Shape, D>,
  dims?: Dims,
  options: ReduceOptions = {},
): Tensor<Shape, D> {
  const centred = subtract(x, mean(x, dims, { keepDims: true }) as AnyTensor) as AnyTensor as Tensor<Shape, D>
  return mean(square(centred), dims, options)
}

/** log(sum(exp(x))), by taking out the largest first so that nothing overflows. */
export function logSumExp(x: AnyTensor, dims?: Dims, { keepDims = false }: ReduceOptions = {}): AnyTensor {
  const largest = stopGradient(max(x, dims, { keepDims: true }))
  const shift = where(isFinite(largest), largest, 0)
  const summed = sum(exp(subtract(x, shift)), dims, { keepDims })
  const shiftResult = keepDims ? shift : apply('reshape', [shift], { shape: summed.shape })
  return add(log(summed), shiftResult)
}

/** The place of the largest element along `dim`, the first one where there are several; `i32`. */
export function argmax(x: AnyTensor, dim = -1): Tensor<Shape, 'i32'> {
  const at = resolveDim('argmax', x, dim)
  const isLargest = equal(x, max(x, at, { keepDims: true }) as AnyTensor) as Tensor<Shape, 'bool'>
  const places = iota(x.shape, at)
  const none = broadcastTo(scalar(x.shape[at], 'i32'), x.shape)
  return min(where(isLargest, places, none), at) as Tensor<Shape, 'i32'>
}

/** Number of true elements, as f32. */
export function countTrue(x: Tensor<Shape, 'bool'>, dims?: Dims): Tensor<Shape, 'f32'> {
  return sum(convert(x, 'f32'), dims)
}

/** The sum of squares over all tensors together: its root is the global norm that clipping looks at. */
export function sumOfSquares(tensors: readonly AnyTensor[]): AnyTensor {
  return tensors.reduce(
    (total, tensor) => add(total, sum(square(tensor)) as AnyTensor),
    zeros([], tensors[0]?.dtype ?? 'f32') as AnyTensor,
  )
}
