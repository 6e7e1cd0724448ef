/**
 * How the reference engine holds numbers: floats of every type as doubles, integers in arrays of their own type (whose
 * stores wrap as the type says), always row-major. And the one device from which nearly every operation is made:
 * the list of places that a strided walk visits.
 */
import { dtypes, fromBFloat16Bits, isFloat, toBFloat16Bits, type DType } from '../../core/dtype.js'
import { numberAt, numElements, type Shape, type TensorData, type TensorType } from '../../core/shape.js'

export type Numbers = Float64Array | Int32Array | Uint32Array | Uint8Array

export interface ReferenceTensor extends TensorType {
  readonly data: Numbers
}

/** Zeros of the array type in which `dtype` is held. */
export function allocateNumbers(dtype: DType, count: number): Numbers {
  return isFloat(dtype) ? new Float64Array(count) : (dtypes[dtype].allocate(count) as Numbers)
}

export function numbersOf(type: TensorType): Numbers {
  return allocateNumbers(type.dtype, numElements(type.shape))
}

/** Elements `[start, start + count)` of host data, as numbers. */
export function fromHost(data: TensorData, start: number, count: number): Numbers {
  const numbers = allocateNumbers(data.dtype, count)
  for (let i = 0; i < count; i++) numbers[i] = numberAt(data, start + i)
  return numbers
}

/** Writes numbers into host data from element `start` on, each rounded to the element type. */
export function toHost(numbers: Numbers, { dtype, data }: TensorData, start: number): void {
  for (let i = 0; i < numbers.length; i++) {
    data[start + i] = dtype === 'bf16' ? toBFloat16Bits(numbers[i]) : numbers[i]
  }
}

/** The nearest number that `dtype` has. */
export function roundTo(dtype: DType, value: number): number {
  if (dtype === 'f32') return Math.fround(value)
  if (dtype === 'bf16') return fromBFloat16Bits(toBFloat16Bits(value))
  return value
}

/**
 * The places that a walk over `shape`, in row-major order, visits: for index (i, j, …) it is
 * `offset + i * strides[0] + j * strides[1] + …`.
 */
export function stridedPlaces(shape: Shape, strides: readonly number[], offset = 0): Int32Array {
  let places = Int32Array.of(offset)
  shape.forEach((size, dim) => {
    const finer = new Int32Array(places.length * size)
    for (let p = 0; p < places.length; p++) {
      for (let i = 0; i < size; i++) finer[p * size + i] = places[p] + i * strides[dim]
    }
    places = finer
  })
  return places
}

/** The elements of `data` at `places`. */
export function pick(dtype: DType, data: Numbers, places: Int32Array): Numbers {
  const picked = allocateNumbers(dtype, places.length)
  for (let i = 0; i < places.length; i++) picked[i] = data[places[i]]
  return picked
}
