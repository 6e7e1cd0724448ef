/** How far apart XLA's numbers and the expected ones are. */
import { fromBFloat16Bits, type DType } from '../../src/core/dtype.js'
import { formatType, tensorType, type TensorData } from '../../src/core/shape.js'

const allowedError: { readonly [D in DType]: number } = {
  f64: 1e-12,
  f32: 1e-5,
  bf16: 2 ** -7,
  i32: 0,
  u32: 0,
  u8: 0,
  bool: 0,
}

/**
 * What a difference is measured by: `element`, the number itself or 1, whichever is larger; `largest`, the largest
 * number of the tensor, which is stricter for tensors of small numbers.
 */
export type Measure = 'element' | 'largest'

/** The largest error, in units of what is allowed; Infinity where types, infinities or NaN differ. */
export function errorOf(actual: TensorData, expected: TensorData, measure: Measure): number {
  if (formatType(tensorType(actual.dtype, actual.shape)) !== formatType(expected)) return Infinity
  const [left, right] = [numbersOf(actual), numbersOf(expected)]
  const allowed = allowedError[expected.dtype]
  const largest = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return right.reduce((worst, value, index) => {
    if (left[index] === value || (Number.isNaN(value) && Number.isNaN(left[index]))) return worst
    const scale = measure === 'largest' ? largest : Math.max(1, Math.abs(value))
    const error = allowed === 0 ? Infinity : Math.abs(left[index] - value) / scale / allowed
    return Number.isNaN(error) ? Infinity : Math.max(worst, error)
  }, 0)
}

function numbersOf({ dtype, data }: TensorData): number[] {
  return Array.from(data, (element) => (dtype === 'bf16' ? fromBFloat16Bits(element) : element))
}
