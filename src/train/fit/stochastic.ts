/**
 * Stochastic gradient descent: a few rows a step, in an order shuffled anew each epoch. Either the rows stay in the engine
 * (`residentSteps.ts`), or they are gathered on the host in that order, thousands of steps at once, while the engine works
 * on those before.
 */
import { gradients } from '../../autodiff/index.js'
import { compileGraph } from '../../compile/index.js'
import { TalwegError } from '../../core/errors.js'
import { tensorData, tensorType } from '../../core/shape.js'
import { allocateBatch, ShuffledOrder, type Batch, type TableSource } from '../../data/index.js'
import type { Engine, EngineBuffer, Executable } from '../../engine/engine.js'
import { trace, type AnyTensor } from '../../graph/index.js'
import { divide, multiply, subtract } from '../../ops/index.js'
import type { Descent } from './gradientDescent.js'
import { curvature, parametersOf, rowTypes, sumOfLosses, type FitModel } from './model.js'
import { residentSteps } from './residentSteps.js'
import { feed, loadRows, readBlocks } from './rows.js'
import { findSpectrum } from './spectrum.js'

export interface StochasticOptions {
  readonly learningRate: number | 'auto'
  readonly batchSize: number
  readonly steps: number
  readonly tolerance: number
  readonly seed: number
  readonly shouldStop: () => boolean
  readonly progressed: (step: number, loss: number) => void
}

/** Rows gathered for one call; there are two such stacks. */
const stackBytes = 4e6
const maxStepsPerCall = 16384
/** Rows from which the automatic rate is found. */
const numSampledRows = 4096

export type Rate = (step: number) => number

/** How steps are done. The next ones are prepared while the engine works on those before. */
export interface StochasticSteps {
  /** Of one call. */
  readonly maxSteps: number
  /** Makes ready the steps from `firstStep` on. @returns what does them and gives each one's mean loss before it */
  prepare(firstStep: number, count: number): () => Promise<ArrayLike<number>>
}

/** @throws DIVERGED where the weights stop being finite */
export async function stochasticDescent(
  model: FitModel,
  source: TableSource,
  engine: Engine,
  options: StochasticOptions,
): Promise<Descent> {
  const { steps: maxSteps, batchSize, seed, tolerance } = options
  const order = new ShuffledOrder(source.numSamples, seed)
  const rate = await chooseRate(model, source, engine, order, options)
  const state = new Map<string, EngineBuffer>()
  for (const { name, type } of parametersOf(model))
    state.set(name, engine.allocate(type, tensorData(type.dtype, type.shape)))
  const stepsPerEpoch = source.numSamples / batchSize
  const resident = await residentSteps(model, source, engine, order, batchSize, rate, state)
  const stepper: StochasticSteps =
    resident ?? new StackedSteps(model, source, order, batchSize, rate, await loadStep(model, batchSize, engine, state))
  const epochs = new EpochLosses(tolerance)
  let steps = 0
  let count = stepsUntil(0, stepsPerEpoch, maxSteps, stepper.maxSteps)
  let run = stepper.prepare(0, count)
  while (steps < maxSteps && !epochs.isSettled && !options.shouldStop()) {
    const running = run()
    const done = count
    const after = steps + done
    if (after < maxSteps) {
      count = stepsUntil(after, stepsPerEpoch, maxSteps, stepper.maxSteps)
      run = stepper.prepare(after, count)
    }
    const mean = meanOf(await running)
    if (!Number.isFinite(mean)) throw diverged(rate(0), after, options.learningRate === 'auto')
    epochs.add(mean * done, done, Math.floor(after / stepsPerEpoch + 1e-9))
    steps = after
    options.progressed(steps, mean)
  }
  const weights = await state.get('weights')?.read()
  const intercept = await state.get('intercept')?.read()
  const loss = resident === undefined ? await meanLoss(model, source, engine, state) : await resident.meanLoss()
  if (!Number.isFinite(loss)) throw diverged(rate(0), steps, options.learningRate === 'auto')
  return {
    weights: weights?.data ?? [],
    intercept: intercept?.data ?? new Float64Array(model.numOutputs),
    loss,
    steps,
    converged: epochs.isSettled,
    learningRate: rate(0),
  }
}

