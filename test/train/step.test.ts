/** The training step: parts of a batch, many steps in a call, clipping, and what a bad loss does to the state. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileGraph } from '../../src/compile/index.js'
import { tensorData, tensorType, type TensorData } from '../../src/core/shape.js'
import type { Engine, EngineBuffer, Executable } from '../../src/engine/engine.js'
import { createReferenceEngine } from '../../src/engine/reference/index.js'
import type { AnyTensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import * as ops from '../../src/ops/index.js'
import * as optim from '../../src/optim/index.js'
import {
  buildTrainingStep,
  healthFlag,
  isParameterState,
  stepCounter,
  type TracedTraining,
} from '../../src/train/step.js'
import { shardBatch } from '../../src/distribute/sharding.js'
import { forEachEngine } from '../engines/support/engines.js'
import { randomTensor } from '../engines/support/data.js'

const batchSize = 8
const numClasses = 3
const ignored = -1

class Classifier extends nn.Module {
  readonly mlp = new nn.MLP({ inputs: 5, hidden: [6], outputs: numClasses })

  forward(x: AnyTensor): AnyTensor {
    return this.mlp.forward(x)
  }
}

type Batch = { readonly x: AnyTensor; readonly labels: never }

function training(changes: Partial<TracedTraining<Classifier>> = {}): TracedTraining<Classifier> {
  return {
    model: new Classifier(),
    loss: (model, batch: Batch) => nn.crossEntropy(model.forward(batch.x), batch.labels, { ignoredTarget: ignored }),
    optimizer: optim.adamw({ learningRate: 0.01 }),
    batch: [
      { name: 'x', type: tensorType('f32', [batchSize, 5]) },
      { name: 'labels', type: tensorType('i32', [batchSize]) },
    ],
    batchSize,
    totalSteps: 20,
    seed: 7,
    accumulate: 1,
    ...changes,
  }
}

interface Loaded {
  readonly executable: Executable
  readonly state: ReadonlyMap<string, EngineBuffer>
}

async function load(traced: TracedTraining<Classifier>, engine: Engine): Promise<Loaded> {
  const { graph, state, stateTypes, inputs, outputs } = buildTrainingStep(traced)
  const { program } = compileGraph(graph, engine, { state, steppedInputs: new Set(inputs), outputs, verify: true })
  const buffers = new Map<string, EngineBuffer>()
  for (const [name, type] of stateTypes) {
    const value = isParameterState(name)
      ? randomTensor(name, type)
      : tensorData(type.dtype, type.shape, name === healthFlag ? [1] : undefined)
    buffers.set(name, engine.allocate(type, value))
  }
  return { executable: await engine.load(program, buffers), state: buffers }
}

async function readAll({ state }: Loaded): Promise<Map<string, TensorData>> {
  const read = new Map<string, TensorData>()
  for (const [name, buffer] of state) read.set(name, await buffer.read())
  return read
}

/** Batches for some steps; labels that don't count are spread unevenly. */
function batches(steps: number): { x: TensorData; labels: TensorData } {
  const labels = Array.from({ length: steps * batchSize }, (_, index) =>
    index % batchSize < 3 ? ignored : index % numClasses,
  )
  return {
    x: randomTensor('x', tensorType('f32', [steps, batchSize, 5])),
    labels: tensorData('i32', [steps, batchSize], labels),
  }
}

function rowOf({ dtype, shape, data }: TensorData, step: number): TensorData {
  const size = data.length / shape[0]
  return { dtype, shape: [1, ...shape.slice(1)], data: data.slice(step * size, (step + 1) * size) }
}

function assertClose(
  actual: ReadonlyMap<string, TensorData>,
  expected: ReadonlyMap<string, TensorData>,
  tolerance: number,
): void {
  for (const [name, { data }] of expected) {
    data.forEach((value, index) => {
      const found = actual.get(name)?.data[index] ?? Number.NaN
      assert(Math.abs(found - value) <= tolerance, `${name}[${index}] is ${found}, not ${value}`)
    })
  }
}

test('a name that is both a parameter’s and a batch’s is refused', () => {
  const batch = [{ name: 'mlp.layers.0.weight', type: tensorType('f32', [batchSize, 5]) }, ...training().batch]
  assert.throws(() => buildTrainingStep(training({ batch })), {
    code: 'INVALID_TRAINING',
    message: /"mlp\.layers\.0\.weight" is a parameter of the model and a tensor of the batch/,
  })
})

