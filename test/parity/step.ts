/** A model's loss with its gradients, and whole training steps, traced from nn, autodiff and optim. */
import { gradients } from '../../src/autodiff/index.js'
import { tensorType, type Shape, type TensorData, type TensorType } from '../../src/core/shape.js'
import { trace, type AnyTensor, type Graph, type Tensor } from '../../src/graph/index.js'
import { crossEntropy, withParameters, type AnyParameter } from '../../src/nn/index.js'
import type { Optimizer } from '../../src/optim/index.js'
import * as ops from '../../src/ops/index.js'
import type { ParityModel } from './models.js'

export interface BatchTypes {
  readonly inputs: TensorType
  readonly targets: TensorType
}

interface Traced {
  readonly loss: AnyTensor
  /** Of the trained parameters. */
  readonly gradients: ReadonlyMap<string, AnyTensor>
  /** New values of those that are not trained. */
  readonly updates: ReadonlyMap<AnyParameter, AnyTensor>
}

function lossAndGradients(model: ParityModel, tensors: ReadonlyMap<string, AnyTensor>): Traced {
  const parameters = model.namedParameters()
  const values = new Map([...parameters].map(([name, parameter]) => [parameter, tensors.get(name)!]))
  const updates = new Map<AnyParameter, AnyTensor>()
  return withParameters({ training: true, values, updates }, () => {
    const loss = crossEntropy(model.forward(tensors.get('inputs')!), tensors.get('targets') as Tensor<Shape, 'i32'>)
    const trained = [...parameters].filter(([, { trainable }]) => trainable).map(([name]) => name)
    const found = gradients(
      loss,
      trained.map((name) => tensors.get(name)!),
    )
    return { loss, gradients: new Map(trained.map((name, index) => [name, found[index]])), updates }
  })
}

type NamedTypes = readonly { readonly name: string; readonly type: TensorType }[]

function traceNamed(
  name: string,
  inputs: NamedTypes,
  body: (tensors: ReadonlyMap<string, AnyTensor>) => Readonly<Record<string, AnyTensor>>,
): Graph {
  return trace(name, inputs, (...tensors) => body(new Map(inputs.map((input, index) => [input.name, tensors[index]]))))
}

function parametersAndBatch(model: ParityModel, batch: BatchTypes): NamedTypes {
  const parameters = [...model.namedParameters()].map(([name, { type }]) => ({ name, type }))
  return [...parameters, { name: 'inputs', type: batch.inputs }, { name: 'targets', type: batch.targets }]
}

/** Parameters, `inputs` and `targets` to `loss` and, by parameter, the gradients. */
export function traceGradients(model: ParityModel, batch: BatchTypes): Graph {
  return traceNamed('gradients', parametersAndBatch(model, batch), (tensors) => {
    const { loss, gradients: found } = lossAndGradients(model, tensors)
    return { loss, ...Object.fromEntries(found) }
  })
}

export interface TracedStep {
  readonly graph: Graph
  /** Each state's name with that of the result that is its new value. */
  readonly state: Readonly<Record<string, string>>
  /** What the optimiser's state is at the start: zeros. */
  readonly slots: ReadonlyMap<string, TensorType>
}

const slotName = (slot: string, parameter: string): string => `${slot}/${parameter}`
const newName = (name: string): string => `new ${name}`

/** One step: state, `inputs`, `targets` and `step` (f32, from 1) to `loss` and the new state. */
export function traceStep(model: ParityModel, batch: BatchTypes, optimizer: Optimizer): TracedStep {
  const parameters = model.namedParameters()
  const trained = [...parameters].filter(([, { trainable }]) => trainable)
  const slots = new Map(
    trained.flatMap(([name, { type }]) => optimizer.slots.map((slot) => [slotName(slot, name), type] as const)),
  )
  const slotTypes = Array.from(slots, ([name, type]) => ({ name, type }))
  const inputs = [...parametersAndBatch(model, batch), ...slotTypes, { name: 'step', type: tensorType('f32', []) }]
  const graph = traceNamed('step', inputs, (tensors) => {
    const { loss, gradients: found, updates } = lossAndGradients(model, tensors)
    const step = tensors.get('step')!
    const learningRate = optimizer.learningRate.rate({ step: ops.subtract(step, 1), totalSteps: 20 })
    const results: Record<string, AnyTensor> = { loss }
    for (const [name, { type }] of trained) {
      const ofParameter = Object.fromEntries(optimizer.slots.map((slot) => [slot, tensors.get(slotName(slot, name))!]))
      const decays = optimizer.decay(name, type.shape)
      const next = optimizer.update({
        parameter: tensors.get(name)!,
        gradient: found.get(name)!,
        slots: ofParameter,
        learningRate,
        step,
        decays,
      })
      results[newName(name)] = next.parameter
      for (const slot of optimizer.slots) results[newName(slotName(slot, name))] = next.slots[slot]
    }
    for (const [name, parameter] of parameters) {
      const moved = updates.get(parameter)
      if (moved !== undefined) results[newName(name)] = moved
    }
    return results
  })
  const state = Object.fromEntries([...parameters.keys(), ...slots.keys()].map((name) => [name, newName(name)]))
  return { graph, state, slots }
}

/** Batch norm's running statistics start at 0 and 1, as in PyTorch. */
export function initialStatistics(name: string, type: TensorType): TensorData {
  const data = new Float32Array(type.shape.reduce((product, size) => product * size, 1)).fill(
    name.endsWith('runningVariance') ? 1 : 0,
  )
  return { dtype: 'f32', shape: type.shape, data }
}
