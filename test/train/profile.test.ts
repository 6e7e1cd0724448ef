/** Profiles: what a profile says of times that are known, the roofline, the trace's format, and places in the model. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileGraph, programCost } from '../../src/compile/index.js'
import { tensorType } from '../../src/core/shape.js'
import type { EngineProfiling, Executable, MachinePeaks } from '../../src/engine/engine.js'
import type { Program } from '../../src/engine/program.js'
import { marksPerStep } from '../../src/engine/timeline.js'
import * as nn from '../../src/nn/index.js'
import * as optim from '../../src/optim/index.js'
import { makeProfile, type Profile } from '../../src/train/profile/profile.js'
import { Profiler } from '../../src/train/profile/profiler.js'
import { findPlaces } from '../../src/train/profile/places.js'
import { leastSeconds } from '../../src/train/profile/roofline.js'
import { makeTrace } from '../../src/train/profile/trace.js'
import { buildTrainingStep } from '../../src/train/step.js'
import { forEachEngine, reference } from '../engines/support/engines.js'

const gpt = buildTrainingStep({
  model: new nn.GPT({ vocabulary: 11, context: 8, layers: 2, heads: 2, width: 16 }),
  loss: (model, batch: { tokens: never; targets: never }) =>
    nn.crossEntropy(model.forward(batch.tokens), batch.targets),
  optimizer: optim.adamw({ learningRate: 0.01 }),
  batch: ['tokens', 'targets'].map((name) => ({ name, type: tensorType('i32', [2, 8]) })),
  batchSize: 2,
  totalSteps: 10,
  seed: 1,
  accumulate: 1,
})
const { state, outputs } = gpt

const { program } = compileGraph(gpt.graph, reference, { state, outputs })
const numInstructions = program.instructions.length

/** Takes 1 ms before the steps; in each step 2 ms for inputs, then i + 1 µs for instruction i, then 3 ms; none for real. */
const clockwork: EngineProfiling = {
  run: async (_executable, _inputs, { steps = 1 } = {}) => {
    const marks: number[] = []
    let now = 1e-3
    for (let step = 0; step < steps; step++) {
      marks.push(now)
      marks.push((now += 2e-3))
      for (let index = 0; index < numInstructions; index++) marks.push((now += (index + 1) * 1e-6))
      marks.push((now += 3e-3))
    }
    return { outputs: {}, times: { steps, marks: Float64Array.from(marks) } }
  },
}

const peaks: MachinePeaks = { productFlopsPerSecond: { f32: 100e9, bf16: 200e9 }, bytesPerSecond: 10e9 }

async function profiled(...calls: readonly number[]): Promise<{ profiler: Profiler; profile: Profile }> {
  const profiler = new Profiler(clockwork, { program } as Executable, peaks)
  for (const steps of calls) await profiler.run({}, { steps })
  return { profiler, profile: makeProfile(profiler, { engine: 'clockwork', precision: 'f32' }) }
}

function assertNear(actual: number, expected: number, what: string): void {
  assert(Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected)), `${what}: ${actual}, not ${expected}`)
}

test('each instruction has its own time, the copies theirs, and the parts add up to the call', async () => {
  const { profile } = await profiled(1, 3, 2)
  assert.equal(profile.steps, 5)
  assert.equal(profile.calls, 2)
  assert(profile.leavesFirstOut)
  profile.instructions.forEach(({ seconds, bestSeconds, longestSeconds }, index) => {
    for (const time of [seconds, bestSeconds, longestSeconds])
      assertNear(time, (index + 1) * 1e-6, `instruction ${index}`)
  })
  assertNear(profile.copySeconds, 5e-3, 'copies')
  assertNear(
    profile.instructionSeconds + profile.copySeconds + profile.callSeconds,
    profile.stepSeconds,
    'parts of the call',
  )
  for (const groups of [profile.kinds, profile.alike]) {
    assertNear(
      groups.reduce((sum, { seconds }) => sum + seconds, 0),
      profile.instructionSeconds,
      'groups',
    )
    assert.equal(
      groups.reduce((sum, { count }) => sum + count, 0),
      numInstructions,
    )
    assert(groups.every(({ seconds }, index) => index === 0 || seconds <= groups[index - 1].seconds))
  }
})

test('a single call counts, for there is no other', async () => {
  const { profile } = await profiled(2)
  assert.equal(profile.steps, 2)
  assert(!profile.leavesFirstOut)
})

test('FLOPs and bytes are the cost model’s', async () => {
  const { profile } = await profiled(1)
  const { each, total } = programCost(program)
  profile.instructions.forEach(({ flops, bytes }, index) => assert.deepEqual({ flops, bytes }, each[index]))
  assertNear(profile.total.flops, total.flops, 'FLOPs')
  assertNear(profile.total.bytes, total.bytes, 'bytes')
  assertNear(
    profile.kinds.reduce((sum, { flops }) => sum + flops, 0),
    total.flops,
    'FLOPs of the groups',
  )
})

