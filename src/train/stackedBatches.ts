/**
 * Batches for calls of several steps: the batches of a call lie behind each other in one array for each input. Two
 * stacks are used in turn, so that the next call's batches are read while the engine works on this one's.
 */
import { invariant } from '../core/errors.js'
import type { HostArray } from '../core/dtype.js'
import { numElements, type TensorData } from '../core/shape.js'
import { allocateBatch, BatchReader, type Batch, type DataSource } from '../data/index.js'

/** The batches of one call. */
export interface Stack {
  readonly steps: number
  /** `[steps, batch, …]`; good until the stack after the next is asked for. */
  readonly inputs: Batch
}

/** More than this is never wanted: steps that small are few bytes. */
const maxStackBytes = 16 * 2 ** 20
const maxSteps = 512

export interface StackedBatchesOptions {
  readonly seed: number
  readonly batchSize: number
  /** The global sample position to start at. */
  readonly position: number
}

export class StackedBatches {
  /** Batches that a stack has room for. */
  readonly capacity: number
  readonly sizeBytes: number
  readonly #source: DataSource
  readonly #reader: BatchReader
  readonly #batchSize: number
  readonly #stacks: readonly Batch[]
  readonly #indices: Float64Array
  #turn = 0

  constructor(source: DataSource, { seed, batchSize, position }: StackedBatchesOptions) {
    this.#source = source
    this.#batchSize = batchSize
    this.#reader = new BatchReader(source, { seed, batchSize, position, prefetch: 0 })
    const batchBytes = bytesOf(allocateBatch(source.element, batchSize))
    this.capacity = Math.max(1, Math.min(maxSteps, Math.floor(maxStackBytes / Math.max(1, batchBytes))))
    this.#stacks = [0, 1].map(() => allocateBatch(source.element, batchSize * this.capacity))
    this.sizeBytes = 2 * batchBytes * this.capacity
    this.#indices = new Float64Array(batchSize)
  }

  /** The global sample position after all batches taken so far. */
  get position(): number {
    return this.#reader.position
  }

  /** The batches of the next `steps` steps. */
  async next(steps: number): Promise<Stack> {
    invariant(steps >= 1 && steps <= this.capacity, `a stack of ${steps} batches`)
    const stack = this.#stacks[this.#turn]
    this.#turn = 1 - this.#turn
    for (let step = 0; step < steps; step++) {
      const indices = this.#reader.nextIndices(this.#indices)
      const firstRow = step * this.#batchSize
      if (this.#source.gatherSync !== undefined) this.#source.gatherSync(indices, stack, firstRow)
      else await this.#source.gather(indices, stack, firstRow)
    }
    return { steps, inputs: firstRows(stack, steps, this.#batchSize) }
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

/** One batch of a stack, by itself: `[1, batch, …]`, as a call without `steps` takes it. */
export function batchOf({ inputs }: Stack, step: number): Batch {
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

function bytesOf(batch: Batch): number {
  return Object.values(batch).reduce((sum, { data }) => sum + data.byteLength, 0)
}
