/** Shapes and tensor types: what a tensor is, apart from its numbers. */
import { dtypes, fromBFloat16Bits, type DType, type HostArray } from './dtype.js'

export type Shape = readonly number[]

export interface TensorType<D extends DType = DType> {
  readonly dtype: D
  readonly shape: Shape
}

/** Numbers on the host, row-major. The only form in which data enters or leaves an engine. */
export interface TensorData extends TensorType {
  readonly data: HostArray
}

export function tensorType<D extends DType>(dtype: D, shape: Shape): TensorType<D> {
  return { dtype, shape }
}

export function numElements(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1)
}

export function sizeBytes({ dtype, shape }: TensorType): number {
  return numElements(shape) * dtypes[dtype].sizeBytes
}

/** Row-major strides, in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    strides[dim] = stride
    stride *= shape[dim]
  }
  return strides
}

export function sameShape(left: Shape, right: Shape): boolean {
  return left.length === right.length && left.every((size, dim) => size === right[dim])
}

export function sameType(left: TensorType, right: TensorType): boolean {
  return left.dtype === right.dtype && sameShape(left.shape, right.shape)
}

/** NumPy's broadcasting: the shape of the result, or `undefined` where two sizes differ and neither is 1. */
export function broadcastShapes(left: Shape, right: Shape): number[] | undefined {
  const rank = Math.max(left.length, right.length)
  const result = new Array<number>(rank)
  for (let dim = 0; dim < rank; dim++) {
    const a = left[left.length - rank + dim] ?? 1
    const b = right[right.length - rank + dim] ?? 1
    if (a !== b && a !== 1 && b !== 1) return undefined
    result[dim] = a === 1 ? b : a
  }
  return result
}

/** `f32[8,64]`; a scalar is `f32[]`. */
export function formatType({ dtype, shape }: TensorType): string {
  return `${dtype}[${shape.join(',')}]`
}

/** The dimension counted from 0 for one that may be counted from the end (-1 is the last); undefined if outside. */
export function normalizeDim(dim: number, rank: number): number | undefined {
  const positive = dim < 0 ? dim + rank : dim
  return Number.isInteger(dim) && positive >= 0 && positive < rank ? positive : undefined
}

/** An element as a number; bf16 is held as its bits. */
export function numberAt({ dtype, data }: TensorData, index: number): number {
  return dtype === 'bf16' ? fromBFloat16Bits(data[index]) : data[index]
}

export function tensorData(dtype: DType, shape: Shape, values?: ArrayLike<number>): TensorData {
  const data = dtypes[dtype].allocate(numElements(shape))
  if (values !== undefined) data.set(values)
  return { dtype, shape, data }
}
