/** Operations that move elements without changing them: each is a strided walk over the operand or over the result. */
import { contiguousStrides, numElements } from '../../../core/shape.js'
import { numbersOf, pick, stridedPlaces } from '../tensor.js'
import type { Kernel, Kernels } from './kernel.js'

type MovementOperation = 'broadcastInDim' | 'reshape' | 'transpose' | 'slice' | 'concatenate' | 'pad' | 'reverse'

/** Result dimension `dims[i]` walks along operand dimension `i`, or stays where that has one element; the others stay. */
const broadcastInDim: Kernel<'broadcastInDim'> = ([operand], { dims }, [type]) => {
  const operandStrides = contiguousStrides(operand.shape)
  const strides = type.shape.map((_, dim) => {
    const from = dims.indexOf(dim)
    return from < 0 || operand.shape[from] === 1 ? 0 : operandStrides[from]
  })
  return [pick(type.dtype, operand.data, stridedPlaces(type.shape, strides))]
}

const transpose: Kernel<'transpose'> = ([operand], { permutation }, [type]) => {
  const operandStrides = contiguousStrides(operand.shape)
  const strides = permutation.map((dim) => operandStrides[dim])
  return [pick(type.dtype, operand.data, stridedPlaces(type.shape, strides))]
}

const slice: Kernel<'slice'> = ([operand], { starts, strides }, [type]) => {
  const operandStrides = contiguousStrides(operand.shape)
  const offset = starts.reduce((sum, start, dim) => sum + start * operandStrides[dim], 0)
  const steps = strides.map((stride, dim) => stride * operandStrides[dim])
  return [pick(type.dtype, operand.data, stridedPlaces(type.shape, steps, offset))]
}

const reverse: Kernel<'reverse'> = ([operand], { dims }, [type]) => {
  const forward = contiguousStrides(operand.shape)
  const strides = forward.map((stride, dim) => (dims.includes(dim) ? -stride : stride))
  const last = dims.reduce((sum, dim) => sum + (operand.shape[dim] - 1) * forward[dim], 0)
  return [pick(type.dtype, operand.data, stridedPlaces(type.shape, strides, last))]
}

const concatenate: Kernel<'concatenate'> = (operands, { dim }, [type]) => {
  const result = numbersOf(type)
  const strides = contiguousStrides(type.shape)
  let start = 0
  for (const { shape, data } of operands) {
    stridedPlaces(shape, strides, start * strides[dim]).forEach((place, i) => void (result[place] = data[i]))
    start += shape[dim]
  }
  return [result]
}

/** Element `i` of a dimension goes to `low + i * (interior + 1)`, unless that is outside. */
const pad: Kernel<'pad'> = ([operand, padding], { low, interior }, [type]) => {
  const result = numbersOf(type).fill(padding.data[0])
  const rank = operand.shape.length
  const operandStrides = contiguousStrides(operand.shape)
  const resultStrides = contiguousStrides(type.shape)
  for (let i = 0; i < numElements(operand.shape); i++) {
    let place = 0
    let isInside = true
    for (let dim = 0; dim < rank; dim++) {
      const index = Math.floor(i / operandStrides[dim]) % operand.shape[dim]
      const target = low[dim] + index * (interior[dim] + 1)
      isInside &&= target >= 0 && target < type.shape[dim]
      place += target * resultStrides[dim]
    }
    if (isInside) result[place] = operand.data[i]
  }
  return [result]
}

export const movementKernels: Kernels<MovementOperation> = {
  broadcastInDim,
  reshape: ([operand]) => [operand.data],
  transpose,
  slice,
  concatenate,
  pad,
  reverse,
}
