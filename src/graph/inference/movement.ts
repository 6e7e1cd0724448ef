/** Types of operations that move elements without changing them. */
import { normalizeDim, numElements, sameShape, tensorType, type Shape, type TensorType } from '../../core/shape.js'
import type { GatherAttributes, OperationAttributes, ScatterAttributes } from '../../core/operations.js'
import { dtypeMismatch, shapeMismatch } from './failures.js'

export function inferBroadcastInDim(
  types: readonly TensorType[],
  { shape, dims }: OperationAttributes['broadcastInDim'],
): TensorType[] {
  const [operand] = types
  const fits =
    dims.length === operand.shape.length &&
    dims.every((dim, index) => {
      const size = operand.shape[index]
      return (
        normalizeDim(dim, shape.length) === dim && (size === 1 || size === shape[dim]) && dims.indexOf(dim) === index
      )
    })
  if (!fits) throw shapeMismatch('broadcastInDim', `cannot become [${shape}] by dimensions [${dims}]`, types)
  return [tensorType(operand.dtype, shape)]
}

export function inferReshape(types: readonly TensorType[], shape: Shape): TensorType[] {
  const [operand] = types
  const before = numElements(operand.shape)
  const after = numElements(shape)
  if (before !== after || shape.some((size) => size < 0 || !Number.isInteger(size))) {
    throw shapeMismatch('reshape', `${before} elements cannot become [${shape}], which has ${after}`, types)
  }
  return [tensorType(operand.dtype, shape)]
}

export function inferTranspose(types: readonly TensorType[], permutation: readonly number[]): TensorType[] {
  const [operand] = types
  const sorted = [...permutation].sort((a, b) => a - b)
  if (permutation.length !== operand.shape.length || sorted.some((dim, index) => dim !== index)) {
    throw shapeMismatch('transpose', `[${permutation}] is no permutation of ${operand.shape.length} dimensions`, types)
  }
  return [
    tensorType(
      operand.dtype,
      permutation.map((dim) => operand.shape[dim]),
    ),
  ]
}

export function inferSlice(
  types: readonly TensorType[],
  { starts, limits, strides }: OperationAttributes['slice'],
): TensorType[] {
  const [operand] = types
  const rank = operand.shape.length
  const fits =
    starts.length === rank &&
    limits.length === rank &&
    strides.length === rank &&
    operand.shape.every(
      (size, dim) => starts[dim] >= 0 && starts[dim] <= limits[dim] && limits[dim] <= size && strides[dim] >= 1,
    )
  if (!fits) throw shapeMismatch('slice', `[${starts}] to [${limits}] by [${strides}] is not inside`, types)
  return [
    tensorType(
      operand.dtype,
      starts.map((start, dim) => Math.ceil((limits[dim] - start) / strides[dim])),
    ),
  ]
}

export function inferConcatenate(types: readonly TensorType[], dim: number): TensorType[] {
  if (types.length === 0) throw shapeMismatch('concatenate', 'there is nothing to join', types)
  const [first] = types
  for (const type of types) {
    if (type.dtype !== first.dtype)
      throw dtypeMismatch('concatenate', `element types differ: ${first.dtype} and ${type.dtype}`, types)
    const fits =
      type.shape.length === first.shape.length && type.shape.every((size, d) => d === dim || size === first.shape[d])
    if (!fits || normalizeDim(dim, first.shape.length) !== dim) {
      throw shapeMismatch('concatenate', `shapes differ outside dimension ${dim}`, types)
    }
  }
  const total = types.reduce((sum, type) => sum + type.shape[dim], 0)
  return [
    tensorType(
      first.dtype,
      first.shape.map((size, d) => (d === dim ? total : size)),
    ),
  ]
}

