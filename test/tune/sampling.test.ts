/** What is searched and in which order: specifications, grids, draws, Sobol points. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { TalwegError } from '../../src/core/errors.js'
import type { Tunable } from '../../src/train/tunable.js'
import { sampleSettings, shuffled } from '../../src/tune/sampling.js'
import { maxSobolDimensions, sobolPoints } from '../../src/tune/sobol.js'
import { gridValues, isStructural, readSpace, valueAt } from '../../src/tune/space.js'

const tunables = new Map<string, Tunable>([
  ['width', { low: 4, high: 64, scale: 'log', integer: true, default: 8 }],
  ['activation', { choices: ['relu', 'gelu'] }],
  ['dropout', { low: 0, high: 0.5, default: 0.1 }],
])

function refused(spec: string, code: string, message: RegExp): void {
  assert.throws(
    () => sampleSettings('grid', readSpace([spec], tunables), undefined, 0),
    (error) => error instanceof TalwegError && error.code === code && message.test(error.message),
    spec,
  )
}

describe('specifications', () => {
  test('ranges, values and names that the file declares', () => {
    assert.deepEqual(readSpace(['learningRate=1e-4:1e-1:log:4', 'precision=f32,bf16', 'activation'], tunables), [
      { name: 'learningRate', low: 1e-4, high: 0.1, scale: 'log', integer: false, count: 4 },
      { name: 'precision', values: ['f32', 'bf16'] },
      { name: 'activation', values: ['relu', 'gelu'] },
    ])
  })

  test('nothing named is all that the file declares', () => {
    assert.deepEqual(
      readSpace([], tunables).map(({ name }) => name),
      ['width', 'activation', 'dropout'],
    )
  })

  test('what is wrong is named, with what to write', () => {
    refused('learninRate=1:2:3', 'UNKNOWN_SETTING', /did you mean learningRate/)
    refused('wdth=1:2:3', 'UNKNOWN_SETTING', /did you mean width/)
    refused('learningRate=1:0.1:log:3', 'INVALID_SETTING', /1 is not below 0.1/)
    refused('learningRate=0:1:log:3', 'INVALID_SETTING', /logarithmic scale 0 is not above 0/)
    refused('learningRate=a:1:3', 'INVALID_SETTING', /"a" is no number/)
    refused('learningRate=1e-3:1:cubic:3', 'INVALID_SETTING', /"cubic" is neither/)
    refused('learningRate=1e-3:1:log', 'INVALID_SETTING', /no number of points.*learningRate=0.001:1:log:8/)
    refused('learningRate=1e-3:1:1', 'INVALID_SETTING', /at least 2 points/)
    refused('batchSize=1.5:4:2', 'INVALID_SETTING', /whole numbers/)
    refused('learningRate', 'INVALID_SETTING', /has no range/)
    refused('learningRate=1,,2', 'INVALID_SETTING', /empty/)
    assert.throws(() => readSpace(['width', 'width=1,2'], tunables), /given twice/)
    assert.throws(() => readSpace([], new Map()), /nothing is said of what to search/)
  })

  test('what can change shapes is what is whole or has a name', () => {
    const space = readSpace(
      ['learningRate=1,2', 'dropout', 'width', 'activation', 'epochs=1:2:2', 'seed=1,2'],
      tunables,
    )
    assert.deepEqual(space.filter(isStructural).map(({ name }) => name), ['width', 'activation', 'epochs']) // prettier-ignore
  })
})

describe('grids', () => {
  test('have both ends and equal ratios or differences between', () => {
    const [log, linear] = readSpace(['learningRate=1e-4:1e-1:log:4', 'dropout=0:0.5:6'], tunables)
    assert.deepEqual(gridValues(log), [1e-4, 1e-3, 1e-2, 1e-1])
    assert.deepEqual(gridValues(linear), [0, 0.1, 0.2, 0.3, 0.4, 0.5])
  })

  test('of several settings are all combinations; each setting is there once', () => {
    const space = readSpace(['learningRate=1,2,1', 'batchSize=4:5:4'], tunables)
    assert.deepEqual(sampleSettings('grid', space, undefined, 0), [
      { learningRate: 1, batchSize: 4 },
      { learningRate: 1, batchSize: 5 },
      { learningRate: 2, batchSize: 4 },
      { learningRate: 2, batchSize: 5 },
    ])
    assert.equal(sampleSettings('grid', space, 3, 0).length, 3)
  })
})

test('successive halving begins with trials in an order by chance, each once, the same for a seed', () => {
  const settings = Array.from({ length: 16 }, (_, trial) => ({ trial }))
  const order = shuffled(settings, 0)
  assert.notDeepEqual(order, settings)
  assert.deepEqual(order, shuffled(settings, 0))
  assert.deepEqual(order.toSorted((a, b) => Number(a.trial) - Number(b.trial)), settings) // prettier-ignore
})

describe('draws', () => {
  test('lie in their ranges, and are the beginning of a longer search', () => {
    const space = readSpace(['learningRate=1e-4:1e-1:log', 'width', 'dropout', 'activation'], tunables)
    for (const sampler of ['random', 'sobol'] as const) {
      fc.assert(
        fc.property(fc.nat(), (seed) => {
          const settings = sampleSettings(sampler, space, 20, seed)
          assert.equal(settings.length, 20)
          assert.deepEqual(settings.slice(0, 7), sampleSettings(sampler, space, 7, seed))
          for (const { learningRate, width, dropout, activation } of settings) {
            assert(Number(learningRate) >= 1e-4 && Number(learningRate) <= 0.1)
            assert(Number.isInteger(width) && Number(width) >= 4 && Number(width) <= 64)
            assert(Number(dropout) >= 0 && Number(dropout) <= 0.5)
            assert(activation === 'relu' || activation === 'gelu')
          }
        }),
        { numRuns: 20 },
      )
    }
  })

  test('a space with fewer points than trials is drawn from until it is used up', () => {
    const space = readSpace(['activation', 'width=4,8'], tunables)
    assert.equal(sampleSettings('random', space, 50, 1).length, 4)
  })

  test('a whole number at an end of its range is drawn as often as another', () => {
    const dimension = { name: 'n', low: 1, high: 4, scale: 'linear', integer: true } as const
    const counts = [0, 0, 0, 0]
    for (let index = 0; index < 400; index++) counts[Number(valueAt(dimension, index / 400)) - 1]++
    assert.deepEqual(counts, [100, 100, 100, 100])
  })
})

describe('Sobol points', () => {
  const published = JSON.parse(
    readFileSync(new URL('fixtures/sobol.json', import.meta.url), 'utf8'),
  ) as readonly (readonly number[])[]

  test("are SciPy's, where they are not shifted", () => {
    const points = sobolPoints(maxSobolDimensions, undefined)
    for (const expected of published) assert.deepEqual(points.next().value.map((x) => x * 64), expected) // prettier-ignore
  })

  test('shifted, have one in each 64th of every dimension', () => {
    const points = sobolPoints(maxSobolDimensions, 5)
    const first = Array.from({ length: 64 }, () => points.next().value)
    for (let dimension = 0; dimension < maxSobolDimensions; dimension++) {
      const cells = new Set(first.map((point) => Math.floor(point[dimension] * 64)))
      assert.equal(cells.size, 64)
    }
  })
})
