/** Twelve steps of each optimiser along given gradients, by the step that `talweg train` runs, against PyTorch's. */
import { test } from 'node:test'
import { compileGraph } from '../../src/compile/index.js'
import type { Shape, TensorData } from '../../src/core/shape.js'
import type { Engine, EngineBuffer } from '../../src/engine/engine.js'
import type { AnyTensor } from '../../src/graph/index.js'
import { Module, Parameter } from '../../src/nn/index.js'
import { add, multiply, sum } from '../../src/ops/index.js'
import * as optim from '../../src/optim/index.js'
import { buildTrainingStep } from '../../src/train/step.js'
import { forEachEngine } from '../engines/support/engines.js'
import { assertAgrees } from './agree.js'
import { pieces, tensorsOf, type Settings } from './pieces.js'
import { initialState } from './step.js'

type ParameterName = 'matrix' | 'table' | 'vector'
type Slopes = Readonly<Record<`${ParameterName}Slope`, AnyTensor>>

/** Its loss is Σ parameter · given number, so that its gradients are the numbers given. */
class Surface extends Module {
  readonly matrix = new Parameter<Shape>([3, 4])
  readonly table = new Parameter<Shape>([2, 5])
  readonly vector = new Parameter<Shape>([5])

  loss(batch: Slopes): AnyTensor {
    const part = (name: ParameterName): AnyTensor => sum(multiply(batch[`${name}Slope`], this[name] as AnyTensor))
    return add(add(part('matrix'), part('table')), part('vector'))
  }
}

const makers: Readonly<Record<string, (options: never) => optim.Optimizer>> = {
  sgd: optim.sgd,
  adam: optim.adam,
  adamw: optim.adamw,
  lion: optim.lion,
}

function optimizerOf({ kind, decayed, ...options }: Settings): optim.Optimizer {
  const decay = (path: string): boolean => (decayed as readonly string[]).includes(path)
  return makers[kind]({ ...options, decay } as never)
}

async function check(engine: Engine, name: string, settings: Settings): Promise<void> {
  const given = tensorsOf(name, 'gradients')
  const batch = [...given].map(([key, { dtype, shape }]) => ({
    name: `${key}Slope`,
    type: { dtype, shape: [1, ...shape.slice(1)] },
  }))
  const numSteps = given.get('vector')!.shape[0]
  const { graph, state, stateTypes, inputs, outputs } = buildTrainingStep({
    model: new Surface(),
    loss: (model, slopes: Slopes) => model.loss(slopes),
    optimizer: optimizerOf(settings),
    batch,
    batchSize: 1,
    totalSteps: numSteps,
    seed: 0,
    accumulate: 1,
  })
  const { program } = compileGraph(graph, engine, { state, steppedInputs: new Set(inputs), outputs, verify: true })
  const start = tensorsOf(name, 'start')
  const buffers = new Map<string, EngineBuffer>()
  for (const [key, type] of stateTypes)
    buffers.set(key, engine.allocate(type, start.get(key) ?? initialState(key, type)))
  const stepped = Object.fromEntries(
    [...given].map(([key, { dtype, shape, data }]): [string, TensorData] => [
      `${key}Slope`,
      { dtype, shape: [numSteps, 1, ...shape.slice(1)], data },
    ]),
  )
  await (await engine.load(program, buffers)).run(stepped, { steps: numSteps })
  for (const [key, expected] of tensorsOf(name, 'end')) {
    assertAgrees(await buffers.get(key)!.read(), expected, `${key} after ${numSteps} steps`)
  }
}

forEachEngine('optimisers as PyTorch has them', (engine) => {
  for (const [name, settings] of Object.entries(pieces.optimizers)) {
    test(name, () => check(engine, name, settings))
  }
})