export function inferPad(
  types: readonly TensorType[],
  { low, high, interior }: OperationAttributes['pad'],
): TensorType[] {
  const [operand, padding] = types
  if (padding.dtype !== operand.dtype)
    throw dtypeMismatch('pad', `element types differ: ${operand.dtype} and ${padding.dtype}`, types)
  if (padding.shape.length !== 0) throw shapeMismatch('pad', 'the padding value is not a scalar', types)
  const rank = operand.shape.length
  const shape = operand.shape.map((size, dim) => low[dim] + size + Math.max(size - 1, 0) * interior[dim] + high[dim])
  if (low.length !== rank || high.length !== rank || interior.length !== rank || shape.some((size) => size < 0)) {
    throw shapeMismatch('pad', `low [${low}], high [${high}], interior [${interior}] don't fit`, types)
  }
  return [tensorType(operand.dtype, shape)]
}

export function inferReverse(types: readonly TensorType[], dims: readonly number[]): TensorType[] {
  const [operand] = types
  if (dims.some((dim) => normalizeDim(dim, operand.shape.length) !== dim)) {
    throw shapeMismatch('reverse', `dimensions [${dims}] are not all there`, types)
  }
  return [operand]
}

/** The starts' dimensions that are not the index vector: one entry for each slice taken. */
function batchShape(starts: Shape, indexVectorDim: number): number[] {
  return starts.filter((_, dim) => dim !== indexVectorDim)
}

function checkStarts(
  operation: string,
  types: readonly TensorType[],
  indexVectorDim: number,
  numIndices: number,
): void {
  const starts = types[1]
  if (starts.dtype !== 'i32')
    throw dtypeMismatch(operation, `starts are ${starts.dtype}, not i32`, types, 'convert the indices to i32')
  const size = indexVectorDim === starts.shape.length ? 1 : starts.shape[indexVectorDim]
  if (size !== numIndices)
    throw shapeMismatch(operation, `index vectors have ${size} entries, not ${numIndices}`, types)
}

export function inferGather(types: readonly TensorType[], attributes: GatherAttributes): TensorType[] {
  const [operand, starts] = types
  const { offsetDims, collapsedSliceDims, startIndexMap, indexVectorDim, sliceSizes } = attributes
  checkStarts('gather', types, indexVectorDim, startIndexMap.length)
  const fits =
    sliceSizes.length === operand.shape.length &&
    sliceSizes.every((size, dim) => size >= 0 && size <= operand.shape[dim])
  if (!fits) throw shapeMismatch('gather', `slices of [${sliceSizes}] don't fit`, types)
  const batch = batchShape(starts.shape, indexVectorDim)
  const window = sliceSizes.filter((_, dim) => !collapsedSliceDims.includes(dim))
  if (window.length !== offsetDims.length)
    throw shapeMismatch('gather', `${offsetDims.length} offset dimensions for ${window.length} of the slice`, types)
  const rank = batch.length + window.length
  let nextBatch = 0
  const shape = Array.from({ length: rank }, (_, dim) => {
    const offset = offsetDims.indexOf(dim)
    return offset >= 0 ? window[offset] : batch[nextBatch++]
  })
  return [tensorType(operand.dtype, shape)]
}

export function inferScatter(types: readonly TensorType[], attributes: ScatterAttributes): TensorType[] {
  const [operand, starts, updates] = types
  const { updateWindowDims, insertedWindowDims, scatterDimsToOperandDims, indexVectorDim } = attributes
  checkStarts('scatter', types, indexVectorDim, scatterDimsToOperandDims.length)
  if (updates.dtype !== operand.dtype)
    throw dtypeMismatch('scatter', `element types differ: ${operand.dtype} and ${updates.dtype}`, types)
  const batch = batchShape(starts.shape, indexVectorDim)
  const updateBatch = updates.shape.filter((_, dim) => !updateWindowDims.includes(dim))
  const windowDims = operand.shape.map((_, dim) => dim).filter((dim) => !insertedWindowDims.includes(dim))
  const windowFits =
    windowDims.length === updateWindowDims.length &&
    windowDims.every((dim, index) => updates.shape[updateWindowDims[index]] <= operand.shape[dim])
  if (!sameShape(batch, updateBatch) || !windowFits)
    throw shapeMismatch('scatter', `updates don't fit the operand and starts`, types)
  return [operand]
}
