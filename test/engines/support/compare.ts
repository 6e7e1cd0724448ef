/** How near an engine has to come to the reference engine's double-precision result, stated in one table. */
import assert from 'node:assert/strict'
import { fromBFloat16Bits, isFloat, type DType, type FloatDType } from '../../../src/core/dtype.js'
import type { CompositeName, OperationName } from '../../../src/core/operations.js'
import { formatType, tensorType, type TensorData } from '../../../src/core/shape.js'

/**
 * - `exact`: the very same numbers (data movement, comparisons, whatever has an exact answer)
 * - `rounded`: one correctly rounded operation, or one that is off by its last place
 * - `approximate`: functions computed by a polynomial
 * - `summed`: sums of many terms in an order of the engine's own; the error is relative to the largest result
 */
export type Accuracy = 'exact' | 'rounded' | 'approximate' | 'summed'

const ulp: Readonly<Record<FloatDType, number>> = { f64: 2 ** -52, f32: 2 ** -23, bf16: 2 ** -7 }

/** In units of the element type's last place. bf16 is computed in f32, so that only the last rounding differs. */
const allowedUlps: Readonly<Record<Exclude<Accuracy, 'exact'>, Readonly<Record<FloatDType, number>>>> = {
  rounded: { f64: 1, f32: 1, bf16: 1 },
  approximate: { f64: 64, f32: 16, bf16: 1 },
  summed: { f64: 64, f32: 32, bf16: 1.5 },
}

const exact: readonly OperationName[] = [
  'negate', 'abs', 'sign', 'floor', 'ceil', 'roundNearestEven', 'isFinite', 'not', 'bitcastConvert', 'maximum', 'minimum',
  'and', 'or', 'xor', 'shiftLeft', 'shiftRightLogical', 'shiftRightArithmetic', 'compare', 'select', 'iota',
  'rngBitGenerator', 'broadcastInDim', 'reshape', 'transpose', 'slice', 'concatenate', 'pad', 'reverse', 'gather',
  'optimizationBarrier',
] // prettier-ignore
const rounded: readonly OperationName[] = ['add', 'subtract', 'multiply', 'divide', 'remainder', 'sqrt', 'convert']
const summed: readonly (OperationName | CompositeName)[] = [
  'dotGeneral', 'convolution', 'reduce', 'reduceWindow', 'scatter', 'composite',
] // prettier-ignore

export function accuracyOf(operation: OperationName): Accuracy {
  if (exact.includes(operation)) return 'exact'
  if (rounded.includes(operation)) return 'rounded'
  return summed.includes(operation) ? 'summed' : 'approximate'
}

export function numbersIn({ dtype, data }: TensorData): Float64Array {
  return Float64Array.from(data, dtype === 'bf16' ? fromBFloat16Bits : (x: number) => x)
}

/** @param factor by how much the table's tolerance is widened, for operations made of many */
export function assertClose(
  actual: TensorData,
  expected: TensorData,
  accuracy: Accuracy,
  what: string,
  factor = 1,
): void {
  assert.equal(formatType(actual), formatType(expected), `${what}: type`)
  const [a, e] = [numbersIn(actual), numbersIn(expected)]
  assert.equal(a.length, e.length, `${what}: number of elements`)
  const allowed = tolerance(expected.dtype, accuracy) * factor
  const largest = e.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1)
  for (let i = 0; i < e.length; i++) {
    const size = accuracy === 'summed' ? largest : Math.max(Math.abs(e[i]), accuracy === 'approximate' ? 0.05 : 0)
    const isClose =
      a[i] === e[i] || (Number.isNaN(a[i]) && Number.isNaN(e[i])) || Math.abs(a[i] - e[i]) <= allowed * size
    if (!isClose) {
      assert.fail(
        `${what}: element ${i} of ${formatType(expected)} is ${a[i]}, not ${e[i]} (allowed ±${allowed * size})`,
      )
    }
  }
}

function tolerance(dtype: DType, accuracy: Accuracy): number {
  return accuracy === 'exact' || !isFloat(dtype) ? 0 : allowedUlps[accuracy][dtype] * ulp[dtype]
}

/** The same bits. */
export function assertSameBits(actual: TensorData, expected: TensorData, what: string): void {
  assert.equal(formatType(tensorType(actual.dtype, actual.shape)), formatType(expected), `${what}: type`)
  const bytes = ({ data }: TensorData): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  assert.ok(bytes(actual).equals(bytes(expected)), `${what}: the bits differ`)
}
