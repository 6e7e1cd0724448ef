/** Short ways to write tensors, and random ones that are the same in every run. */
import { dtypes, isFloat, toBFloat16Bits, type DType } from '../../../src/core/dtype.js'
import { hashString, philoxBits } from '../../../src/core/random.js'
import { numElements, type Shape, type TensorData, type TensorType } from '../../../src/core/shape.js'

/** A tensor from numbers; bf16 is rounded to from them. */
export function tensorFrom(dtype: DType, shape: Shape, values: ArrayLike<number>): TensorData {
  const data = dtypes[dtype].allocate(numElements(shape))
  for (let i = 0; i < data.length; i++) data[i] = dtype === 'bf16' ? toBFloat16Bits(values[i]) : values[i]
  return { dtype, shape, data }
}

type Literal = (values: readonly number[], shape?: Shape) => TensorData

const literal =
  (dtype: DType): Literal =>
  (values, shape = [values.length]) =>
    tensorFrom(dtype, shape, values)

/** `f32([1, 2])` is f32[2], `f32([1, 2], [2, 1])` is f32[2,1]. */
export const f64 = literal('f64')
export const f32 = literal('f32')
export const bf16 = literal('bf16')
export const i32 = literal('i32')
export const u32 = literal('u32')
export const u8 = literal('u8')
export const bool = literal('bool')

/** What random numbers are drawn from. */
export interface Range {
  readonly least: number
  readonly most: number
}

export const ranges = {
  /** The common case: both signs, ties and products well within f32. */
  signed: { least: -2, most: 2 },
  positive: { least: 0.1, most: 4 },
  unit: { least: -0.95, most: 0.95 },
} as const satisfies Readonly<Record<string, Range>>

/** Uniform in the range, keyed by `name`; integers and booleans are rounded down, to at least what the type has. */
export function randomTensor(name: string, { dtype, shape }: TensorType, range: Range = ranges.signed): TensorData {
  const bits = philoxBits([hashString(name), 1, 0, 0], numElements(shape))
  if (dtype === 'bool') return tensorFrom(dtype, shape, bits.map((word) => word & 1)) // prettier-ignore
  const least = dtype === 'u8' || dtype === 'u32' ? Math.max(range.least, 0) : range.least
  const draw = (word: number): number => least + (word / 2 ** 32) * (range.most - least)
  const values = Float64Array.from(bits, isFloat(dtype) ? draw : (word) => Math.floor(draw(word)))
  return tensorFrom(dtype, shape, values)
}
