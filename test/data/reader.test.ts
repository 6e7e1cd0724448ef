import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arrays } from '../../src/data/arrays.js'
import { BatchReader, readInOrder, rowsOfShare } from '../../src/data/reader.js'
import type { Batch, DataSource, SampleIndices } from '../../src/data/source.js'
import { assertFails } from './support.js'

const numSamples = 23

function numbered(): DataSource {
  return arrays({ x: Float32Array.from({ length: numSamples }, (_, index) => index) })
}

/** The same samples, but each read takes a while, the longer the smaller its first index. */
function slow(source: DataSource): DataSource {
  const { element, fingerprint } = source
  const gather = async (indices: SampleIndices, into: Batch) => {
    await new Promise((resolve) => setTimeout(resolve, 10 - indices[0] / 3))
    await source.gather(indices, into)
  }
  return { element, numSamples, fingerprint, gather, describe: () => source.describe(), close: () => source.close() }
}

function take(reader: BatchReader, numBatches: number): number[][] {
  return Array.from({ length: numBatches }, () => Array.from(reader.nextSync().x.data))
}

test('an epoch holds every sample once, and batches span epochs', () => {
  const reader = new BatchReader(numbered(), { seed: 1, batchSize: 5 })
  const values = take(reader, numSamples).flat()
  for (let epoch = 0; epoch < 5; epoch++) {
    const sorted = values.slice(epoch * numSamples, (epoch + 1) * numSamples).sort((a, b) => a - b)
    assert.deepEqual(
      sorted,
      Array.from({ length: numSamples }, (_, index) => index),
    )
  }
  assert.notDeepEqual(values.slice(0, numSamples), values.slice(numSamples, 2 * numSamples))
})

test('a reader that starts at a kept position goes on as if it had never stopped', () => {
  const whole = new BatchReader(numbered(), { seed: 4, batchSize: 6 })
  const expected = take(whole, 9)
  const before = new BatchReader(numbered(), { seed: 4, batchSize: 6 })
  take(before, 4)
  assert.equal(before.position, 24)
  const after = new BatchReader(numbered(), { seed: 4, batchSize: 6, position: before.position })
  assert.deepEqual(take(after, 5), expected.slice(4))
})

test('workers together read what one reads, in shares of whole virtual shards', () => {
  const expected = take(new BatchReader(numbered(), { seed: 9, batchSize: 16 }), 4)
  for (const numWorkers of [2, 3, 4, 8]) {
    const parts = Array.from({ length: numWorkers }, (_, worker) =>
      take(new BatchReader(numbered(), { seed: 9, batchSize: 16, share: { worker, numWorkers, numShards: 8 } }), 4),
    )
    assert.deepEqual(
      expected.map((_, batch) => parts.flatMap((part) => part[batch])),
      expected,
    )
  }
  assert.deepEqual(rowsOfShare(16, { worker: 1, numWorkers: 3, numShards: 8 }), { start: 8, end: 12 })
})

test('reading ahead gives the same batches, in order', async () => {
  const expected = take(new BatchReader(numbered(), { seed: 2, batchSize: 4 }), 8)
  const reader = new BatchReader(slow(numbered()), { seed: 2, batchSize: 4, prefetch: 3 })
  assert.equal(reader.isSync, false)
  const found: number[][] = []
  for (let batch = 0; batch < 8; batch++) found.push(Array.from((await reader.next()).x.data))
  assert.deepEqual(found, expected)
  assert.equal(reader.position, 32)
  await reader.stop()
  const next = Array.from((await reader.next()).x.data)
  assert.deepEqual(next, take(new BatchReader(numbered(), { seed: 2, batchSize: 4, position: 32 }), 1)[0])
  await reader.stop()
})

test('a batch stays untouched until the call after the next one', async () => {
  for (const source of [numbered(), slow(numbered())]) {
    const reader = new BatchReader(source, { seed: 2, batchSize: 4 })
    const first = await reader.next()
    const copy = Array.from(first.x.data)
    await reader.next()
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(Array.from(first.x.data), copy)
    await reader.stop()
  }
})

test('a read that fails is reported by the call that would deliver it', async () => {
  const source = numbered()
  const failing: DataSource = {
    element: source.element,
    numSamples,
    fingerprint: '',
    gather: async (indices) => (indices[0] === 8 ? Promise.reject(new TypeError('disk')) : undefined),
    describe: () => source.describe(),
    close: () => source.close(),
  }
  const reader = new BatchReader(failing, { seed: 1, batchSize: 4, shuffle: false })
  await reader.next()
  await reader.next()
  await assert.rejects(reader.next(), /disk/)
  await reader.stop()
})

test('indices for resident data are those of the batches', () => {
  const reader = new BatchReader(numbered(), { seed: 3, batchSize: 7 })
  const batches = take(new BatchReader(numbered(), { seed: 3, batchSize: 7 }), 3)
  const indices = Array.from({ length: 3 }, () => Array.from(reader.nextIndices(new Int32Array(7))))
  assert.deepEqual(indices, batches)
})

test('reading in order neither pads nor repeats, whole or in shares', async () => {
  const sizes: number[] = []
  const values: number[] = []
  for await (const { x } of readInOrder(numbered(), 10)) {
    sizes.push(x.shape[0])
    values.push(...x.data)
  }
  assert.deepEqual(sizes, [10, 10, 3])
  assert.deepEqual(
    values,
    Array.from({ length: numSamples }, (_, index) => index),
  )
  const shared: number[] = []
  for (const worker of [0, 1, 2]) {
    for await (const { x } of readInOrder(numbered(), 4, { worker, numWorkers: 3 })) shared.push(...x.data)
  }
  assert.deepEqual(shared, values)
})

test('sizes that make no sense are refused', async () => {
  const source = numbered()
  await assertFails('INVALID_SETTING', ['batch size is 0'], () => new BatchReader(source, { seed: 1, batchSize: 0 }))
  await assertFails('INVALID_SETTING', ['seed is -1'], () => new BatchReader(source, { seed: -1, batchSize: 1 }))
  await assertFails('INVALID_SETTING', ['2 can', '4 virtual shards'], () => {
    return new BatchReader(source, { seed: 1, batchSize: 2, share: { worker: 0, numWorkers: 2, numShards: 4 } })
  })
})
