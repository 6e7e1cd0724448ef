/** How near f32 has to come to what PyTorch computes in f64. */
import assert from 'node:assert/strict'
import { formatType, type TensorData } from '../../src/core/shape.js'

const allowed = 1e-5

/** The largest difference is at most `allowed` of the largest number. */
export function assertAgrees(actual: TensorData, expected: TensorData, what: string): void {
  assert.equal(formatType(actual), formatType(expected), what)
  const largest = Array.from(expected.data, Math.abs).reduce((most, size) => Math.max(most, size), 0)
  Array.from(expected.data).forEach((value, index) => {
    const difference = Math.abs(actual.data[index] - value)
    assert.ok(
      difference <= allowed * largest,
      `${what}: element ${index} is ${actual.data[index]}, not ${value} (largest ${largest})`,
    )
  })
}

/** Each number by itself, for tensors of very different ones; what is below 1 may be off by a tenth of the tolerance. */
export function assertEachAgrees(actual: TensorData, expected: TensorData, what: string): void {
  assert.equal(formatType(actual), formatType(expected), what)
  Array.from(expected.data).forEach((value, index) => {
    const difference = Math.abs(actual.data[index] - value)
    assert.ok(
      difference <= allowed * (Math.abs(value) + 0.1),
      `${what}: element ${index} is ${actual.data[index]}, not ${value}`,
    )
  })
}

export function assertNumberAgrees({ data }: TensorData, expected: number, what: string): void {
  assert.ok(Math.abs(data[0] - expected) <= allowed * Math.abs(expected), `${what} is ${data[0]}, not ${expected}`)
}
