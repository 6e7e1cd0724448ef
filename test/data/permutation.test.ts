import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Permutation, ShuffledOrder } from '../../src/data/permutation.js'

function valuesOf(permutation: Permutation): number[] {
  return Array.from({ length: permutation.size }, (_, index) => permutation.at(index))
}

test('a permutation reaches every index once, for any size', () => {
  for (const size of [1, 2, 3, 5, 64, 1000, 4095, 4096, 4097, 4900, 10_007, 65_536, 99_999]) {
    const seen = new Uint8Array(size)
    for (const value of valuesOf(new Permutation(size, 7, 3))) seen[value]++
    assert.ok(
      seen.every((count) => count === 1),
      `size ${size}`,
    )
  }
})

test('indices of huge sets stay inside and differ', () => {
  for (const size of [2 ** 31 + 11, 2 ** 40 - 3, 2 ** 48]) {
    const permutation = new Permutation(size, 1, 0)
    const indices = [0, 1, 2, size / 2, size - 2, size - 1].map(Math.floor)
    const values = indices.map((index) => permutation.at(index))
    assert.equal(new Set(values).size, indices.length)
    for (const value of values) assert.ok(Number.isInteger(value) && value >= 0 && value < size)
  }
})

test('seed and epoch each give another order, and the same ones the same', () => {
  const order = (seed: number, epoch: number) => valuesOf(new Permutation(5000, seed, epoch)).join()
  assert.equal(order(1, 0), order(1, 0))
  const orders = [order(1, 0), order(2, 0), order(1, 1), order(2 ** 40 + 1, 0), order(1, 2 ** 33)]
  assert.equal(new Set(orders).size, orders.length)
})

test('all 24 orders of four samples come equally often', () => {
  const counts = new Map<string, number>()
  const numEpochs = 24_000
  for (let epoch = 0; epoch < numEpochs; epoch++) {
    const order = valuesOf(new Permutation(4, 5, epoch)).join()
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  assert.equal(counts.size, 24)
  // 23 degrees of freedom: chi-square exceeds 49.7 once in a thousand.
  assert.ok(chiSquare([...counts.values()], numEpochs / 24) < 49.7)
})

test('the network sends an index everywhere equally often, and neighbours apart', () => {
  const size = 5000
  const numBuckets = 50
  const places = new Array<number>(numBuckets).fill(0)
  const distances = new Array<number>(numBuckets).fill(0)
  const numTrials = 20_000
  for (let seed = 0; seed < numTrials; seed++) {
    const permutation = new Permutation(size, seed, 0)
    const first = permutation.at(1234)
    const second = permutation.at(1235)
    places[Math.floor((first * numBuckets) / size)]++
    distances[Math.floor((((second - first + size) % size) * numBuckets) / size)]++
  }
  // 49 degrees of freedom: chi-square exceeds 85.4 once in a thousand.
  assert.ok(chiSquare(places, numTrials / numBuckets) < 85.4)
  assert.ok(chiSquare(distances, numTrials / numBuckets) < 85.4)
})

test('a shuffled order runs through epochs, each its own permutation', () => {
  const order = new ShuffledOrder(10, 3)
  const positions = Array.from({ length: 30 }, (_, position) => order.at(position))
  for (const epoch of [0, 1, 2]) {
    const part = positions.slice(10 * epoch, 10 * epoch + 10)
    assert.deepEqual(part, valuesOf(new Permutation(10, 3, epoch)))
  }
  assert.equal(order.at(4), positions[4], 'going back gives the same')
})

function chiSquare(counts: readonly number[], expected: number): number {
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

test('a run of positions is what each position gives, over the end of an epoch and at any place', () => {
  for (const [numSamples, first, count] of [
    [10_007, 9_990, 10_100],
    [5, 3, 17],
    [4097, 0, 4097],
  ]) {
    const order = new ShuffledOrder(numSamples, 3)
    const filled = new Int32Array(count)
    order.fill(first, filled)
    const single = new ShuffledOrder(numSamples, 3)
    assert.deepEqual(
      [...filled],
      Array.from({ length: count }, (_, index) => single.at(first + index)),
    )
  }
})