forEachEngine('the training step', (engine) => {
  test('many steps in one call are the same bits as one by one', async () => {
    const [together, apart] = [await load(training(), engine), await load(training(), engine)]
    const { x, labels } = batches(5)
    const all = await together.executable.run({ x, labels }, { steps: 5 })
    for (let step = 0; step < 5; step++) {
      const { loss, learningRate } = await apart.executable.run({ x: rowOf(x, step), labels: rowOf(labels, step) })
      assert.equal(loss.data[0], all.loss.data[step])
      assert.equal(learningRate.data[0], all.learningRate.data[step])
    }
    assert.deepEqual(await readAll(together), await readAll(apart))
    assert.equal((await readAll(together)).get(stepCounter)?.data[0], 5)
  })

  test('a batch in parts is the same step, though targets that don’t count are spread unevenly', async () => {
    const input = batches(1)
    const whole = await load(training({ optimizer: optim.sgd({ learningRate: 0.1 }) }), engine)
    const { loss } = await whole.executable.run(input)
    for (const accumulate of [2, 8]) {
      const inParts = await load(training({ accumulate, optimizer: optim.sgd({ learningRate: 0.1 }) }), engine)
      const found = await inParts.executable.run(input)
      assert(Math.abs(found.loss.data[0] - loss.data[0]) < 1e-6)
      assertClose(await readAll(inParts), await readAll(whole), 1e-6)
    }
  })

  test('a batch in virtual shards is the same step, each shard in parts or whole', async () => {
    const input = batches(1)
    const optimizer = optim.sgd({ learningRate: 0.1 })
    const whole = await load(training({ optimizer }), engine)
    const { loss } = await whole.executable.run(input)
    for (const [numShards, accumulate] of [
      [2, 1],
      [4, 2],
      [8, 1],
    ]) {
      const sharding = shardBatch(numShards, 1, 0)
      const inShards = await load(training({ sharding, accumulate, optimizer }), engine)
      const found = await inShards.executable.run(input)
      assert(Math.abs(found.loss.data[0] - loss.data[0]) < 1e-6)
      assertClose(await readAll(inShards), await readAll(whole), 1e-6)
    }
  })

  test('after a loss that is not finite the state is the one before it, and the first bad value is named', async () => {
    const expected = await load(training(), engine)
    const { x, labels } = batches(4)
    for (let step = 0; step < 2; step++)
      await expected.executable.run({ x: rowOf(x, step), labels: rowOf(labels, step) })
    const loaded = await load(training(), engine)
    x.data[2 * batchSize * 5 + 26] = Number.NaN
    const { loss } = await loaded.executable.run({ x, labels }, { steps: 4 })
    assert.deepEqual(Array.from(loss.data, Number.isFinite), [true, true, false, true])
    const state = await readAll(loaded)
    assert.equal(state.get(healthFlag)?.data[0], 0)
    assert.equal(state.get(stepCounter)?.data[0], 2)
    const good = await readAll(expected)
    for (const [name, { data }] of good) if (name !== healthFlag) assert.deepEqual(state.get(name)?.data, data, name)
    const finding = await loaded.executable.findNonFinite({ x: rowOf(x, 2), labels: rowOf(labels, 2) })
    assert.match(finding?.label ?? '', /input x/)
  })

  test('gradients are clipped to a common norm, which is reported', async () => {
    const input = batches(1)
    const clipNorm = 0.05
    const free = await load(training({ optimizer: optim.sgd({ learningRate: 1 }) }), engine)
    const clipped = await load(training({ optimizer: optim.sgd({ learningRate: 1, clipNorm }) }), engine)
    const before = await readAll(free)
    await free.executable.run(input)
    const { gradientNorm } = await clipped.executable.run(input)
    const [freely, held] = [await readAll(free), await readAll(clipped)]
    let sumOfSquares = 0
    for (const name of before.keys())
      if (isParameterState(name)) moved(before, freely, name).forEach((by) => (sumOfSquares += by ** 2))
    assert(Math.abs(gradientNorm.data[0] - Math.sqrt(sumOfSquares)) < 1e-5)
    assert(gradientNorm.data[0] > clipNorm)
    for (const name of before.keys()) {
      if (!isParameterState(name)) continue
      const wanted = moved(before, freely, name).map((by) => (by * clipNorm) / gradientNorm.data[0])
      moved(before, held, name).forEach((by, index) => assert(Math.abs(by - wanted[index]) < 1e-6))
    }
  })
})

function moved(
  before: ReadonlyMap<string, TensorData>,
  after: ReadonlyMap<string, TensorData>,
  name: string,
): number[] {
  const from = before.get(name)!.data
  return Array.from(after.get(name)!.data, (value, index) => value - from[index])
}

test('the same seed draws the same dropout whatever part of the batch it is for', async () => {
  const engine = createReferenceEngine()
  const withDropout = (accumulate: number, numShards = 1): TracedTraining<Classifier> =>
    training({
      accumulate,
      sharding: shardBatch(numShards, 1, 0),
      optimizer: optim.sgd({ learningRate: 0.1 }),
      loss: (model, batch: Batch) => nn.meanOf(ops.square(ops.random.dropout(model.forward(batch.x), 0.5))),
    })
  const input = batches(1)
  const whole = await load(withDropout(1), engine)
  const { loss } = await whole.executable.run(input)
  for (const other of [withDropout(4), withDropout(1, 8), withDropout(2, 2)]) {
    const inParts = await load(other, engine)
    const found = await inParts.executable.run(input)
    assert(Math.abs(loss.data[0] - found.loss.data[0]) < 1e-6)
    assertClose(await readAll(inParts), await readAll(whole), 1e-6)
  }
})
