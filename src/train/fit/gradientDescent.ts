/**
 * Gradient descent as the textbook has it: every step sees all rows, until the gradient's norm, or what the objective changes by
 * in a step, falls under the tolerance. The rows are state of the engine and many steps are one call; a step that finds the
 * tolerance reached moves nothing, and neither does any after it.
 */
import { gradients } from '../../autodiff/index.js'
import { compileGraph } from '../../compile/index.js'
import { TalwegError } from '../../core/errors.js'
import { tensorData, tensorType, type Shape } from '../../core/shape.js'
import type { Engine, EngineBuffer } from '../../engine/engine.js'
import { trace, type AnyTensor, type Tensor } from '../../graph/index.js'
import {
  add,
  divide,
  less,
  linearGradient,
  multiply,
  or,
  square,
  subtract,
  sum,
  where,
  zeros,
} from '../../ops/index.js'
import { StepsPerCall } from '../stepsPerCall.js'
import { curvature, parametersOf, sumOfLosses, type FitModel } from './model.js'
import type { ResidentRows } from './rows.js'
import { findLargest, findSpectrum, precisionOf } from './spectrum.js'

export interface Descent {
  readonly weights: ArrayLike<number>
  readonly intercept: ArrayLike<number>
  /** The objective at these weights. */
  readonly loss: number
  readonly steps: number
  readonly converged: boolean
  readonly learningRate: number
}

export interface GradientDescentOptions {
  readonly learningRate: number | 'auto'
  readonly steps: number
  readonly tolerance: number
  readonly shouldStop: () => boolean
  readonly progressed: (step: number, loss: number) => void
}

/** @throws DIVERGED, naming the largest rate that is stable */
export async function gradientDescent(
  model: FitModel,
  rows: ResidentRows,
  engine: Engine,
  options: GradientDescentOptions,
): Promise<Descent> {
  const { steps: maxSteps, tolerance } = options
  const learningRate = options.learningRate === 'auto' ? await fastRate(model, rows, engine) : options.learningRate
  const state = new Map<string, EngineBuffer>(rows.buffers)
  for (const { name, type } of parametersOf(model))
    state.set(name, engine.allocate(type, tensorData(type.dtype, type.shape)))
  state.set('done', engine.allocate(tensorType('bool', []), tensorData('bool', [])))
  const { program } = compileStep(model, rows, engine, learningRate, tolerance)
  const executable = await engine.load(program, state)
  const callSize = new StepsPerCall(4096)
  let steps = 0
  let converged = false
  let first: number | undefined
  while (steps < maxSteps && !converged && !options.shouldStop()) {
    const count = callSize.next(maxSteps - steps)
    const start = performance.now()
    const { loss, isDone } = await executable.run({}, { steps: count })
    callSize.observe(count, (performance.now() - start) / 1000)
    first ??= loss.data[0]
    const numMoved = isDone.data.indexOf(1)
    converged = numMoved >= 0
    if (hasDiverged(loss.data, first))
      throw await diverged(model, rows, engine, learningRate, `diverged within ${steps + count} steps`)
    steps += converged ? numMoved : count
    options.progressed(steps, loss.data[count - 1])
  }
  // One step more that moves nothing, for the objective where the last one led to.
  await state.get('done')?.write(tensorData('bool', [], [1]))
  const { loss } = await executable.run({}, { steps: 1 })
  if (hasDiverged(loss.data, first ?? loss.data[0])) {
    throw await diverged(model, rows, engine, learningRate, `diverged within ${steps} steps`)
  }
  const isUnsure = steps === maxSteps && !converged
  if (isUnsure && (await mustDiverge(model, rows, engine, learningRate, steps))) {
    throw await diverged(model, rows, engine, learningRate, `diverges, too slowly to show in ${steps} steps`)
  }
  const weights = await state.get('weights')?.read()
  const intercept = await state.get('intercept')?.read()
  return {
    weights: weights?.data ?? [],
    intercept: intercept?.data ?? new Float64Array(model.numOutputs),
    loss: loss.data[0],
    steps,
    converged,
    learningRate,
  }
}

