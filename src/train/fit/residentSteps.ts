/**
 * Stochastic steps on rows that stay in the engine: a call takes only which rows come next, and an instruction does many
 * steps. For models of which the engine knows such an instruction (`linearDescent`), and tables that have room there.
 */
import { compileGraph } from '../../compile/index.js'
import { tensorType, type Shape, type TensorData } from '../../core/shape.js'
import type { ShuffledOrder, TableSource } from '../../data/index.js'
import type { Engine, EngineBuffer, Executable } from '../../engine/engine.js'
import { trace, type AnyTensor, type NamedType, type Tensor } from '../../graph/index.js'
import { divide, linearDescent, linearGradient, zeros } from '../../ops/index.js'
import { parametersOf, rowTypes, type FitModel } from './model.js'
import { loadWhole } from './rows.js'
import type { Rate, StochasticSteps } from './stochastic.js'

/** Rows that an instruction takes, whatever the batch; a step alone may have more. */
const rowsPerInstruction = 128
/** Rows of a call: some milliseconds. */
const rowsPerCall = 65_536

/** Where these steps can't be had: undefined. */
export async function residentSteps(
  model: FitModel,
  source: TableSource,
  engine: Engine,
  order: ShuffledOrder,
  batchSize: number,
  rate: Rate,
  parameters: ReadonlyMap<string, EngineBuffer>,
): Promise<ResidentSteps | undefined> {
  const { kind, dtype } = model
  if (kind === 'softmax' || dtype !== 'f32' || !engine.composites.has('linearDescent')) return undefined
  const rows = await loadWhole(source, model, engine)
  if (rows === undefined) return undefined
  const state = new Map([...parameters, ...Object.entries(rows)])
  const perInstruction = Math.max(1, Math.floor(rowsPerInstruction / batchSize))
  const linear = { ...model, kind }
  const load = (steps: number): Promise<Executable> =>
    loadSteps(linear, source.numSamples, steps, batchSize, engine, state)
  const loss = await loadLoss(linear, source.numSamples, engine, state)
  return new ResidentSteps(order, rate, batchSize, perInstruction, await load(perInstruction), await load(1), loss)
}

interface LinearModel extends FitModel {
  readonly kind: 'linear' | 'logistic'
}

class ResidentSteps implements StochasticSteps {
  readonly maxSteps: number
  readonly #order: ShuffledOrder
  readonly #rate: Rate
  readonly #batchSize: number
  readonly #perInstruction: number
  readonly #many: Executable
  readonly #one: Executable
  readonly #loss: Executable
  // Used again call by call: V8 doesn't see how much memory waits behind small objects.
  readonly #places: readonly Int32Array[]
  readonly #rates: readonly Float32Array[]
  readonly #losses: Float32Array
  #turn = 0

  constructor(
    order: ShuffledOrder,
    rate: Rate,
    batchSize: number,
    perInstruction: number,
    many: Executable,
    one: Executable,
    loss: Executable,
  ) {
    this.#order = order
    this.#rate = rate
    this.#batchSize = batchSize
    this.#perInstruction = perInstruction
    this.#many = many
    this.#one = one
    this.#loss = loss
    this.maxSteps = perInstruction * Math.max(1, Math.floor(rowsPerCall / (perInstruction * batchSize)))
    this.#places = [0, 1].map(() => new Int32Array(this.maxSteps * batchSize))
    this.#rates = [0, 1].map(() => new Float32Array(this.maxSteps))
    this.#losses = new Float32Array(this.maxSteps)
  }

  prepare(firstStep: number, count: number): () => Promise<ArrayLike<number>> {
    const places = this.#places[this.#turn].subarray(0, count * this.#batchSize)
    const rates = this.#rates[this.#turn].subarray(0, count)
    this.#turn = 1 - this.#turn
    this.#order.fill(firstStep * this.#batchSize, places)
    for (let step = 0; step < count; step++) rates[step] = this.#rate(firstStep + step)
    return () => this.#run(places, rates)
  }

  /** As many steps as instructions of many have, then the rest one by one. */
  async #run(places: Int32Array, rates: Float32Array): Promise<ArrayLike<number>> {
    const count = rates.length
    const whole = count - (count % this.#perInstruction)
    const losses = this.#losses.subarray(0, count)
    const parts = [
      { executable: this.#many, steps: this.#perInstruction, begin: 0, end: whole },
      { executable: this.#one, steps: 1, begin: whole, end: count },
    ]
    for (const { executable, steps, begin, end } of parts) {
      if (begin === end) continue
      const calls = (end - begin) / steps
      const rows = places.subarray(begin * this.#batchSize, end * this.#batchSize)
      const inputs: Record<string, TensorData> = {
        order: { dtype: 'i32', shape: [calls, steps, this.#batchSize], data: rows },
        rates: { dtype: 'f32', shape: [calls, steps], data: rates.subarray(begin, end) },
      }
      const outputs = await executable.run(inputs, { steps: calls })
      losses.set(outputs.losses.data, begin)
    }
    return losses
  }

  async meanLoss(): Promise<number> {
    const { loss } = await this.#loss.run({})
    return loss.data[0]
  }
}

function stateTypes(model: LinearModel, numRows: number): NamedType[] {
  const rows = Object.entries(rowTypes(model, numRows)).map(([name, type]) => ({ name, type }))
  return [...rows, ...parametersOf(model)]
}

async function loadSteps(
  model: LinearModel,
  numRows: number,
  steps: number,
  batchSize: number,
  engine: Engine,
  state: ReadonlyMap<string, EngineBuffer>,
): Promise<Executable> {
  const resident = stateTypes(model, numRows)
  const inputs = [
    { name: 'order', type: tensorType('i32', [steps, batchSize]) },
    { name: 'rates', type: tensorType('f32', [steps]) },
  ]
  const graph = trace('residentSteps', [...inputs, ...resident], (order, rates, features, targets, ...values) => {
    const [weights, intercept = zeros([1])] = values
    const rows = { features: features as AnyTensor, targets: targets as AnyTensor }
    const places = order as Tensor<Shape, 'i32'>
    const next = linearDescent(model.kind, rows, places, rates, { weights, intercept }, model.hasIntercept)
    const moved = { 'new weights': next.weights, ...(model.hasIntercept ? { 'new intercept': next.intercept } : {}) }
    return { ...moved, losses: next.losses }
  })
  const { program } = compileGraph(graph, engine, {
    state: {
      features: undefined,
      targets: undefined,
      ...Object.fromEntries(parametersOf(model).map(({ name }) => [name, `new ${name}`])),
    },
    steppedInputs: new Set(['order', 'rates']),
    outputs: ['losses'],
  })
  return engine.load(program, state)
}

/** The objective over all rows. */
async function loadLoss(
  model: LinearModel,
  numRows: number,
  engine: Engine,
  state: ReadonlyMap<string, EngineBuffer>,
): Promise<Executable> {
  const resident = stateTypes(model, numRows)
  const graph = trace('loss', resident, (features, targets, weights, intercept = zeros([1])) => {
    const sums = linearGradient(model.kind, features, targets, weights, intercept)
    return { loss: divide(sums.loss, numRows) }
  })
  const readOnly = Object.fromEntries(resident.map(({ name }): [string, undefined] => [name, undefined]))
  return engine.load(compileGraph(graph, engine, { state: readOnly }).program, state)
}
