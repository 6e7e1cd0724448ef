/** `reduce` and `reduceWindow`. Elements are combined in row-major order, in double precision. */
import { isFloat, type DType } from '../../../core/dtype.js'
import type { ReductionKind } from '../../../core/operations.js'
import { contiguousStrides } from '../../../core/shape.js'
import { numbersOf, stridedPlaces } from '../tensor.js'
import { elementFunction, integerRange } from './elementwise.js'
import type { Kernel, Kernels } from './kernel.js'
import { windowPlaces } from './windows.js'

export function combiner(kind: ReductionKind, dtype: DType): (x: number, y: number) => number {
  return elementFunction(kind, dtype)
}

/** What a reduction of nothing gives. */
export function identity(kind: ReductionKind, dtype: DType): number {
  const [least, most] = isFloat(dtype) ? [-Infinity, Infinity] : integerRange[dtype]
  const identities: { readonly [K in ReductionKind]: number } = {
    add: 0,
    multiply: 1,
    maximum: least,
    minimum: most,
    and: dtype === 'bool' ? 1 : -1,
    or: 0,
  }
  return identities[kind]
}

/** A walk over the operand along which the result's place stands still in the reduced dimensions. */
const reduce: Kernel<'reduce'> = ([operand], { kind, dims }, [type]) => {
  const result = numbersOf(type).fill(identity(kind, type.dtype))
  const combine = combiner(kind, type.dtype)
  const resultStrides = contiguousStrides(type.shape)
  let next = 0
  const strides = operand.shape.map((_, dim) => (dims.includes(dim) ? 0 : resultStrides[next++]))
  const places = stridedPlaces(operand.shape, strides)
  for (let i = 0; i < places.length; i++) result[places[i]] = combine(result[places[i]], operand.data[i])
  return [result]
}

const reduceWindow: Kernel<'reduceWindow'> = ([operand], attributes, [type]) => {
  const { kind, window, strides, padding, baseDilation, windowDilation } = attributes
  const result = numbersOf(type).fill(identity(kind, type.dtype))
  const combine = combiner(kind, type.dtype)
  const operandStrides = contiguousStrides(operand.shape)
  const { windowSize, places } = windowPlaces(
    operand.shape.map((inputSize, dim) => ({
      inputSize,
      inputStride: operandStrides[dim],
      outputSize: type.shape[dim],
      window: window[dim],
      stride: strides[dim],
      paddingLow: padding[dim][0],
      baseDilation: baseDilation[dim],
      windowDilation: windowDilation[dim],
    })),
  )
  places.forEach((place, i) => {
    const w = Math.floor(i / windowSize)
    if (place >= 0) result[w] = combine(result[w], operand.data[place])
  })
  return [result]
}

export const reductionKernels: Kernels<'reduce' | 'reduceWindow'> = { reduce, reduceWindow }
