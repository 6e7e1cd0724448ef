/** Talweg against PyTorch: the same weights and batches give the same loss, gradients and 20 steps, to 1e-5. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TensorData, TensorType } from '../../src/core/shape.js'
import { compileGraph } from '../../src/compile/index.js'
import type { Engine, EngineBuffer } from '../../src/engine/engine.js'
import { adamw, sgd, type Optimizer } from '../../src/optim/index.js'
import { forEachEngine } from '../engines/support/engines.js'
import { assertAgrees, assertNumberAgrees } from './agree.js'
import { readFixture, type Fixture, type ModelName, type OptimizerName } from './fixture.js'
import { parityModels } from './models.js'
import { initialState, traceGradients, traceStep } from './step.js'

/** Its gradient is zero, so that nothing but rounding is in it, which Adam divides by its own size (fixtures/README.md). */
const isKeyBias = (name: string): boolean => name.endsWith('attention.key.bias')

async function checkGradients(engine: Engine, modelName: ModelName): Promise<void> {
  const fixture = await readFixture(modelName)
  const model = parityModels[modelName]()
  const batch = fixture.batch(0)
  const { program } = compileGraph(traceGradients(model, batch), engine, { verify: true })
  const executable = await engine.load(program, new Map())
  const types = Array.from(model.namedParameters(), ([name, { type }]) => [name, type] as const)
  const parameters = new Map([...startOf(types, fixture), ...Object.entries(batch)])
  const wanted = Object.fromEntries(program.inputs.map(({ name }) => [name, parameters.get(name)!]))
  const { loss, ...found } = await executable.run(wanted)
  assertNumberAgrees(loss, fixture.loss, 'the loss')
  const expected = fixture.group('gradients')
  assert.deepEqual(Object.keys(found).toSorted(), [...expected.keys()].toSorted())
  for (const [name, gradient] of expected) {
    if (!isKeyBias(name)) assertAgrees(found[name], gradient, `the gradient of ${name}`)
    else
      assert.ok(
        Array.from(found[name].data).every((value) => Math.abs(value) < 1e-6),
        `the gradient of ${name} is zero`,
      )
  }
}

/** The fixture's parameters, and what state starts as otherwise. */
function startOf(types: Iterable<readonly [string, TensorType]>, fixture: Fixture): Map<string, TensorData> {
  const given = fixture.group('parameters')
  return new Map(Array.from(types, ([name, type]) => [name, given.get(name) ?? initialState(name, type)]))
}

const optimizers: { readonly [O in OptimizerName]: (fixture: Fixture) => Optimizer } = {
  adamw: (fixture) => adamw(fixture.adamw),
  sgd: (fixture) => sgd(fixture.sgd),
}

async function checkSteps(engine: Engine, modelName: ModelName, optimizerName: OptimizerName): Promise<void> {
  const fixture = await readFixture(modelName)
  const model = parityModels[modelName]()
  const { graph, state, stateTypes } = traceStep(model, fixture.batch(0), optimizers[optimizerName](fixture))
  const { program } = compileGraph(graph, engine, { state, outputs: ['loss'], verify: true })
  const buffers = new Map<string, EngineBuffer>()
  for (const [name, value] of startOf(stateTypes, fixture)) buffers.set(name, engine.allocate(value, value))
  const executable = await engine.load(program, buffers)
  for (let index = 0; index < fixture.steps; index++) {
    const { loss } = await executable.run(fixture.batch(index))
    assertNumberAgrees(loss, fixture.losses[optimizerName][index], `the loss of step ${index}`)
  }
  for (const [name, expected] of fixture.group(optimizerName)) {
    if (optimizerName === 'adamw' && isKeyBias(name)) continue
    assertAgrees(await buffers.get(name)!.read(), expected, `${name} after ${fixture.steps} steps`)
  }
}

forEachEngine('parity with PyTorch', (engine) => {
  for (const model of ['gpt', 'mlp', 'convnet'] as const) {
    test(`${model}: loss and every gradient`, () => checkGradients(engine, model))
    test(`${model}: 20 steps of AdamW`, () => checkSteps(engine, model, 'adamw'))
    test(`${model}: 20 steps of SGD with momentum`, () => checkSteps(engine, model, 'sgd'))
  }
})
