/**
 * The training step as one graph: forward, backward, clipping, optimiser and what is reported. Parameters, optimiser
 * slots, the number of steps done and whether all is still well are its state; a batch is its input.
 *
 * A step whose loss is not finite changes nothing, and neither does any step after it: so of many steps in one call the
 * first bad one can be found, with the state that it began with.
 */
import { gradients } from '../autodiff/index.js'
import { invariant, TalwegError } from '../core/errors.js'
import { sumOverShards } from '../core/shardTree.js'
import { formatType, tensorType, type Shape, type TensorType } from '../core/shape.js'
import { isTensor, trace, type AnyTensor, type Graph, type NamedType, type Tensor } from '../graph/index.js'
import { rowsOfWorker, sumOverWorkers, wholeBatch, type BatchSharding } from '../distribute/sharding.js'
import { Mean, withParameters, type AnyParameter, type Module } from '../nn/index.js'
import {
  add, alias, and, convert, divide, isFinite, maximum, minimum, multiply, optimizationBarrier, random, reshape, scalar, sliceDim,
  sqrt, sumOfSquares, where,
} from '../ops/index.js' // prettier-ignore
import type { Optimizer } from '../optim/index.js'
import { userBatch } from './userBatch.js'

/** What of a training a graph is made of. */
export interface TracedTraining<M extends Module = Module> {
  readonly model: M
  readonly loss: (model: M, batch: never) => AnyTensor
  readonly metrics?: (model: M, batch: never) => Readonly<Record<string, AnyTensor>>
  readonly optimizer: Optimizer
  /** Each tensor of a batch, with the batch as dimension 0. */
  readonly batch: readonly NamedType[]
  readonly batchSize: number
  readonly totalSteps: number
  readonly seed: number
  /** Parts that a shard is worked through in. */
  readonly accumulate: number
  /** Virtual shards of a batch, and which of them this worker has; one, and all of it, by default. */
  readonly sharding?: BatchSharding
}

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
const counterPrefix = 'training/'
export const stepCounter = `${counterPrefix}step`
/** 1 until a loss was not finite. */
export const healthFlag = `${counterPrefix}healthy`

/** Whether a state entry is a parameter of the model, rather than the optimiser's or the loop's. */
export function isParameterState(name: string): boolean {
  return !name.startsWith(slotPrefix) && !name.startsWith(counterPrefix)
}

const slotName = (slot: string, path: string): string => `${slotPrefix}${slot}/${path}`
const newName = (name: string): string => `new ${name}`

type Tensors = ReadonlyMap<string, AnyTensor>

function get(tensors: Tensors, name: string): AnyTensor {
  const tensor = tensors.get(name)
  invariant(tensor !== undefined, `the step has ${name}`)
  return tensor
}

/** Traces with tensors by name. */
function traceNamed(
  name: string,
  inputs: readonly NamedType[],
  body: (tensors: Tensors) => Readonly<Record<string, AnyTensor>>,
): Graph {
  return trace(name, inputs, (...tensors) => body(new Map(inputs.map((input, index) => [input.name, tensors[index]]))))
}

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
  const trained = Array.from(parameters).filter(([, { trainable }]) => trainable)
  return new Map(
    trained.map(([path]) => [path, gradientPoint({ parameter: get(tensors, path), slots: slotsOf(path) })]),
  )
}

interface TracedBatch {
  readonly loss: AnyTensor
  /** Of the trained parameters, by path. */
  readonly gradients: ReadonlyMap<string, AnyTensor>
  /** New values of the others, where the model moves them. */
  readonly statistics: ReadonlyMap<string, AnyTensor>
}

/** What has been added up over parts of a batch. */
interface Sums {
  readonly total: AnyTensor
  readonly weight: AnyTensor
  readonly gradients: readonly AnyTensor[]
}

/** A shard's sums, and where it leaves what the model moves by itself. */
interface ShardSums extends Sums {
  readonly statistics: ReadonlyMap<string, AnyTensor>
}

/**
 * The batch's loss and gradients, part by part. The sums of losses and the sums of weights are added up apart and divided
 * at the end, so that uneven parts count as they would in one.
 */
