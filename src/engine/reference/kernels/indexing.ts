/**
 * `gather` and `scatter`: windows of a tensor, at places that another tensor gives.
 *
 * Both go over windows and the elements within one. A window that reaches outside is moved inside by `gather` and
 * dropped whole by `scatter`, as XLA does it.
 */
import type { GatherAttributes, ScatterAttributes } from '../../../core/operations.js'
import { contiguousStrides, type Shape } from '../../../core/shape.js'
import { numbersOf, stridedPlaces, type Numbers, type ReferenceTensor } from '../tensor.js'
import type { Kernel, Kernels } from './kernel.js'
import { combiner } from './reductions.js'

function without<T>(list: readonly T[], dims: readonly number[]): T[] {
  return list.filter((_, dim) => !dims.includes(dim))
}

function only<T>(list: readonly T[], dims: readonly number[]): T[] {
  return dims.map((dim) => list[dim])
}

/** The window's place for each index vector in `starts`: one entry for each dimension of the operand. */
function* windowStarts(
  starts: ReferenceTensor,
  indexVectorDim: number,
  toOperandDims: readonly number[],
  rank: number,
) {
  const strides = contiguousStrides(starts.shape)
  const vectors = stridedPlaces(without(starts.shape, [indexVectorDim]), without(strides, [indexVectorDim]))
  const vectorStride = strides[indexVectorDim] ?? 0
  for (const vector of vectors) {
    const start = new Array<number>(rank).fill(0)
    toOperandDims.forEach((dim, k) => (start[dim] = starts.data[vector + k * vectorStride]))
    yield start
  }
}

/**
 * @param whole the tensor that has a dimension for each of the windows' batch and offset dimensions
 * @param windowDims its dimensions that run within a window
 */
function splitPlaces(whole: Shape, windowDims: readonly number[]): { windows: Int32Array; within: Int32Array } {
  const strides = contiguousStrides(whole)
  return {
    windows: stridedPlaces(without(whole, windowDims), without(strides, windowDims)),
    within: stridedPlaces(only(whole, windowDims), only(strides, windowDims)),
  }
}

function gather(
  operand: ReferenceTensor,
  starts: ReferenceTensor,
  attributes: GatherAttributes,
  shape: Shape,
): Numbers {
  const { offsetDims, collapsedSliceDims, startIndexMap, indexVectorDim, sliceSizes } = attributes
  const result = numbersOf({ dtype: operand.dtype, shape })
  const strides = contiguousStrides(operand.shape)
  const to = splitPlaces(shape, offsetDims)
  const from = stridedPlaces(without(sliceSizes, collapsedSliceDims), without(strides, collapsedSliceDims))
  let window = 0
  for (const start of windowStarts(starts, indexVectorDim, startIndexMap, operand.shape.length)) {
    const base = start.reduce((sum, index, dim) => {
      const last = operand.shape[dim] - sliceSizes[dim]
      return sum + Math.min(Math.max(index, 0), last) * strides[dim]
    }, 0)
    for (let i = 0; i < from.length; i++) result[to.windows[window] + to.within[i]] = operand.data[base + from[i]]
    window++
  }
  return result
}

function scatter(
  operand: ReferenceTensor,
  starts: ReferenceTensor,
  updates: ReferenceTensor,
  attributes: ScatterAttributes,
): Numbers {
  const { updateWindowDims, insertedWindowDims, scatterDimsToOperandDims, indexVectorDim, kind } = attributes
  const result = operand.data.slice()
  const combine = kind === 'replace' ? (_: number, update: number) => update : combiner(kind, operand.dtype)
  const rank = operand.shape.length
  const strides = contiguousStrides(operand.shape)
  const from = splitPlaces(updates.shape, updateWindowDims)
  const windowShape = only(updates.shape, updateWindowDims)
  const to = stridedPlaces(windowShape, without(strides, insertedWindowDims))
  const extents = new Array<number>(rank).fill(1)
  without([...extents.keys()], insertedWindowDims).forEach((dim, k) => (extents[dim] = windowShape[k]))
  let window = 0
  for (const start of windowStarts(starts, indexVectorDim, scatterDimsToOperandDims, rank)) {
    const base = start.reduce((sum, index, dim) => sum + index * strides[dim], 0)
    const isInside = start.every((index, dim) => index >= 0 && index + extents[dim] <= operand.shape[dim])
    const numUpdated = isInside ? to.length : 0
    for (let i = 0; i < numUpdated; i++) {
      const place = base + to[i]
      result[place] = combine(result[place], updates.data[from.windows[window] + from.within[i]])
    }
    window++
  }
  return result
}

const gatherKernel: Kernel<'gather'> = ([operand, starts], attributes, [type]) => [
  gather(operand, starts, attributes, type.shape),
]

const scatterKernel: Kernel<'scatter'> = ([operand, starts, updates], attributes) => [
  scatter(operand, starts, updates, attributes),
]

export const indexingKernels: Kernels<'gather' | 'scatter'> = { gather: gatherKernel, scatter: scatterKernel }
