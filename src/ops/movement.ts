/** Moving elements: reshaping, transposing, cutting, joining, padding. */
import type { DType } from '../core/dtype.js'
import { TalwegError } from '../core/errors.js'
import { formatType, normalizeDim, numElements, type Shape } from '../core/shape.js'
import { currentPlace } from '../graph/location.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { apply, broadcastTo as broadcastValue, scalar } from './lift.js'

/** The dimension counted from 0; throws `SHAPE_MISMATCH` where there is no such one. */
export function resolveDim(operation: string, x: AnyTensor, dim: number): number {
  const resolved = normalizeDim(dim, x.rank)
  if (resolved !== undefined) return resolved
  throw new TalwegError({
    code: 'SHAPE_MISMATCH',
    operation,
    problem: `there is no dimension ${dim} in ${formatType(x.type)}`,
    hint: x.rank === 0 ? 'a scalar has no dimensions' : `dimensions are ${-x.rank} to ${x.rank - 1}`,
    place: currentPlace(),
  })
}

/** The same elements, row-major, in another shape; one size may be -1 and is then computed. */
export function reshape<const S extends Shape, D extends DType>(
  x: Tensor<Shape, D>,
  shape: S,
): Tensor<WithoutMinusOne<S>, D> {
  const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1)
  const resolved = shape.map((size) => (size === -1 ? numElements(x.shape) / known : size))
  return apply('reshape', [x], { shape: resolved })
}

type WithoutMinusOne<S extends Shape> = { readonly [I in keyof S]: S[I] extends -1 ? number : S[I] }

/** Result dimension i is x's dimension `permutation[i]`; by default the dimensions are reversed. */
export function transpose<D extends DType>(x: Tensor<Shape, D>, permutation?: readonly number[]): Tensor<Shape, D> {
  const order = permutation ?? x.shape.map((_, dim) => x.rank - 1 - dim)
  return apply('transpose', [x], { permutation: order.map((dim) => resolveDim('transpose', x, dim)) })
}

/** Exchanges two dimensions. */
export function swapDims<D extends DType>(x: Tensor<Shape, D>, first: number, second: number): Tensor<Shape, D> {
  const [a, b] = [resolveDim('swapDims', x, first), resolveDim('swapDims', x, second)]
  return transpose(
    x,
    x.shape.map((_, dim) => (dim === a ? b : dim === b ? a : dim)),
  )
}

export function broadcastTo<const S extends Shape, D extends DType>(x: Tensor<Shape, D>, shape: S): Tensor<S, D> {
  return broadcastValue(x, shape) as Tensor<S, D>
}

/** Elements `starts` (included) to `limits` (not), every `strides`-th, in each dimension. */
export function slice<D extends DType>(
  x: Tensor<Shape, D>,
  starts: readonly number[],
  limits: readonly number[],
  strides: readonly number[] = starts.map(() => 1),
): Tensor<Shape, D> {
  return apply('slice', [x], { starts, limits, strides })
}

/** Elements `start` to `limit` of one dimension; both may be counted from the end. */
export function sliceDim<D extends DType>(
  x: Tensor<Shape, D>,
  dim: number,
  start: number,
  limit: number = x.shape[resolveDim('sliceDim', x, dim)],
): Tensor<Shape, D> {
  const at = resolveDim('sliceDim', x, dim)
  const fromStart = (place: number): number => (place < 0 ? place + x.shape[at] : place)
  const starts = x.shape.map((_, d) => (d === at ? fromStart(start) : 0))
  const limits = x.shape.map((size, d) => (d === at ? fromStart(limit) : size))
  return slice(x, starts, limits)
}

/** Equal parts along a dimension. */
export function split<D extends DType>(x: Tensor<Shape, D>, numParts: number, dim = -1): Tensor<Shape, D>[] {
  const at = resolveDim('split', x, dim)
  const size = x.shape[at]
  if (size % numParts !== 0) {
    throw new TalwegError({
      code: 'SHAPE_MISMATCH',
      operation: 'split',
      problem: `dimension ${at} of ${formatType(x.type)} is ${size}, which is not divisible by ${numParts}`,
      place: currentPlace(),
    })
  }
  const part = size / numParts
  return Array.from({ length: numParts }, (_, index) => sliceDim(x, at, index * part, (index + 1) * part))
}

export function concatenate<D extends DType>(parts: readonly Tensor<Shape, D>[], dim = 0): Tensor<Shape, D> {
  return apply('concatenate', parts, { dim: resolveDim('concatenate', parts[0], dim) })
}

/** A new dimension of size 1 at `dim` (of the result). */
export function expandDim<D extends DType>(x: Tensor<Shape, D>, dim: number): Tensor<Shape, D> {
  const at = normalizeDim(dim, x.rank + 1) ?? resolveDim('expandDim', x, dim)
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)])
}

/** Joins along a new dimension. */
export function stack<D extends DType>(parts: readonly Tensor<Shape, D>[], dim = 0): Tensor<Shape, D> {
  return concatenate(
    parts.map((part) => expandDim(part, dim)),
    dim,
  )
}

/** Removes a dimension of size 1. */
export function squeezeDim<D extends DType>(x: Tensor<Shape, D>, dim: number): Tensor<Shape, D> {
  const at = resolveDim('squeezeDim', x, dim)
  return reshape(
    x,
    x.shape.filter((_, d) => d !== at),
  )
}

/** All dimensions from `from` on made one. */
export function flatten<D extends DType>(x: Tensor<Shape, D>, from = 0): Tensor<Shape, D> {
  const at = from === 0 ? 0 : resolveDim('flatten', x, from)
  return reshape(x, [...x.shape.slice(0, at), numElements(x.shape.slice(at))])
}

/** Adds `low` elements of `value` before and `high` after, in each dimension; negative numbers cut. */
export function pad<D extends DType>(
  x: Tensor<Shape, D>,
  low: readonly number[],
  high: readonly number[],
  value: number = 0,
  interior: readonly number[] = low.map(() => 0),
): Tensor<Shape, D> {
  return apply('pad', [x, scalar(value, x.dtype)], { low, high, interior })
}

export function reverse<D extends DType>(x: Tensor<Shape, D>, dims: readonly number[]): Tensor<Shape, D> {
  return apply('reverse', [x], { dims: dims.map((dim) => resolveDim('reverse', x, dim)) })
}
