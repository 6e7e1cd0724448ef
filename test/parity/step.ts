/** A model's loss with its gradients, and whole training steps, as the parity tests and `bench/xla` compare them. */
import { gradients } from '../../src/autodiff/index.js'
import { tensorData, type Shape, type TensorData, type TensorType } from '../../src/core/shape.js'
import { trace, type AnyTensor, type Graph, type Tensor } from '../../src/graph/index.js'
import { crossEntropy, withParameters } from '../../src/nn/index.js'
import type { Optimizer } from '../../src/optim/index.js'
import { buildTrainingStep, healthFlag, type StepGraph } from '../../src/train/step.js'
import type { ParityModel } from './models.js'

export interface BatchTypes {
  readonly inputs: TensorType
  readonly targets: TensorType
}

interface BatchTensors {
  readonly inputs: AnyTensor
  readonly targets: Tensor<Shape, 'i32'>
}

function lossOf(model: ParityModel, { inputs, targets }: BatchTensors): AnyTensor {
  return crossEntropy(model.forward(inputs), targets)
}

/** Parameters, `inputs` and `targets` to `loss` and, by parameter, the gradients. */
export function traceGradients(model: ParityModel, batch: BatchTypes): Graph {
  const parameters = [...model.namedParameters()]
  const types = parameters.map(([name, { type }]) => ({ name, type }))
  const inputs = [...types, { name: 'inputs', type: batch.inputs }, { name: 'targets', type: batch.targets }]
  return trace('gradients', inputs, (...tensors) => {
    const values = new Map(parameters.map(([, parameter], index) => [parameter, tensors[index]]))
    const [given, targets] = tensors.slice(parameters.length)
    return withParameters({ training: true, values, updates: new Map() }, () => {
      const loss = lossOf(model, { inputs: given, targets: targets as Tensor<Shape, 'i32'> })
      const trained = parameters.filter(([, { trainable }]) => trainable)
      const found = gradients(
        loss,
        trained.map(([, parameter]) => values.get(parameter)!),
      )
      return { loss, ...Object.fromEntries(trained.map(([name], index) => [name, found[index]])) }
    })
  })
}

/** The step that `talweg train` would run. */
export function traceStep(model: ParityModel, batch: BatchTypes, optimizer: Optimizer): StepGraph {
  return buildTrainingStep({
    model,
    loss: lossOf,
    optimizer,
    batch: Object.entries(batch).map(([name, type]) => ({ name, type })),
    batchSize: batch.inputs.shape[0],
    totalSteps: 20,
    seed: 0,
    accumulate: 1,
  })
}

/** State that no fixture has: running variances start at 1 and the step is healthy; all else is 0. */
export function initialState(name: string, { dtype, shape }: TensorType): TensorData {
  const isOne = name === healthFlag || name.endsWith('runningVariance')
  const state = tensorData(dtype, shape)
  state.data.fill(isOne ? 1 : 0)
  return state
}