/** A call ends where an epoch does, so that epochs can be compared. */
function stepsUntil(step: number, stepsPerEpoch: number, maxSteps: number, most: number): number {
  const epoch = Math.floor(step / stepsPerEpoch + 1e-9)
  const epochEnd = Math.ceil((epoch + 1) * stepsPerEpoch - 1e-9)
  return Math.max(1, Math.min(epochEnd, maxSteps, step + most) - step)
}

/** Settled when an epoch's mean loss is that of the one before, to the tolerance. */
class EpochLosses {
  readonly #tolerance: number
  #epoch = 0
  #sum = 0
  #count = 0
  #previous: number | undefined
  isSettled = false

  constructor(tolerance: number) {
    this.#tolerance = tolerance
  }

  add(sum: number, count: number, epoch: number): void {
    this.#sum += sum
    this.#count += count
    if (epoch === this.#epoch) return
    const mean = this.#sum / this.#count
    this.isSettled = this.#previous !== undefined && Math.abs(mean - this.#previous) < this.#tolerance
    this.#previous = mean
    this.#epoch = epoch
    this.#sum = 0
    this.#count = 0
  }
}

/** Batches of several steps, one after the other, gathered into two places in turn. */
class StackedSteps implements StochasticSteps {
  readonly maxSteps: number
  readonly #model: FitModel
  readonly #source: TableSource
  readonly #order: ShuffledOrder
  readonly #batchSize: number
  readonly #rate: Rate
  readonly #places: readonly [Batch, Batch]
  readonly #indices: Float64Array
  readonly #executable: Executable
  #turn: 0 | 1 = 0

  constructor(
    model: FitModel,
    source: TableSource,
    order: ShuffledOrder,
    batchSize: number,
    rate: Rate,
    executable: Executable,
  ) {
    this.#executable = executable
    this.#model = model
    this.#source = source
    this.#order = order
    this.#batchSize = batchSize
    this.#rate = rate
    const rowBytes = 4 * (model.numFeatures + 1)
    this.maxSteps = Math.max(1, Math.min(maxStepsPerCall, Math.floor(stackBytes / (rowBytes * batchSize))))
    const numRows = this.maxSteps * batchSize
    this.#indices = new Float64Array(numRows)
    this.#places = [allocateBatch(source.element, numRows), allocateBatch(source.element, numRows)]
  }

