/** What is computed again for the backward pass: less memory, the same bits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileGraph, type CompiledProgram, type PassName, type Precision } from '../../../src/compile/index.js'
import { tensorData, type TensorData } from '../../../src/core/shape.js'
import type { Engine } from '../../../src/engine/engine.js'
import * as nn from '../../../src/nn/index.js'
import * as optim from '../../../src/optim/index.js'
import { buildInitialization, buildTrainingStep, healthFlag, type StepGraph } from '../../../src/train/step.js'
import { forEachEngine } from '../support/engines.js'

const context = 128
const batchSize = 16
const vocabulary = 30

interface Case {
  readonly model: nn.GPT
  readonly step: StepGraph
  readonly precision: Precision
}

function gpt(layers: number, width: number, precision: Precision): Case {
  const model = new nn.GPT({ vocabulary, context, layers, heads: 4, width })
  return { model, step: buildStep(model), precision }
}

const buildStep = (model: nn.GPT): StepGraph =>
  buildTrainingStep({
    model,
    loss: (gpt: nn.GPT, batch: { tokens: never; targets: never }) => nn.crossEntropy(gpt.forward(batch.tokens), batch.targets), // prettier-ignore
    optimizer: optim.adamw({ learningRate: 1e-2 }),
    batch: ['tokens', 'targets'].map((name) => ({ name, type: { dtype: 'i32', shape: [batchSize, context] } })),
    batchSize,
    totalSteps: 3,
    seed: 1,
    accumulate: 1,
  })

function compile(engine: Engine, { step, precision }: Case, ...disabled: PassName[]): CompiledProgram {
  const { state, outputs } = step
  const options = { state, outputs, precision, disabledPasses: new Set(disabled), verify: true }
  return compileGraph(step.graph, engine, options)
}

/** Losses of three steps, and the state after them. */
async function train(engine: Engine, { model, step }: Case, { program }: CompiledProgram): Promise<TensorData[]> {
  const buffers = new Map(Array.from(step.stateTypes, ([name, type]) => [name, engine.allocate(type)]))
  const { graph, state } = buildInitialization(model, 1)
  await (await engine.load(compileGraph(graph, engine, { state, outputs: [] }).program, buffers)).run({})
  await buffers.get(healthFlag)!.write(tensorData('bool', [], [1]))
  const executable = await engine.load(program, buffers)
  const losses: TensorData[] = []
  for (let index = 0; index < 3; index++) {
    const tokens = Array.from({ length: batchSize * context }, (_, place) => (place * 7 + index) % vocabulary)
    const targets = tokens.map((token) => (token * token) % vocabulary)
    const shape = [batchSize, context]
    const inputs = { tokens: tensorData('i32', shape, tokens), targets: tensorData('i32', shape, targets) }
    losses.push((await executable.run(inputs)).loss)
  }
  return [...losses, ...(await Promise.all(Array.from(buffers.values(), (buffer) => buffer.read())))]
}

forEachEngine('recomputing', (engine) => {
  if (engine.name !== 'native') return
  test("it takes a fifth off a transformer's step and changes no bit", async () => {
    const inF32 = gpt(3, 256, 'f32')
    const recomputed = compile(engine, inF32)
    const kept = compile(engine, inF32, 'recompute')
    const ratio = recomputed.plan.arenaBytes / kept.plan.arenaBytes
    assert(ratio < 0.8, `${recomputed.plan.arenaBytes} of ${kept.plan.arenaBytes} bytes`)
    assert(recomputed.program.instructions.length > kept.program.instructions.length)
    assert.deepEqual(await train(engine, inF32, recomputed), await train(engine, inF32, kept))
  })

  test('in bf16 large weights are converted again, and no bit changes', async () => {
    const inHalf = gpt(3, 512, 'bf16')
    const recomputed = compile(engine, inHalf)
    const kept = compile(engine, inHalf, 'recompute')
    const numConversions = ({ program }: CompiledProgram): number =>
      program.instructions.filter(({ operation }) => operation === 'convert').length
    assert(numConversions(recomputed) > numConversions(kept))
    assert(recomputed.plan.arenaBytes < kept.plan.arenaBytes)
    assert.deepEqual(await train(engine, inHalf, recomputed), await train(engine, inHalf, kept))
  })
})
