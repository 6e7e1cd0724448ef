import assert from 'node:assert/strict'
import { test } from 'node:test'
import { numElements, type TensorData } from '../core/shape.js'
import { arrays } from '../data/arrays.js'
import { batchOf, ResidentBatches, StackedBatches } from './stackedBatches.js'

const numSamples = 11
const source = arrays({
  x: { dtype: 'f32', shape: [numSamples, 3], data: Float32Array.from({ length: numSamples * 3 }, (_, at) => at) },
  label: Int32Array.from({ length: numSamples }, (_, at) => at * at),
})
const { resident } = source
assert.ok(resident?.layout === 'rows')
const data = resident.tensors
const options = { seed: 5, batchSize: 4, position: 8, capacity: 3 }

function rowsOf({ data, shape }: TensorData, rows: Int32Array): number[] {
  const size = numElements(shape.slice(1))
  return Array.from(rows, (row) => Array.from(data.subarray(row * size, (row + 1) * size), Number)).flat()
}

test('the rows of data in memory are those that would be stacked, from epoch to epoch', async () => {
  const [stacked, whole] = [new StackedBatches(source, options), new ResidentBatches(source, data, options)]
  for (const steps of [3, 1, 2, 3]) {
    const [expected, found] = [await stacked.next(steps), await whole.next(steps)]
    assert.equal(found.rows?.length, steps * options.batchSize)
    for (const name of ['x', 'label']) {
      assert.deepEqual(rowsOf(found.inputs[name], found.rows), Array.from(expected.inputs[name].data, Number))
    }
    for (let step = 0; step < steps; step++) assert.deepEqual(batchOf(found, step), batchOf(expected, step))
  }
})

test('the rows of a call stay while those of the next are asked for', async () => {
  const whole = new ResidentBatches(source, data, options)
  const { rows } = await whole.next(2)
  const before = Array.from(rows ?? [])
  await whole.next(3)
  assert.deepEqual(Array.from(rows ?? []), before)
})
