/** Prodigy and schedule-free optimisers, by the step that `talweg train` runs, against their papers' formulas in PyTorch. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { compileGraph } from '../../src/compile/index.js'
import { tensorData, type Shape, type TensorData } from '../../src/core/shape.js'
import type { Engine, EngineBuffer } from '../../src/engine/engine.js'
import type { AnyTensor } from '../../src/graph/index.js'
import { Module, Parameter } from '../../src/nn/index.js'
import { add, multiply, square, sum } from '../../src/ops/index.js'
import * as optim from '../../src/optim/index.js'
import { buildTrainingStep } from '../../src/train/step.js'
import { forEachEngine } from '../engines/support/engines.js'
import { assertAgrees } from './agree.js'
import { initialState } from './step.js'

const shapes = { matrix: [3, 4], vector: [5] } as const
type Name = keyof typeof shapes
type Numbers = Readonly<Record<Name, readonly number[]>>

interface Case {
  readonly kind: 'prodigy' | 'scheduleFreeSgd' | 'scheduleFreeAdamw'
  readonly settings: Readonly<Record<string, number>>
  readonly warmup: number | null
  readonly end: Numbers
}

const fixture = JSON.parse(readFileSync(new URL('fixtures/learningRateFree.json', import.meta.url), 'utf8')) as {
  readonly numSteps: number
  readonly start: Numbers
  readonly slopes: Numbers
  readonly cases: Readonly<Record<string, Case>>
}

/** Its loss is Σ slope · p + p² / 2, so that a gradient tells where it was taken. */
class Surface extends Module {
  readonly matrix = new Parameter<Shape>(shapes.matrix)
  readonly vector = new Parameter<Shape>(shapes.vector)

  loss(batch: Readonly<Record<Name, AnyTensor>>): AnyTensor {
    const part = (name: Name): AnyTensor => {
      const p = this[name] as AnyTensor
      return add(sum(multiply(batch[name], p)), multiply(sum(square(p)), 0.5)) as AnyTensor
    }
    return add(part('matrix'), part('vector')) as AnyTensor
  }
}

const makers: Readonly<Record<Case['kind'], (options: object) => optim.Optimizer>> = {
  prodigy: optim.prodigy,
  scheduleFreeSgd: optim.scheduleFreeSgd,
  scheduleFreeAdamw: optim.scheduleFreeAdamw,
}

function optimizerOf({ kind, settings, warmup }: Case): optim.Optimizer {
  const { learningRate, ...rest } = settings
  const rate = warmup === null || learningRate === undefined ? learningRate : optim.constant(learningRate, { warmup })
  return makers[kind]({ ...rest, ...(rate === undefined ? {} : { learningRate: rate }) })
}

async function check(engine: Engine, name: string): Promise<void> {
  const { numSteps, start, slopes, cases } = fixture
  const names = Object.keys(shapes) as Name[]
  const { graph, state, stateTypes, inputs, outputs } = buildTrainingStep({
    model: new Surface(),
    loss: (model, { matrixSlope: matrix, vectorSlope: vector }: Record<`${Name}Slope`, AnyTensor>) =>
      model.loss({ matrix, vector }),
    optimizer: optimizerOf(cases[name]),
    batch: names.map((key) => ({ name: `${key}Slope`, type: { dtype: 'f32', shape: [1, ...shapes[key]] } })),
    batchSize: 1,
    totalSteps: numSteps,
    seed: 0,
    accumulate: 1,
  })
  const { program } = compileGraph(graph, engine, { state, steppedInputs: new Set(inputs), outputs, verify: true })
  const buffers = new Map<string, EngineBuffer>()
  for (const [key, type] of stateTypes) {
    const given = Object.hasOwn(shapes, key) ? tensorData('f32', type.shape, start[key as Name]) : undefined
    buffers.set(key, engine.allocate(type, given ?? initialState(key, type)))
  }
  const stepped = Object.fromEntries(
    names.map((key): [string, TensorData] => [
      `${key}Slope`,
      tensorData('f32', [numSteps, 1, ...shapes[key]], slopes[key]),
    ]),
  )
  await (await engine.load(program, buffers)).run(stepped, { steps: numSteps })
  for (const key of names) {
    const expected = tensorData('f32', shapes[key], cases[name].end[key])
    assertAgrees(await buffers.get(key)!.read(), expected, `${key} after ${numSteps} steps`)
    assert.notDeepEqual(cases[name].end[key], start[key])
  }
}

forEachEngine('optimisers without a learning rate', (engine) => {
  for (const name of Object.keys(fixture.cases)) test(name, () => check(engine, name))
})
