/** Dropout: what is kept, by how much it is scaled, and that the gradient takes the same way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gradients } from '../../src/autodiff/index.js'
import { tensorData, tensorType, type TensorData } from '../../src/core/shape.js'
import type { Engine } from '../../src/engine/engine.js'
import { trace, type AnyTensor } from '../../src/graph/index.js'
import { Dropout, MultiHeadAttention, withParameters } from '../../src/nn/index.js'
import { attention, attentionWithDropout, random, scalar, sum } from '../../src/ops/index.js'
import { randomTensor } from '../engines/support/data.js'
import { evaluate } from '../engines/support/evaluate.js'
import { forEachEngine } from '../engines/support/engines.js'

const [numSamples, width] = [100, 200]
const count = numSamples * width

function traced(rate: number, training: boolean, step = 3) {
  const inputs = [{ name: 'x0', type: tensorType('f32', [numSamples, width]) }]
  const u32 = (value: number): AnyTensor => scalar(value, 'u32') as AnyTensor
  return trace('dropout', inputs, (x) =>
    random.withRandomness({ seed: u32(5), step: u32(step), sampleOffset: u32(0), numSamples }, () =>
      withParameters({ training, values: new Map(), updates: new Map() }, () => {
        const output = new Dropout(rate).forward(x)
        return { output, gradient: gradients(sum(output), [x])[0] }
      }),
    ),
  )
}

async function apply(engine: Engine, x: TensorData, rate: number, training = true, step = 3): Promise<Float64Array[]> {
  const results = await evaluate(engine, traced(rate, training, step), [x])
  return results.map(({ data }) => Float64Array.from(data))
}

forEachEngine('dropout', (engine) => {
  const x = randomTensor('x', tensorType('f32', [numSamples, width]), { least: 1, most: 2 })

  for (const rate of [0.1, 0.5, 0.9]) {
    test(`at rate ${rate} drops that share and scales the rest, in the gradient as well`, async () => {
      const [output, gradient] = await apply(engine, x, rate)
      const numDropped = output.filter((value) => value === 0).length
      const standardError = Math.sqrt(count * rate * (1 - rate))
      assert.ok(Math.abs(numDropped - count * rate) < 4.5 * standardError, `${numDropped} of ${count} are dropped`)
      const scale = 1 / (1 - rate)
      output.forEach((value, index) => {
        const expected = value === 0 ? 0 : x.data[index] * scale
        assert.ok(Math.abs(value - expected) <= 1e-6 * scale * 2, `${index}: ${value}, not ${expected}`)
        assert.ok(Math.abs(gradient[index] - (value === 0 ? 0 : scale)) <= 1e-6 * scale)
      })
    })
  }

  test('each step drops others, the same step the same', async () => {
    const [first] = await apply(engine, x, 0.5)
    assert.deepEqual((await apply(engine, x, 0.5))[0], first)
    const [other] = await apply(engine, x, 0.5, true, 4)
    const numSame = first.filter((value, index) => (value === 0) === (other[index] === 0)).length
    assert.ok(Math.abs(numSame - count / 2) < 4.5 * Math.sqrt(count / 4), `${numSame} of ${count} are the same`)
  })

  test('does nothing at rate 0, and none after training', async () => {
    for (const results of [await apply(engine, x, 0), await apply(engine, x, 0.5, false)]) {
      assert.deepEqual(results, [Float64Array.from(x.data), new Float64Array(count).fill(1)])
    }
  })

  test('at rate 1 leaves zeros, whose gradient is zero', async () => {
    const infinite = tensorData('f32', [numSamples, width])
    infinite.data.fill(Infinity)
    assert.deepEqual(await apply(engine, infinite, 1), [new Float64Array(count), new Float64Array(count)])
  })
})

const [length, rate] = [16, 0.25]

/** Attention of rows that look at all columns alike; the values are the unit vectors, so that the result is the weights. */
function tracedAttention(training: boolean) {
  const type = tensorType('f32', [numSamples, length, 1, length])
  const inputs = ['x0', 'x1', 'x2'].map((name) => ({ name, type }))
  const u32 = (value: number): AnyTensor => scalar(value, 'u32') as AnyTensor
  return trace('attention', inputs, (query, key, value) =>
    random.withRandomness({ seed: u32(5), step: u32(3), sampleOffset: u32(0), numSamples }, () => {
      const output = training ? attentionWithDropout(query, key, value, rate) : attention(query, key, value)
      return { output, gradient: gradients(sum(output), [value])[0] }
    }),
  )
}

forEachEngine('dropout of attention’s weights', (engine) => {
  const shape = [numSamples, length, 1, length]
  const zeros = tensorData('f32', shape)
  const units = tensorData('f32', shape)
  for (let index = 0; index < units.data.length; index++) {
    const [row, column] = [Math.floor(index / length) % length, index % length]
    units.data[index] = row === column ? 1 : 0
  }

  test('drops that share of them, and scales the rest, in the gradient as well', async () => {
    const [output, gradient] = await evaluate(engine, tracedAttention(true), [zeros, zeros, units])
    const weights = Array.from(output.data, Number)
    const numDropped = weights.filter((weight) => weight === 0).length
    const total = weights.length
    assert.ok(Math.abs(numDropped - total * rate) < 4.5 * Math.sqrt(total * rate * (1 - rate)), `${numDropped} of ${total}`) // prettier-ignore
    const kept = 1 / length / (1 - rate)
    for (const weight of weights) assert.ok(weight === 0 || Math.abs(weight - kept) < 1e-6, `${weight}, not ${kept}`)
    // What a value gets is the sum of the weights of all rows that look at it.
    const [first] = gradient.data
    const column = Array.from({ length }, (_, row) => weights[row * length]).reduce((sum, weight) => sum + weight, 0)
    assert.ok(Math.abs(Number(first) - column) < 1e-5, `${first}, not ${column}`)
  })

  test('a layer drops while it is trained alone', async () => {
    const dropping = await applyLayer(engine, 0.5, false)
    assert.deepEqual(dropping, await applyLayer(engine, 0, false))
    assert.deepEqual(dropping, await applyLayer(engine, 0, true))
    assert.notDeepEqual(dropping, await applyLayer(engine, 0.5, true))
  })
})

/** A layer of attention whose matrices are all of the same numbers. */
async function applyLayer(engine: Engine, weightDropout: number, training: boolean): Promise<number[]> {
  const model = new MultiHeadAttention({ width: 8, heads: 2, weightDropout })
  const parameters = [...model.namedParameters().values()]
  const types = [...parameters.map(({ type }) => type), tensorType('f32', [4, 5, 8])]
  const inputs = types.map((type, index) => ({ name: `x${index}`, type }))
  const u32 = (value: number): AnyTensor => scalar(value, 'u32') as AnyTensor
  const graph = trace('layer', inputs, (...tensors) => {
    const values = new Map(parameters.map((parameter, index) => [parameter, tensors[index]]))
    return random.withRandomness({ seed: u32(5), step: u32(3), sampleOffset: u32(0), numSamples: 4 }, () =>
      withParameters({ training, values, updates: new Map() }, () => ({ output: model.forward(tensors.at(-1)!) })),
    )
  })
  const given = types.map((type, index) => randomTensor(`x${index}`, type, { least: -1, most: 1 }))
  const [{ data }] = await evaluate(engine, graph, given)
  return Array.from(data, Number)
}

test('a rate that is no probability is refused', () => {
  for (const rate of [-0.1, 1.5, Number.NaN]) {
    assert.throws(() => traced(rate, true), { code: 'INVALID_SETTING', message: /rate is (-0.1|1.5|NaN);/ })
  }
})