function traceBatch<M extends Module>(
  training: TracedTraining<M>,
  parameters: ReadonlyMap<string, AnyParameter>,
  tensors: Tensors,
): TracedBatch {
  const { batch, accumulate, sharding = wholeBatch } = training
  const trained = Array.from(parameters).filter(([, { trainable }]) => trainable)
  if (accumulate === 1 && sharding.numShards === 1) {
    const inputs = batch.map(({ name }) => get(tensors, name))
    const { loss, statistics } = tracePart(training, parameters, tensors, new Map(), inputs, 0)
    return {
      loss,
      gradients: named(
        trained,
        gradients(
          loss,
          trained.map(([path]) => get(tensors, path)),
        ),
      ),
      statistics,
    }
  }
  const sums = traceShards(training, parameters, tensors)
  const weight = maximum(sums.weight, 1)
  const means = sums.gradients.map((sum) => divide(sum, weight))
  return { loss: divide(sums.total, weight), gradients: named(trained, means), statistics: sums.statistics }
}

/**
 * All shards' sums: this worker's own, up the tree, then the rest of the tree between workers. What a shard gives is held
 * apart, so that it is computed by the same kernels wherever it is added to whatever.
 */
function traceShards<M extends Module>(
  training: TracedTraining<M>,
  parameters: ReadonlyMap<string, AnyParameter>,
  tensors: Tensors,
): ShardSums {
  const { sharding = wholeBatch } = training
  if (sharding.numShards === 1) return traceShard(training, parameters, tensors, 0)
  let latest: ShardSums | undefined
  const own = sumOverShards(
    sharding.own,
    (shard) => (latest = holdApart(traceShard(training, parameters, tensors, shard, latest))),
    (left, right) => (latest = addShards(left, right)),
  )
  const [total, weight, ...others] = sumOverWorkers(sharding, [own.total, own.weight, ...own.statistics.values(), ...own.gradients]) // prettier-ignore
  const statistics = Array.from(own.statistics.keys(), (path, index): [string, AnyTensor] => [
    path,
    divide(others[index], sharding.numShards),
  ])
  return { total, weight, gradients: others.slice(statistics.length), statistics: new Map(statistics) }
}

/** @param before what has to be there before this shard is begun: else all shards could be alive together */
function traceShard<M extends Module>(
  training: TracedTraining<M>,
  parameters: ReadonlyMap<string, AnyParameter>,
  tensors: Tensors,
  shard: number,
  before?: Sums,
): ShardSums {
  const { batch, batchSize, accumulate, sharding = wholeBatch } = training
  const trained = Array.from(parameters).filter(([, { trainable }]) => trainable)
  const partSize = batchSize / sharding.numShards / accumulate
  const ownFirstRow = rowsOfWorker(sharding, batchSize).start
  let statistics: ReadonlyMap<string, AnyTensor> = new Map()
  let sums: Sums | undefined
  for (let part = 0; part < accumulate; part++) {
    const firstRow = (shard * accumulate + part) * partSize
    const cut = batch.map(({ name }) => rowsOf(get(tensors, name), firstRow - ownFirstRow, partSize))
    const earlier = sums ?? before
    const held: { inputs: readonly AnyTensor[]; sums?: Sums } =
      earlier === undefined ? { inputs: cut } : holdBack(cut, earlier)
    // Aliases of its own for each part: by them a part's gradients have nothing to do with the sums held back before it.
    const aliases = new Map(trained.map(([path]) => [path, alias(get(tensors, path))]))
    const found = tracePart(training, parameters, new Map([...tensors, ...aliases]), statistics, held.inputs, firstRow)
    statistics = found.statistics
    const partGradients = gradients(found.total, [...aliases.values()])
    const partSums = { total: found.total, weight: found.weight, gradients: partGradients }
    sums = addSums(sums === undefined ? undefined : held.sums, partSums)
  }
  invariant(sums !== undefined, 'a shard has a part')
  return { ...sums, statistics }
}

/** The same values, those of the next part made to come after all sums: else all parts could be alive together. */
function holdBack(
  inputs: readonly AnyTensor[],
  { total, weight, gradients: summed }: Sums,
): { inputs: readonly AnyTensor[]; sums: Sums } {
  const held = optimizationBarrier([total, weight, ...inputs, ...summed])
  const end = 2 + inputs.length
  return { inputs: held.slice(2, end), sums: { total: held[0], weight: held[1], gradients: held.slice(end) } }
}

