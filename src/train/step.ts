/**
 * The training step as one graph: forward, backward, clipping, optimiser and what is reported. Parameters, optimiser
 * slots, the number of steps done and whether all is still well are its state; a batch is its input.
 *
 * A step whose loss is not finite changes nothing, and neither does any step after it: so of many steps in one call the
 * first bad one can be found, with the state that it began with.
 */
import { TalwegError } from '../core/errors.js'
import { tensorType, type Shape, type TensorType } from '../core/shape.js'
import { trace, type AnyTensor, type Graph, type NamedType, type Tensor } from '../graph/index.js'
import { withParameters, type AnyParameter, type Module } from '../nn/index.js'
import {
  add, and, convert, divide, isFinite, maximum, minimum, multiply, reshape, scalar, sqrt, sumOfSquares, where,
} from '../ops/index.js' // prettier-ignore
import type { Optimizer } from '../optim/index.js'
import {
  asMean,
  counterPrefix,
  seedWord,
  stepCounter,
  traceBatch,
  trainedOf,
  type TracedTraining,
} from './batchGradients.js'
import { get, traceNamed, type Tensors } from './namedTrace.js'
import { userBatch } from './userBatch.js'

export { stepCounter, type TracedTraining }

export interface StepGraph {
  readonly graph: Graph
  /** Each state's name with the result that is its new value; undefined where it is only read. */
  readonly state: Readonly<Record<string, string | undefined>>
  /** Types of the state: parameters by their path, the rest under `slotPrefix` and `counterPrefix`. */
  readonly stateTypes: ReadonlyMap<string, TensorType>
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

const slotPrefix = 'slots/'
/** Stands in a slot's place for the optimiser's state that belongs to no one parameter. */
const sharedSlot = 'shared'
/** 1 until a loss was not finite. */
export const healthFlag = `${counterPrefix}healthy`

/** Whether a state entry is a parameter of the model, rather than the optimiser's or the loop's. */
export function isParameterState(name: string): boolean {
  return !name.startsWith(slotPrefix) && !name.startsWith(counterPrefix)
}

const slotName = (slot: string, path: string): string => `${slotPrefix}${slot}/${path}`
const newName = (name: string): string => `new ${name}`

/**
 * One step.
 *
 * Results besides the state: `loss` and `learningRate`, `f32` scalars, and `gradientNorm` where gradients are clipped.
 */
export function buildTrainingStep<M extends Module>(training: TracedTraining<M>): StepGraph {
  const { model, optimizer, batch } = training
  const parameters = model.namedParameters()
  const stateTypes = stateTypesOf(parameters, optimizer)
  refuseSharedNames(batch, stateTypes)
  const inputs = [...Array.from(stateTypes, ([name, type]) => ({ name, type })), ...batch]
  let state: Record<string, string | undefined> = {}
  const graph = traceNamed('step', inputs, (tensors) => {
    const { results, updated } = traceStep(training, parameters, tensors)
    state = Object.fromEntries(
      Array.from(stateTypes.keys(), (name) => [name, updated.has(name) ? newName(name) : undefined]),
    )
    for (const [name, value] of updated) results[newName(name)] = value
    return results
  })
  const outputs = graph.results.map(({ name }) => name).filter((name) => !Object.values(state).includes(name))
  return { graph, state, stateTypes, inputs: batch.map(({ name }) => name), outputs }
}

/** State and batches are a graph's inputs by name, so no name may be of both. */
function refuseSharedNames(batch: readonly NamedType[], stateTypes: ReadonlyMap<string, TensorType>): void {
  const shared = batch.find(({ name }) => stateTypes.has(name))
  if (shared === undefined) return
  throw new TalwegError({
    code: 'INVALID_TRAINING',
    operation: 'model',
    problem: `"${shared.name}" is a parameter of the model and a tensor of the batch`,
    hint: 'give one of them another name',
  })
}

function stateTypesOf(parameters: ReadonlyMap<string, AnyParameter>, optimizer: Optimizer): Map<string, TensorType> {
  const types = new Map<string, TensorType>()
  for (const [path, { type }] of parameters) types.set(path, type)
  for (const [path, { type, trainable }] of parameters) {
    if (trainable) for (const slot of optimizer.slots) types.set(slotName(slot, path), type)
  }
  for (const name of optimizer.shared?.names ?? []) types.set(slotName(sharedSlot, name), tensorType('f32', []))
  types.set(stepCounter, tensorType('u32', []))
  types.set(healthFlag, tensorType('bool', []))
  return types
}

interface TracedResults {
  readonly results: Record<string, AnyTensor>
  /** New values of state entries. */
  readonly updated: ReadonlyMap<string, AnyTensor>
}

function traceStep<M extends Module>(
  training: TracedTraining<M>,
  parameters: ReadonlyMap<string, AnyParameter>,
  tensors: Tensors,
): TracedResults {
  const { optimizer, totalSteps } = training
  const stepsDone = convert(get(tensors, stepCounter), 'f32') as AnyTensor
  const slotsOf = (path: string): Record<string, AnyTensor> =>
    Object.fromEntries(optimizer.slots.map((slot) => [slot, get(tensors, slotName(slot, path))]))
  const points = gradientPoints(optimizer, parameters, tensors, slotsOf)
  const { loss, gradients: raw, statistics } = traceBatch(training, parameters, new Map([...tensors, ...points]))
  const { clipped, norm } = clip(raw, optimizer.clipNorm)
  const isFine = and(get(tensors, healthFlag), isFinite(add(loss, norm ?? 0))) as Tensor<Shape, 'bool'>
  const learningRate = optimizer.learningRate.rate({ step: stepsDone, totalSteps })
  const updated = new Map<string, AnyTensor>()
  const update = (name: string, value: AnyTensor): void =>
    void updated.set(name, where(isFine, value, get(tensors, name)))
  const step = add(stepsDone, 1)
  const each = Array.from(clipped, ([path, gradient]) => ({ path, parameter: get(tensors, path), gradient, slots: slotsOf(path) })) // prettier-ignore
  const { names = [], update: updateShared } = optimizer.shared ?? {}
  const shared = Object.fromEntries(names.map((name) => [name, get(tensors, slotName(sharedSlot, name))]))
  const sharedAfter = updateShared?.({ parameters: each, shared, learningRate, step }) ?? {}
  for (const name of names) update(slotName(sharedSlot, name), sharedAfter[name])
  for (const { path, ...own } of each) {
    const decays = optimizer.decay(path, own.parameter.shape)
    const next = optimizer.update({ ...own, learningRate, step, decays, shared, sharedAfter })
    update(path, next.parameter)
    for (const slot of optimizer.slots) update(slotName(slot, path), next.slots[slot])
  }
  for (const [path, value] of statistics) update(path, value)
  update(stepCounter, add(get(tensors, stepCounter), scalar(1, 'u32')) as AnyTensor)
  updated.set(healthFlag, isFine)
  return { results: { loss, learningRate, ...(norm === undefined ? {} : { gradientNorm: norm }) }, updated }
}

/** Where an optimiser wants the gradients, by path, where that is not at the parameters themselves. */
function gradientPoints(
  { gradientPoint }: Optimizer,
  parameters: ReadonlyMap<string, AnyParameter>,
  tensors: Tensors,
  slotsOf: (path: string) => Readonly<Record<string, AnyTensor>>,
): Map<string, AnyTensor> {
  if (gradientPoint === undefined) return new Map()
  return new Map(
    trainedOf(parameters).map(([path]) => [
      path,
      gradientPoint({ parameter: get(tensors, path), slots: slotsOf(path) }),
    ]),
  )
}

/** Scales all gradients so that their common norm is at most `limit`. */
function clip(
  raw: ReadonlyMap<string, AnyTensor>,
  limit: number | undefined,
): { clipped: ReadonlyMap<string, AnyTensor>; norm?: AnyTensor } {
  if (limit === undefined) return { clipped: raw }
  const norm = sqrt(sumOfSquares([...raw.values()]))
  const scale = minimum(divide(limit, maximum(norm, 1e-30)), 1)
  return { clipped: new Map(Array.from(raw, ([path, gradient]) => [path, multiply(gradient, scale)])), norm }
}

/**
 * Evaluation of one batch: the model as it is used, with dropout off.
 *
 * Results: for `loss` and each metric, `NAME.total` and `NAME.weight`, so that batches of any size can be joined.
 */
export function buildEvaluation<M extends Module>(
  training: Pick<TracedTraining<M>, 'model' | 'loss' | 'metrics' | 'batch'>,
): StepGraph {
  const { model, loss, metrics, batch } = training
  const parameters = model.namedParameters()
  const stateTypes = new Map(Array.from(parameters, ([path, { type }]) => [path, type]))
  const inputs = [...Array.from(stateTypes, ([name, type]) => ({ name, type })), ...batch]
  const graph = traceNamed('evaluation', inputs, (tensors) => {
    const values = new Map(Array.from(parameters, ([path, parameter]) => [parameter, get(tensors, path)]))
    const given = userBatch(Object.fromEntries(batch.map(({ name }) => [name, get(tensors, name)])))
    const measured = withParameters({ training: false, values, updates: new Map() }, () => ({
      loss: loss(model, given),
      ...metrics?.(model, given),
    }))
    const results: Record<string, AnyTensor> = {}
    for (const [name, value] of Object.entries(measured)) {
      const { total, weight } = asMean(name === 'loss' ? 'loss' : `metric ${name}`, value)
      results[`${name}.total`] = total
      results[`${name}.weight`] = weight
    }
    return results
  })
  const state = Object.fromEntries(Array.from(stateTypes.keys(), (name) => [name, undefined]))
  return {
    graph,
    state,
    stateTypes,
    inputs: batch.map(({ name }) => name),
    outputs: graph.results.map(({ name }) => name),
  }
}

/**
 * The first values of a model's parameters that weren't loaded. They are state: they are drawn where they stay, with no copy
 * on the host.
 */
export function buildInitialization(
  model: Module,
  seed: number,
): { graph: Graph; state: Readonly<Record<string, string>> } {
  const parameters = Array.from(model.namedParameters()).filter(([, { loaded }]) => loaded === undefined)
  const inputs = parameters.map(([name, { type }]) => ({ name, type }))
  const state = Object.fromEntries(parameters.map(([path]) => [path, `first ${path}`]))
  const draw = (): Record<string, AnyTensor> =>
    Object.fromEntries(
      parameters.map(([path, { type, initializer }]) => [
        state[path],
        reshape(initializer({ type, path, seed: scalar(seedWord(seed), 'u32') as AnyTensor }), type.shape) as AnyTensor,
      ]),
    )
  return { graph: trace('initialization', inputs, draw, false), state }
}
