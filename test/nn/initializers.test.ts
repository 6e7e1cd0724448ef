/** What parameters start as: each initialiser by its formula, on every engine, and what layers and models choose. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { tensorData, tensorType, type Shape } from '../../src/core/shape.js'
import type { Engine } from '../../src/engine/engine.js'
import { trace } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import { lower } from '../engines/support/lower.js'
import { forEachEngine, reference } from '../engines/support/engines.js'
import { assertDistributed, correlation, normal, truncatedNormal, uniform, type Distribution } from './distribution.js'

const { initializers } = nn

async function draw(
  engine: Engine,
  initializer: nn.Initializer,
  shape: Shape,
  { path = 'weight', seed = 1 } = {},
): Promise<ArrayLike<number>> {
  const type = tensorType('f32', shape)
  const inputs = [{ name: 'seed', type: tensorType('u32', []) }]
  const graph = trace('initial', inputs, (given) => ({ value: initializer({ type, path, seed: given }) }))
  const executable = await engine.load(lower(graph, engine), new Map())
  const { value } = await executable.run({ seed: tensorData('u32', [], [seed]) })
  assert.deepEqual([value.dtype, value.shape], ['f32', shape])
  return value.data
}

const matrix = [300, 100]
/** 3 · 3 · 32 = 288 connections into a unit, 3 · 3 · 64 = 576 out of one. */
const kernel = [3, 3, 32, 64]
const symmetric = (limit: number): Distribution => uniform(-limit, limit)

const drawn: readonly [what: string, initializer: nn.Initializer, shape: Shape, expected: Distribution][] = [
  ['uniform', initializers.uniform(-2, 3), [20_000], uniform(-2, 3)],
  ['normal', initializers.normal(), [20_001], normal(1)],
  ['normal of another mean', initializers.normal(0.5, 2), [200, 100], normal(0.5, 2)],
  ['truncated normal', initializers.truncatedNormal(), [20_000], truncatedNormal(1)],
  ['truncated normal, narrow', initializers.truncatedNormal(0.02), [200, 100], truncatedNormal(0.02)],
  ['Xavier’s uniform', initializers.xavierUniform(), matrix, symmetric(Math.sqrt(6 / 400))],
  ['Xavier’s uniform of a kernel', initializers.xavierUniform(), kernel, symmetric(Math.sqrt(6 / 864))],
  ['Xavier’s normal with a gain', initializers.xavierNormal(5 / 3), matrix, normal((5 / 3) * Math.sqrt(2 / 400))],
  ['Kaiming’s uniform', initializers.kaimingUniform(), matrix, symmetric(Math.sqrt(6 / 300))],
  ['Kaiming’s uniform of a kernel', initializers.kaimingUniform(), kernel, symmetric(Math.sqrt(6 / 288))],
  ['Kaiming’s normal', initializers.kaimingNormal(), matrix, normal(Math.sqrt(2 / 300))],
  ['LeCun’s normal, as Kaiming’s of gain 1', initializers.kaimingNormal(1), kernel, normal(Math.sqrt(1 / 288))],
  ['uniform by the fan in', initializers.fanInUniform(25), [20_000], symmetric(0.2)],
]

forEachEngine('initialisers', (engine) => {
  for (const [what, initializer, shape, expected] of drawn) {
    test(`${what}: bounds, mean, variance and distribution`, async () => {
      assertDistributed(await draw(engine, initializer, shape), expected, what)
    })
  }

  test('constants', async () => {
    const { zeros, ones, constant } = initializers
    for (const [initializer, value] of [
      [zeros(), 0],
      [ones(), 1],
      [constant(-0.5), -0.5],
    ] as const) {
      assert.deepEqual(Array.from(await draw(engine, initializer, [3])), [value, value, value])
    }
  })
})

test('numbers depend on the path and the seed, and on nothing else', async () => {
  const initializer = initializers.normal()
  const count = 20_000
  const first = await draw(reference, initializer, [count])
  assert.deepEqual(await draw(reference, initializer, [count]), first)
  const others = [{ path: 'bias' }, { seed: 2 }, { path: 'layers.1.weight', seed: 2 }]
  const limit = 4.5 / Math.sqrt(count)
  for (const other of others) {
    const related = correlation(first, await draw(reference, initializer, [count], other))
    assert.ok(Math.abs(related) < limit, `correlated with ${JSON.stringify(other)} by ${related}`)
  }
  const numbers = Array.from(first)
  assert.ok(Math.abs(correlation(numbers.slice(1), numbers.slice(0, -1))) < limit, 'neighbours are independent')
})

describe('what starts as what', () => {
  const initial = async (module: nn.Module): Promise<Map<string, ArrayLike<number>>> => {
    const found = new Map<string, ArrayLike<number>>()
    for (const [path, { initializer, type }] of module.namedParameters()) {
      found.set(path, await draw(reference, initializer, type.shape, { path }))
    }
    return found
  }

  const assertAll = async (
    module: nn.Module,
    expectedOf: (path: string) => Distribution | number | undefined,
  ): Promise<void> => {
    for (const [path, data] of await initial(module)) {
      const expected = expectedOf(path)
      if (typeof expected !== 'number') assertDistributed(data, expected!, path)
      else
        assert.ok(
          Array.from(data).every((value) => value === expected),
          path,
        )
    }
  }

  test('linear layers and convolutions: uniform by the fan in, the bias too', async () => {
    await assertAll(new nn.Linear(25, 400), () => symmetric(1 / 5))
    await assertAll(new nn.Conv2d(4, 300, 3, { groups: 2 }), () => symmetric(1 / Math.sqrt(18)))
  })

  test('embeddings: standard normal; norms: scale 1 and shift 0', async () => {
    await assertAll(new nn.Embedding(100, 30), () => normal(1))
    await assertAll(new nn.BatchNorm(8), (path) => (/weight|Variance/.test(path) ? 1 : 0))
    await assertAll(new nn.LayerNorm(8), (path) => (path === 'weight' ? 1 : 0))
    await assertAll(new nn.RMSNorm(8), () => 1)
  })

  for (const [block, last] of [
    ['basic', 'second'],
    ['bottleneck', 'third'],
  ] as const) {
    test(`a ResNet of ${block} blocks: zeroInitResidual makes the weight of each block's last norm 0, and no other`, async () => {
      const form = { block, stages: [1, 1], width: 4, numClasses: 2 }
      const norms = (await initial(new nn.ResNet({ ...form, zeroInitResidual: true }))).entries()
      for (const [path, data] of norms) {
        if (!path.endsWith('norm.weight')) continue
        assert.deepEqual(new Set(data as Float32Array), new Set([path.includes(last) ? 0 : 1]), path)
      }
      const plain = await initial(new nn.ResNet(form))
      assert.deepEqual(new Set(plain.get(`stages.0.0.${last}.norm.weight`) as Float32Array), new Set([1]))
    })
  }

  for (const [width, spread] of [
    [192, 0.04],
    [768, 0.02],
  ] as const) {
    test(`a GPT of width ${width}: GPT-2's spread at GPT-2's width, ends of a residual branch smaller`, async () => {
      await assertAll(new nn.GPT({ vocabulary: 50, context: 40, layers: 2, heads: 2, width }), (path) => {
        if (path.endsWith('Embedding.weight')) return normal(0.02)
        if (path.endsWith('bias')) return 0
        if (/norm/i.test(path)) return 1
        return normal(/output|down/.test(path) ? spread / 2 : spread)
      })
    })
  }
})