/** The same values, into whose making nothing is fused that is done with them. */
function holdApart({ total, weight, gradients: summed, statistics }: ShardSums): ShardSums {
  const [heldTotal, heldWeight, ...held] = optimizationBarrier([total, weight, ...statistics.values(), ...summed])
  const moved = Array.from(statistics.keys(), (path, index): [string, AnyTensor] => [path, held[index]])
  return { total: heldTotal, weight: heldWeight, gradients: held.slice(moved.length), statistics: new Map(moved) }
}

function addSums(left: Sums | undefined, right: Sums): Sums {
  if (left === undefined) return right
  return {
    total: add(left.total, right.total),
    weight: add(left.weight, right.weight),
    gradients: left.gradients.map((sum, index) => add(sum, right.gradients[index])),
  }
}

function addShards(left: ShardSums, right: ShardSums): ShardSums {
  const statistics = Array.from(left.statistics, ([path, value]): [string, AnyTensor] => [
    path,
    add(value, right.statistics.get(path) ?? value),
  ])
  return { ...addSums(left, right), statistics: new Map(statistics) }
}

function named(
  trained: readonly (readonly [string, AnyParameter])[],
  values: readonly AnyTensor[],
): Map<string, AnyTensor> {
  return new Map(trained.map(([path], index) => [path, values[index]]))
}

function rowsOf(tensor: AnyTensor, first: number, count: number): AnyTensor {
  return count === tensor.shape[0] ? tensor : sliceDim(tensor, 0, first, first + count)
}

interface TracedPart {
  readonly loss: AnyTensor
  readonly total: AnyTensor
  readonly weight: AnyTensor
  readonly statistics: Map<string, AnyTensor>
}

function tracePart<M extends Module>(
  training: TracedTraining<M>,
  parameters: ReadonlyMap<string, AnyParameter>,
  tensors: Tensors,
  statistics: ReadonlyMap<string, AnyTensor>,
  inputs: readonly AnyTensor[],
  firstRow: number,
): TracedPart {
  const { model, loss, batch, batchSize, seed, accumulate, sharding = wholeBatch } = training
  const step = get(tensors, stepCounter)
  const partSize = batchSize / sharding.numShards / accumulate
  const firstSample = add(multiply(step, scalar(batchSize, 'u32')), scalar(firstRow, 'u32')) as AnyTensor
  const randomness = { seed: scalar(seedWord(seed), 'u32'), step, sampleOffset: firstSample, numSamples: partSize }
  const values = new Map(
    Array.from(parameters, ([path, parameter]) => [parameter, statistics.get(path) ?? get(tensors, path)]),
  )
  const updates = new Map<AnyParameter, AnyTensor>()
  const given = userBatch(Object.fromEntries(batch.map(({ name }, index) => [name, inputs[index]])))
  const result = withParameters({ training: true, values, updates }, () =>
    random.withRandomness(randomness, () => loss(model, given)),
  )
  const moved = new Map(statistics)
  for (const [path, parameter] of parameters) {
    const value = updates.get(parameter)
    if (value !== undefined) moved.set(path, value)
  }
  return { ...asMean('loss', result), statistics: moved }
}

/** The loss with its sum and its weight. A plain scalar counts as the mean of one item. */
function asMean(what: string, result: unknown): { loss: AnyTensor; total: AnyTensor; weight: AnyTensor } {
  if (!isTensor(result) || result.rank !== 0 || result.dtype !== 'f32') {
    throw new TalwegError({
      code: 'INVALID_TRAINING',
      operation: what,
      problem: `it gives ${isTensor(result) ? formatType(result.type) : String(result)}, not a scalar f32[]`,
      hint: isTensor(result) ? 'take its mean, or use a loss of nn' : 'return the loss from the function',
    })
  }
  if (result instanceof Mean) return { loss: result, total: result.total, weight: result.weight }
  return { loss: result, total: result, weight: scalar(1, 'f32') as AnyTensor }
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

/** A seed of up to 53 bits as the word by which a graph's random numbers are keyed. */
function seedWord(seed: number): number {
  return (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b9)) >>> 0
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
