/**
 * The gradients of a batch: of all of it at once, or of its virtual shards, each in parts that are worked through one after
 * another. Sums of losses and sums of weights are added up apart and divided at the end, so that uneven parts count as they
 * would in one.
 */
import { gradients } from '../autodiff/index.js'
import { invariant, TalwegError } from '../core/errors.js'
import { rowsOfShards, sumOverShards } from '../core/shardTree.js'
import { formatType } from '../core/shape.js'
import { sumOverWorkers, wholeBatch, type BatchSharding } from '../distribute/sharding.js'
import { isTensor, type AnyTensor, type NamedType } from '../graph/index.js'
import { Mean, withParameters, type AnyParameter, type Module } from '../nn/index.js'
import { add, alias, divide, maximum, multiply, optimizationBarrier, random, scalar, sliceDim } from '../ops/index.js'
import type { Optimizer } from '../optim/index.js'
import { get, type Tensors } from './namedTrace.js'
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

/** Of state that is the loop's own. */
export const counterPrefix = 'training/'
/** The state entry that counts the steps done. */
export const stepCounter = `${counterPrefix}step`

/** The parameters that are trained, with their paths. */
export function trainedOf(parameters: ReadonlyMap<string, AnyParameter>): (readonly [string, AnyParameter])[] {
  return Array.from(parameters).filter(([, { trainable }]) => trainable)
}

export interface TracedBatch {
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
export function traceBatch<M extends Module>(
  training: TracedTraining<M>,
  parameters: ReadonlyMap<string, AnyParameter>,
  tensors: Tensors,
): TracedBatch {
  const { batch, accumulate, sharding = wholeBatch } = training
  const trained = trainedOf(parameters)
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
  const trained = trainedOf(parameters)
  const partSize = batchSize / sharding.numShards / accumulate
  const ownFirstRow = rowsOfShards(sharding.own, sharding.numShards, batchSize).start
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
export function asMean(what: string, result: unknown): { loss: AnyTensor; total: AnyTensor; weight: AnyTensor } {
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

/** A seed of up to 53 bits as the word by which a graph's random numbers are keyed. */
export function seedWord(seed: number): number {
  return (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b9)) >>> 0
}