  prepare(firstStep: number, count: number): () => Promise<ArrayLike<number>> {
    const numRows = count * this.#batchSize
    const first = firstStep * this.#batchSize
    const indices = this.#indices.subarray(0, numRows)
    for (let row = 0; row < numRows; row++) indices[row] = this.#order.at(first + row)
    const whole = this.#places[this.#turn]
    this.#turn = this.#turn === 0 ? 1 : 0
    this.#source.gatherSync(indices, whole)
    const rates = tensorData(this.#model.dtype, [count])
    for (let step = 0; step < count; step++) rates.data[step] = this.#rate(firstStep + step)
    const inputs = { ...feed(this.#model, whole, [count, this.#batchSize]), rate: rates }
    return async () => (await this.#executable.run(inputs, { steps: count })).loss.data
  }
}

function loadStep(
  model: FitModel,
  batchSize: number,
  engine: Engine,
  state: ReadonlyMap<string, EngineBuffer>,
): Promise<Executable> {
  const parameters = parametersOf(model)
  const { features, targets } = rowTypes(model, batchSize)
  const rows = [
    { name: 'rate', type: tensorType(model.dtype, []) },
    { name: 'features', type: features },
    { name: 'targets', type: targets },
  ]
  const graph = trace('stochasticDescent', [...parameters, ...rows], (...tensors) => {
    const values = tensors.slice(0, parameters.length)
    const [rate, rowFeatures, rowTargets] = tensors.slice(parameters.length)
    const loss: AnyTensor = divide(sumOfLosses(model, rowFeatures, rowTargets, values), batchSize)
    const slopes = gradients(loss, values)
    const moved = parameters.map(({ name }, index): [string, AnyTensor] => [
      `new ${name}`,
      subtract(values[index], multiply(slopes[index], rate) as AnyTensor),
    ])
    return { ...Object.fromEntries(moved), loss }
  })
  const { program } = compileGraph(graph, engine, {
    state: Object.fromEntries(parameters.map(({ name }) => [name, `new ${name}`])),
    steppedInputs: new Set(['rate', 'features', 'targets']),
    outputs: ['loss'],
  })
  return engine.load(program, state)
}

/** The objective over all rows, block by block. */
async function meanLoss(
  model: FitModel,
  source: TableSource,
  engine: Engine,
  state: ReadonlyMap<string, EngineBuffer>,
): Promise<number> {
  let sum = 0
  let loaded: { readonly size: number; readonly executable: Executable } | undefined
  for (const { size, batch } of readBlocks(source, model)) {
    if (loaded?.size !== size) loaded = { size, executable: await loadLoss(model, size, engine, state) }
    const { loss } = await loaded.executable.run(batch)
    sum += loss.data[0]
  }
  return sum / source.numSamples
}

function loadLoss(
  model: FitModel,
  numRows: number,
  engine: Engine,
  state: ReadonlyMap<string, EngineBuffer>,
): Promise<Executable> {
  const parameters = parametersOf(model)
  const rows = Object.entries(rowTypes(model, numRows)).map(([name, type]) => ({ name, type }))
  const graph = trace('loss', [...parameters, ...rows], (...tensors) => {
    const [features, targets] = tensors.slice(parameters.length)
    return { loss: sumOfLosses(model, features, targets, tensors.slice(0, parameters.length)) }
  })
  const state_ = Object.fromEntries(parameters.map(({ name }): [string, undefined] => [name, undefined]))
  return engine.load(compileGraph(graph, engine, { state: state_ }).program, state)
}

/**
 * The rate given, or one that falls: η(t) = η₀ / (1 + η₀ μ t / 2), with η₀ half of what is stable for a batch and μ the least
 * curvature. It ends as 2 / (μ t), with which the error falls as fast as averaging over the rows allows.
 *
 * Source: Bottou, Curtis and Nocedal, "Optimization methods for large-scale machine learning", theorem 4.7.
 */
async function chooseRate(
  model: FitModel,
  source: TableSource,
  engine: Engine,
  order: ShuffledOrder,
  { learningRate, batchSize }: StochasticOptions,
): Promise<Rate> {
  if (learningRate !== 'auto') return () => learningRate
  const numRows = Math.min(source.numSamples, numSampledRows)
  const rows = await loadRows(
    source,
    model,
    engine,
    Array.from({ length: numRows }, (_, row) => order.at(row)),
  )
  const { largest, smallest, mean } = await findSpectrum(model, rows, engine, 1e-2)
  if (!(largest > 0)) return () => 1
  const steepest = curvature[model.kind]
  const squaredNorm = mean * (model.numFeatures + (model.hasIntercept ? 1 : 0))
  const initial = batchSize / (steepest * (squaredNorm + (batchSize - 1) * largest))
  // Where rows are nearly certain, classes curve far less than their bound says.
  const least = steepest * Math.max(smallest, mean / 100) * (model.kind === 'linear' ? 1 : 1 / 4)
  const start = initial / 2
  return (step) => start / (1 + (start * least * step) / 2)
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let index = 0; index < values.length; index++) sum += values[index]
  return sum / values.length
}

function diverged(rate: number, steps: number, isAutomatic: boolean): TalwegError {
  return new TalwegError({
    code: 'DIVERGED',
    operation: 'fit',
    problem: `stochastic gradient descent diverged within ${steps} steps: the objective is no longer finite with the learning rate ${Number(rate.toPrecision(4))}`,
    hint: isAutomatic
      ? `use a smaller one, such as ${Number((rate / 10).toPrecision(2))}`
      : 'use --learning-rate auto, or a smaller one',
  })
}