test('the roofline: arithmetic or bytes, whichever takes longer; bf16’s own peak for products of bf16', () => {
  const product = (dtype: 'f32' | 'bf16'): Program => {
    const values = [0, 0, 0].map((buffer) => ({ dtype, shape: [8, 8], buffer, offsetElements: 0 }))
    const attributes = { leftBatch: [], rightBatch: [], leftContracting: [1], rightContracting: [0], dtype: 'f32' as const }
    const instruction = { operation: 'dotGeneral', attributes, inputs: [0, 1], outputs: [2], lastUses: [], label: '' } as const
    return { ...program, values, instructions: [instruction] }
  } // prettier-ignore
  const least = (dtype: 'f32' | 'bf16', flops: number, bytes: number, at = peaks): number => {
    const made = product(dtype)
    return leastSeconds(made.instructions[0], made, { flops, bytes }, at)
  }
  assert.equal(least('f32', 100e9, 1e9), 1)
  assert.equal(least('bf16', 100e9, 1e9), 0.5)
  assert.equal(least('bf16', 100e9, 20e9), 2)
  assert.equal(least('bf16', 100e9, 1e9, { ...peaks, productFlopsPerSecond: { f32: 100e9 } }), 1)
})

test('the trace is in the Trace Event Format: instructions inside steps inside calls, in microseconds', async () => {
  const { profiler, profile } = await profiled(1, 2)
  const { traceEvents } = JSON.parse(JSON.stringify(makeTrace(profiler.traced, profile, 7))) as {
    traceEvents: Record<string, unknown>[]
  }
  for (const { name, ph, ts, dur, pid, tid } of traceEvents) {
    assert.equal(typeof name, 'string')
    assert(ph === 'X' || ph === 'M')
    for (const number of [ts, pid, tid, ...(ph === 'X' ? [dur] : [])])
      assert(typeof number === 'number' && Number.isFinite(number) && number >= 0)
  }
  const spans = traceEvents.filter(({ ph }) => ph === 'X') as { name: string; cat: string; ts: number; dur: number }[]
  const of = (cat: string): typeof spans => spans.filter((span) => span.cat === cat)
  const steps = of('step')
  assert.deepEqual(steps.map(({ name }) => name), ['step 8', 'step 9', 'step 10']) // prettier-ignore
  assert.deepEqual(of('call').map(({ name }) => name), ['call of 1 step', 'call of 2 steps']) // prettier-ignore
  const instructions = spans.filter(({ cat }) => cat !== 'step' && cat !== 'call')
  assert.equal(instructions.length, 3 * numInstructions)
  instructions.forEach(({ ts, dur }, position) => {
    const step = steps[Math.floor(position / numInstructions)]
    assert(ts >= step.ts && ts + dur <= step.ts + step.dur + 0.002)
    assert(Math.abs(dur - ((position % numInstructions) + 1)) < 0.01, `${dur} µs`)
  })
})

test('a long training is traced in part and summed up whole', async () => {
  const { profiler, profile } = await profiled(1, ...Array.from({ length: 400 }, () => 2))
  const marks = profiler.traced.reduce((sum, { times }) => sum + times.steps * marksPerStep(program), 0)
  assert(marks <= 60_000 && marks > 50_000, `${marks} marks`)
  assert.equal(profile.steps, 800)
})

forEachEngine('places in the model', (engine) => {
  for (const precision of ['f32', 'bf16'] as const) {
    if (!engine.dtypes.has(precision)) continue
    test(`${precision}: parameters, their gradients, and what lies between`, () => {
      const compiled = compileGraph(gpt.graph, engine, { state, outputs, precision }).program
      const places = findPlaces(compiled)
      const at = (place: string): string[] =>
        compiled.instructions.filter((_, index) => places[index]?.startsWith(place)).map(({ label }) => label)
      for (const weight of ['blocks.0.attention.query.weight', 'blocks.1.mlp.up.weight', 'tokenEmbedding.weight'])
        assert(
          at(weight).some((label) => label.includes('dotGeneral')),
          `a product of ${weight}`,
        )
      for (const module of ['finalNorm', 'blocks.1.norm2']) assert(at(module).length > 0, module)
      if (engine.composites.has('attention')) {
        assert.deepEqual(at('near blocks.1.attention').filter((label) => label.includes('attention')).length, 2)
        assert(at('near blocks.0.mlp').some((label) => label.includes('gelu')))
      }
      assert(!places.some((place) => place === 'near blocks'))
    })
  }
})
