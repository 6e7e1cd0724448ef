/** Sums between workers: the tree's bits, however many workers there are. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { joinsOfWorkers, shardsOfWorkers, sumOverShards } from '../../src/core/shardTree.js'
import { loadAddon } from '../../src/engine/native/addon.js'
import { lackingNative } from '../engines/support/native.js'
import { lackingMpirun, runWorkers } from './support/mpirun.js'

const skipNative = await lackingNative()
const skip = skipNative ?? lackingMpirun ?? false

describe('the tree over shards', () => {
  test('pairs neighbours, what is left over going up', () => {
    const text = (numShards: number): string =>
      sumOverShards({ first: 0, count: numShards }, String, (left, right) => `(${left}+${right})`)
    assert.equal(text(1), '0')
    assert.equal(text(6), '(((0+1)+(2+3))+(4+5))')
    assert.equal(text(8), '(((0+1)+(2+3))+((4+5)+(6+7)))')
  })

  test('gives every worker one subtree, so that sums of sums are the whole sum', () => {
    const add = (left: string, right: string): string => `(${left}+${right})`
    for (let numShards = 1; numShards <= 20; numShards++) {
      const wanted = sumOverShards({ first: 0, count: numShards }, String, add)
      for (let numWorkers = 1; numWorkers <= numShards; numWorkers++) {
        const sums = shardsOfWorkers(numShards, numWorkers).map((range) => sumOverShards(range, String, add))
        for (const [into, from] of joinsOfWorkers(numShards, numWorkers)) sums[into] = add(sums[into], sums[from])
        assert.equal(sums[0], wanted, `${numShards} shards on ${numWorkers} workers`)
      }
    }
  })

  test('gives parts that differ by a factor of two at most where the shards are a power of two', () => {
    assert.deepEqual(shardsOfWorkers(8, 3).map(({ count }) => count), [4, 2, 2]) // prettier-ignore
    assert.deepEqual(shardsOfWorkers(8, 4).map(({ count }) => count), [2, 2, 2, 2]) // prettier-ignore
    assert.deepEqual(shardsOfWorkers(8, 5).map(({ count }) => count), [2, 2, 2, 1, 1]) // prettier-ignore
  })

  test('is the same in C++', { skip: skipNative }, () => {
    const { joinsOfWorkers: twin } = loadAddon()
    for (let numShards = 1; numShards <= 33; numShards++) {
      for (let numWorkers = 1; numWorkers <= numShards; numWorkers++) {
        assert.deepEqual(twin(numShards, numWorkers), joinsOfWorkers(numShards, numWorkers).flat())
      }
    }
  })
})

describe('sums between workers', { skip }, () => {
  test('have the bits of the tree over 8 shards with 1, 2, 3, 4 and 8 workers', async () => {
    const digests = new Set<string>()
    for (const numWorkers of [1, 2, 3, 4, 8]) {
      const { status, stdout, stderr } = await runWorkers(numWorkers, 'sums.ts', ['8'])
      assert.equal(status, 0, stderr)
      digests.add(stdout.trim())
    }
    assert.equal(digests.size, 1)
    assert.match([...digests][0], /^[0-9a-f]{64}$/)
  })
})