function compileStep(
  model: FitModel,
  rows: ResidentRows,
  engine: Engine,
  learningRate: number,
  tolerance: number,
): ReturnType<typeof compileGraph> {
  const parameters = parametersOf(model)
  const inputs = [...parameters, { name: 'done', type: tensorType('bool', []) }, ...rows.types]
  const graph = trace('gradientDescent', inputs, (...tensors) => {
    const values = tensors.slice(0, parameters.length)
    const wasDone = tensors[parameters.length]
    const data = tensors.slice(parameters.length + 1)
    const { loss, slopes } = objective(model, rows, data, values)
    const squares = slopes.map((slope) => sum(square(slope))).reduce((left, right) => add(left, right))
    // To first order a step changes the objective by rate · ‖g‖², which f32 can tell from 0 long after it can't the difference.
    const isFlat = less(squares, Math.max(tolerance ** 2, tolerance / learningRate)) as AnyTensor
    const isDone = or(wasDone, isFlat) as AnyTensor
    const moved = parameters.map(({ name }, index): [string, AnyTensor] => {
      const next = subtract(values[index], multiply(slopes[index], learningRate))
      return [`new ${name}`, where(isDone as Tensor<Shape, 'bool'>, values[index], next)]
    })
    return { ...Object.fromEntries(moved), 'new done': isDone, loss, isDone }
  })
  const state = Object.fromEntries([
    ...[...parameters.map(({ name }) => name), 'done'].map((name): [string, string] => [name, `new ${name}`]),
    ...rows.types.map(({ name }): [string, undefined] => [name, undefined]),
  ])
  return compileGraph(graph, engine, { state, outputs: ['loss', 'isDone'] })
}

interface Objective {
  readonly loss: AnyTensor
  /** By each parameter. */
  readonly slopes: readonly AnyTensor[]
}

/** The mean loss over all rows and its gradient. */
function objective(
  model: FitModel,
  { blockSizes, numRows }: ResidentRows,
  data: readonly AnyTensor[],
  values: readonly AnyTensor[],
): Objective {
  const total = (terms: readonly AnyTensor[]): AnyTensor => terms.reduce((left, right) => add(left, right))
  const blocks = blockSizes.map((_, block) => [data[2 * block], data[2 * block + 1]] as const)
  const { kind } = model
  if (kind === 'softmax' || model.dtype !== 'f32') {
    const sums = blocks.map(([features, targets]) => sumOfLosses(model, features, targets, values))
    const loss: AnyTensor = divide(total(sums), numRows)
    return { loss, slopes: gradients(loss, values) }
  }
  // Written as what a kernel knows how to do in one pass over the rows.
  const [weights, intercept = zeros([1])] = values
  const sums = blocks.map(([features, targets]) => linearGradient(kind, features, targets, weights, intercept))
  const mean = (part: 'loss' | 'weights' | 'intercept'): AnyTensor =>
    divide(total(sums.map((sum) => sum[part])), numRows)
  return { loss: mean('loss'), slopes: [mean('weights'), mean('intercept')].slice(0, values.length) }
}

/** A stable rate never makes the objective larger than it began; one that isn't makes it grow without end. */
function hasDiverged(losses: ArrayLike<number>, first: number): boolean {
  for (let step = 0; step < losses.length; step++) {
    if (!(losses[step] <= 2 * first + 1e-9)) return true
  }
  return false
}

/** Iterations after which an eigenvalue is worth looking at. */
const minIterations = 64

/**
 * Whether a rate is above 2 / λmax, where a quadratic objective grows without end from anywhere but a hyperplane, even if the steps
 * so far were too few to show it. Costs no more than the descent did. Other objectives may curve less than their bound.
 */
async function mustDiverge(
  model: FitModel,
  rows: ResidentRows,
  engine: Engine,
  learningRate: number,
  steps: number,
): Promise<boolean> {
  if (model.kind !== 'linear') return false
  const largest = await findLargest(model, rows, engine, Math.max(minIterations, steps))
  return learningRate * largest > 2 * (1 + 10 * precisionOf(model))
}

async function diverged(
  model: FitModel,
  rows: ResidentRows,
  engine: Engine,
  learningRate: number,
  how: string,
): Promise<TalwegError> {
  const stable = 2 / (curvature[model.kind] * (await findLargest(model, rows, engine)))
  const named = model.kind === 'linear' ? 'the largest stable one is' : 'any is stable up to'
  return new TalwegError({
    code: 'DIVERGED',
    operation: 'fit',
    problem: `gradient descent ${how}: the learning rate is ${learningRate}, ${named} ${roundedDown(stable)}`,
    hint: `use a smaller one, such as ${Number((stable / 2).toPrecision(2))}, or --learning-rate auto`,
  })
}

/** To five digits, so that what is named as stable is. */
function roundedDown(value: number): number {
  if (!(value > 0 && Number.isFinite(value))) return value
  const unit = 10 ** (Math.floor(Math.log10(value)) - 4)
  return Number((Math.floor(value / unit) * unit).toPrecision(5))
}

/**
 * 2 / (λmax + λmin) converges fastest on a quadratic; with λmin near 0 that would be on the edge of stability, so a tenth
 * of the way is left. Source: Nesterov, "Introductory Lectures on Convex Optimization", theorem 2.1.15.
 */
export async function fastRate(model: FitModel, rows: ResidentRows, engine: Engine): Promise<number> {
  const { largest, smallest } = await findSpectrum(model, rows, engine, 1e-2)
  if (!(largest > 0)) return 1
  return Math.min(2 / (largest + smallest), 1.8 / largest) / curvature[model.kind]
}
