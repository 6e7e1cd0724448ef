/** Every schedule's rates, step by step: as PyTorch has them, and by its formula at its ends and corners. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tensorData, tensorType } from '../../src/core/shape.js'
import type { Engine } from '../../src/engine/engine.js'
import { trace } from '../../src/graph/index.js'
import * as optim from '../../src/optim/index.js'
import { lower } from '../engines/support/lower.js'
import { forEachEngine } from '../engines/support/engines.js'
import { pieces } from './pieces.js'

async function ratesOf(
  engine: Engine,
  schedule: optim.Schedule,
  totalSteps: number,
  steps: readonly number[],
): Promise<number[]> {
  const inputs = [{ name: 'step', type: tensorType('f32', []) }]
  const graph = trace('rate', inputs, (step) => ({ rate: schedule.rate({ step, totalSteps }) }))
  const executable = await engine.load(lower(graph, engine), new Map())
  const rates: number[] = []
  for (const step of steps) {
    const { rate } = await executable.run({ step: tensorData('f32', [], [step]) })
    rates.push(rate.data[0])
  }
  return rates
}

/** Within 1e-6 of the peak: the angle of a cosine is rounded, and so is what is near its end. */
function assertRates(actual: readonly number[], expected: readonly number[], peak: number): void {
  assert.equal(actual.length, expected.length)
  for (const [index, rate] of expected.entries()) {
    assert.ok(Math.abs(actual[index] - rate) <= 1e-6 * peak, `rate ${index} is ${actual[index]}, not ${rate}`)
  }
}

const makers: Readonly<Record<string, (options: never) => optim.Schedule>> = {
  cosine: optim.cosine,
  linear: optim.linear,
  stepDecay: optim.stepDecay,
  oneCycle: optim.oneCycle,
}

/** Of 10 steps: schedule, steps (from 0), rates. */
const byHand: readonly [what: string, schedule: optim.Schedule, rates: Readonly<Record<number, number>>][] = [
  ['constant', optim.constant(0.5), { 0: 0.5, 5: 0.5, 9: 0.5 }],
  ['constant after a warm-up', optim.constant(0.5, { warmup: 4 }), { 0: 0.125, 2: 0.375, 3: 0.5, 4: 0.5, 9: 0.5 }],
  ['a warm-up as long as the training', optim.linear({ peak: 1, warmup: 10 }), { 0: 0.1, 9: 1 }],
  ['linear', optim.linear({ peak: 2 }), { 0: 2, 5: 1, 9: 0.2, 10: 0, 12: 0 }],
  ['linear to a share', optim.linear({ peak: 2, final: 0.5 }), { 0: 2, 5: 1.5, 10: 1, 30: 1 }],
  ['linear after a warm-up', optim.linear({ peak: 1, warmup: 2 }), { 0: 0.5, 1: 1, 2: 1, 6: 0.5, 10: 0 }],
  ['cosine', optim.cosine({ peak: 2 }), { 0: 2, 5: 1, 9: 1 + Math.cos(0.9 * Math.PI), 10: 0, 12: 0 }],
  [
    'cosine to a share after a warm-up',
    optim.cosine({ peak: 2, warmup: 2, final: 0.1 }),
    { 0: 1, 1: 2, 2: 2, 4: 0.2 + 0.9 * (1 + Math.SQRT1_2), 6: 1.1, 10: 0.2 },
  ],
  ['steps', optim.stepDecay({ peak: 1, every: 3 }), { 0: 1, 2: 1, 3: 0.1, 5: 0.1, 6: 0.01, 9: 0.001 }],
  [
    'steps after a warm-up',
    optim.stepDecay({ peak: 1, every: 4, factor: 0.5, warmup: 2 }),
    { 0: 0.5, 1: 1, 3: 1, 4: 0.5, 8: 0.25 },
  ],
  // Top after half of the steps but one: step 4.
  [
    'one cycle',
    optim.oneCycle({ peak: 1, rise: 0.5, initial: 0.1, final: 0.01 }),
    { 0: 0.1, 2: 0.55, 4: 1, 9: 0.001, 12: 0.001 },
  ],
]

forEachEngine('schedules', (engine) => {
  for (const [name, { settings, totalSteps, rates }] of Object.entries(pieces.schedules)) {
    test(`${name}, as PyTorch has it`, async () => {
      const { kind, ...options } = settings
      const schedule = makers[kind](options as never)
      const steps = rates.map((_, step) => step)
      assertRates(await ratesOf(engine, schedule, totalSteps, steps), rates, schedule.peak)
    })
  }

  for (const [what, schedule, expected] of byHand) {
    test(`${what}, by its formula`, async () => {
      const rates = await ratesOf(engine, schedule, 10, Object.keys(expected).map(Number))
      assertRates(rates, Object.values(expected), schedule.peak)
    })
  }

  test('another peak is the same schedule, higher', async () => {
    const steps = [0, 1, 2, 5, 9]
    for (const [, schedule] of byHand) {
      const before = await ratesOf(engine, schedule, 10, steps)
      const after = await ratesOf(engine, schedule.withPeak(3 * schedule.peak), 10, steps)
      assertRates(
        after,
        before.map((rate) => 3 * rate),
        3 * schedule.peak,
      )
    }
  })
})
