/** Picking elements by place: rows of a table, one element of each row, one-hot codes. */
import type { DType } from '../core/dtype.js'
import { TalwegError } from '../core/errors.js'
import { formatType, numElements, type Shape } from '../core/shape.js'
import { currentPlace } from '../graph/location.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { add, convert, equal, lessEqual, multiply } from './elementwise.js'
import { concatenate, expandDim, reshape, slice } from './movement.js'
import { iota } from './creation.js'
import { apply } from './lift.js'

/**
 * Slices of `x` along dimension 0, one for each index: [N, ...rest] by indices [...batch] gives [...batch, ...rest].
 * An index out of range is clamped, as StableHLO's `gather` does.
 */
export function takeRows<D extends DType>(x: Tensor<Shape, D>, indices: Tensor<Shape, 'i32'>): Tensor<Shape, D> {
  const rest = x.shape.slice(1)
  return apply('gather', [x, indices], {
    offsetDims: rest.map((_, dim) => indices.rank + dim),
    collapsedSliceDims: [0],
    startIndexMap: [0],
    indexVectorDim: indices.rank,
    sliceSizes: [1, ...rest],
  })
}

/** Of each row, the places that are named: x [B, T, ...rest] by places [B, P] gives [B, P, ...rest]. */
export function takePlaces<D extends DType>(x: Tensor<Shape, D>, places: Tensor<Shape, 'i32'>): Tensor<Shape, D> {
  const [numRows, length, ...rest] = x.shape
  if (places.rank !== 2 || places.shape[0] !== numRows)
    throw new TalwegError({
      code: 'SHAPE_MISMATCH',
      operation: 'takePlaces',
      problem: `places is ${formatType(places.type)}, and there are ${numRows} rows`,
      hint: `give i32[${numRows}, P]`,
      place: currentPlace(),
    })
  const starts = multiply(iota(places.shape, 0) as AnyTensor, length)
  const flat = add(places as AnyTensor, starts) as AnyTensor as Tensor<Shape, 'i32'>
  return takeRows(reshape(x, [numRows * length, ...rest]), flat)
}

/** Of each row of the last dimension, the element at its index: x [..., N], indices [...] gives [...]. */
export function takeAlongLast<D extends DType>(x: Tensor<Shape, D>, indices: Tensor<Shape, 'i32'>): Tensor<Shape, D> {
  const numRows = numElements(indices.shape)
  const rows = reshape(x, [numRows, x.shape[x.rank - 1]])
  // A gather's slices must fit in its operand, and nothing fits where there is no row.
  if (numRows === 0) return reshape(slice(rows, [0, 0], [0, 0]), indices.shape) as AnyTensor as Tensor<Shape, D>
  const starts = concatenate(
    [iota([numRows, 1]) as AnyTensor, expandDim(reshape(indices, [numRows]), 1) as AnyTensor],
    1,
  )
  const taken = apply('gather', [rows, starts], {
    offsetDims: [],
    collapsedSliceDims: [0, 1],
    startIndexMap: [0, 1],
    indexVectorDim: 1,
    sliceSizes: [1, 1],
  })
  return reshape(taken, indices.shape) as Tensor<Shape, D>
}

/** 1 where the class is, 0 elsewhere, along a new last dimension. A class out of range gives zeros. */
export function oneHot<D extends DType = 'f32'>(
  indices: Tensor<Shape, 'i32'>,
  numClasses: number,
  dtype: D = 'f32' as D,
): Tensor<Shape, D> {
  const shape = [...indices.shape, numClasses]
  const classes = iota(shape, indices.rank) as AnyTensor
  return convert(equal(expandDim(indices, -1) as AnyTensor, classes) as Tensor<Shape, 'bool'>, dtype)
}

/** Adds `updates` [...batch, ...rest] to the rows of `x` that `indices` [...batch] name; out of range are dropped. */
export function addToRows<D extends DType>(
  x: Tensor<Shape, D>,
  indices: Tensor<Shape, 'i32'>,
  updates: Tensor<Shape, D>,
): Tensor<Shape, D> {
  return apply('scatter', [x, indices, updates], {
    updateWindowDims: x.shape.slice(1).map((_, dim) => indices.rank + dim),
    insertedWindowDims: [0],
    scatterDimsToOperandDims: [0],
    indexVectorDim: indices.rank,
    kind: 'add',
  })
}

/** Whether row r of a [rows, columns] table may look at column c: c <= r + offset. */
export function lowerTriangle(rows: number, columns: number, offset = 0): Tensor<Shape, 'bool'> {
  const shape: Shape = [rows, columns]
  return lessEqual(iota(shape, 1) as AnyTensor, add(iota(shape, 0), offset) as AnyTensor) as Tensor<Shape, 'bool'>
}
