/**
 * Batches for calls of several steps: the batches of a call lie behind each other in one array for each input. Two
 * stacks are used in turn, so that the next call's batches are read while the engine works on this one's. Of data that is in
 * memory the engine itself takes the rows, where it can: with all its threads, and no other thread in their way.
 */
import { invariant } from '../core/errors.js'
import type { HostArray } from '../core/dtype.js'
import { numElements, tensorData, type TensorData } from '../core/shape.js'
import { allocateBatch, BatchReader, gatherRows, rowsOfShare, type Batch, type DataSource, type Share } from '../data/index.js' // prettier-ignore
import { maxSteps } from './stepsPerCall.js'

/** The batches of one call. */
export interface Stack {
  readonly steps: number
  /** `[steps, batch, …]`, or the whole data, `[rows, …]`; good until the stack after the next is asked for. */
  readonly inputs: Batch
  /** The rows of all batches, where `inputs` is the whole data. */
  readonly rows?: Int32Array
}

/** Where the loop's batches come from. */
export interface BatchSupply {
  /** Batches that a call has room for. */
  readonly capacity: number
  /** The batches of the next `steps` steps. */
  next(steps: number): Promise<Stack>
}

export interface StackedBatchesOptions {
  readonly seed: number
  readonly batchSize: number
  /** The global sample position to start at. */
  readonly position: number
  /** Batches that a stack holds. */
  readonly capacity: number
  /** This worker's part of each batch; all of it by default. */
  readonly share?: Share
}

export class StackedBatches implements BatchSupply {
  readonly capacity: number
  readonly #source: DataSource
  readonly #reader: BatchReader
  readonly #numRows: number
  readonly #stacks: readonly Batch[]
  readonly #indices: Float64Array
  readonly #epochs: Float64Array
  #turn = 0

  constructor(source: DataSource, { seed, batchSize, position, capacity, share }: StackedBatchesOptions) {
    this.#source = source
    this.#reader = new BatchReader(source, { seed, batchSize, position, share, prefetch: 0 })
    this.#numRows = this.#reader.numRows
    this.capacity = capacity
    this.#stacks = [0, 1].map(() => allocateBatch(source.element, this.#numRows * capacity))
    this.#indices = new Float64Array(this.#numRows)
    this.#epochs = new Float64Array(this.#numRows)
  }

  async next(steps: number): Promise<Stack> {
    invariant(steps >= 1 && steps <= this.capacity, `a stack of ${steps} batches`)
    const stack = this.#stacks[this.#turn]
    this.#turn = 1 - this.#turn
    for (let step = 0; step < steps; step++) {
      const indices = this.#reader.nextIndices(this.#indices, this.#epochs)
      const firstRow = step * this.#numRows
      if (this.#source.gatherSync !== undefined) this.#source.gatherSync(indices, stack, firstRow, this.#epochs)
      else await this.#source.gather(indices, stack, firstRow, this.#epochs)
    }
    return { steps, inputs: firstRows(stack, steps, this.#numRows) }
  }
}

/** Batches of data that is in memory: the engine is told which rows they are. */
export class ResidentBatches implements BatchSupply {
  readonly capacity: number
  readonly #data: Batch
  readonly #reader: BatchReader
  readonly #numRows: number
  readonly #rows: readonly Int32Array[]
  #turn = 0

  constructor(source: DataSource, data: Batch, { seed, batchSize, position, capacity, share }: StackedBatchesOptions) {
    this.#data = data
    this.#reader = new BatchReader(source, { seed, batchSize, position, share, prefetch: 0 })
    this.#numRows = this.#reader.numRows
    this.capacity = capacity
    this.#rows = [0, 1].map(() => new Int32Array(this.#numRows * capacity))
  }

  async next(steps: number): Promise<Stack> {
    invariant(steps >= 1 && steps <= this.capacity, `rows of ${steps} batches`)
    const rows = this.#rows[this.#turn].subarray(0, steps * this.#numRows)
    this.#turn = 1 - this.#turn
    for (let step = 0; step < steps; step++) {
      this.#reader.nextIndices(rows.subarray(step * this.#numRows, (step + 1) * this.#numRows))
    }
    return { steps, inputs: this.#data, rows }
  }
}

/** The first batches of a stack, as `[steps, batch, …]`. */
function firstRows(stack: Batch, steps: number, batchSize: number): Batch {
  return Object.fromEntries(
    Object.entries(stack).map(([name, { dtype, shape, data }]): [string, TensorData] => {
      const stacked = [steps, batchSize, ...shape.slice(1)]
      return [name, { dtype, shape: stacked, data: data.subarray(0, numElements(stacked)) as HostArray }]
    }),
  )
}

/** One batch of a stack, as a call without `steps` takes it: `[1, batch, …]`. */
export function batchOf({ inputs, steps, rows }: Stack, step: number): Batch {
  if (rows !== undefined) return gatheredBatch(inputs, rows, rows.length / steps, step)
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape, data }]): [string, TensorData] => {
      const size = numElements(shape.slice(1))
      return [
        name,
        { dtype, shape: [1, ...shape.slice(1)], data: data.subarray(step * size, (step + 1) * size) as HostArray },
      ]
    }),
  )
}

function gatheredBatch(data: Batch, rows: Int32Array, batchSize: number, step: number): Batch {
  const wanted = rows.subarray(step * batchSize, (step + 1) * batchSize)
  return Object.fromEntries(
    Object.entries(data).map(([name, { dtype, shape, data: from }]): [string, TensorData] => {
      const batch = tensorData(dtype, [1, batchSize, ...shape.slice(1)])
      gatherRows(from, numElements(shape.slice(1)), wanted, batch.data, 0)
      return [name, batch]
    }),
  )
}

/** All samples of this worker at once, in the data's own order, the same for every step: for gradient descent proper. */
export class WholeData implements BatchSupply {
  readonly capacity = maxSteps
  readonly #batch: Promise<Batch>

  constructor(source: DataSource, share: Share) {
    const { start, end } = rowsOfShare(source.numSamples, share)
    const batch = allocateBatch(source.element, end - start)
    const indices = Float64Array.from({ length: end - start }, (_, row) => start + row)
    this.#batch = source.gather(indices, batch).then(() => batch)
    this.#batch.catch(() => undefined)
  }

  async next(steps: number): Promise<Stack> {
    return { steps, inputs: await this.#batch }
  }
}
