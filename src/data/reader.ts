/**
 * Batches from a source, in the order that the seed gives, for one worker's share.
 *
 * Everything follows from one integer, the global sample position: global batch `b` is positions [b·B, (b+1)·B),
 * position p is sample `permutation(seed, epoch)[p mod n]` of epoch floor(p / n), and a batch may span two epochs, so no
 * sample is dropped and none repeated within an epoch. A global batch is cut into *virtual shards* of consecutive
 * positions; a worker reads a consecutive run of shards. The bits of training then depend on the number of shards,
 * and not on the number of workers.
 *
 * Batches live in a few preallocated buffers that are used in turn.
 */
import { invariant, TalwegError } from '../core/errors.js'
import { rowsOfShards, shardsOfWorkers } from '../core/shardTree.js'
import { ShuffledOrder } from './permutation.js'
import { allocateBatch, type Batch, type DataSource } from './source.js'

/** A worker's part of each global batch. */
export interface Share {
  readonly worker: number
  readonly numWorkers: number
  /** Virtual shards of a global batch; the number of workers if not given. */
  readonly numShards?: number
}

export interface BatchReaderOptions {
  readonly seed: number
  /** Samples in a global batch, over all workers. */
  readonly batchSize: number
  /** Where to start, in samples since the start of training; a multiple of nothing in particular. Default 0. */
  readonly position?: number
  readonly share?: Share
  /** In the source's own order rather than shuffled; epochs still follow each other. Default true. */
  readonly shuffle?: boolean
  /** Batches read ahead by `next`. Default 2. */
  readonly prefetch?: number
}

const wholeBatch: Share = { worker: 0, numWorkers: 1 }

/**
 * Reads batch after batch.
 *
 * @example
 * const reader = new BatchReader(source, { seed: 1, batchSize: 32 })
 * const batch = await reader.next() // { images: u8[32,28,28,1], labels: i32[32] }
 */
export class BatchReader {
  readonly source: DataSource
  readonly batchSize: number
  /** Samples of each global batch that this reader delivers, and the first one's place in it. */
  readonly numRows: number
  readonly firstRow: number
  readonly #order: ShuffledOrder | undefined
  readonly #indices: Float64Array
  readonly #epochs: Float64Array
  readonly #buffers: Batch[]
  readonly #prefetch: number
  readonly #pending: Promise<Batch>[] = []
  #position: number
  #readPosition: number
  #buffer = 0

  constructor(source: DataSource, options: BatchReaderOptions) {
    const { seed, batchSize, position = 0, share = wholeBatch, shuffle = true, prefetch = 2 } = options
    checkOptions(source, options)
    this.source = source
    this.batchSize = batchSize
    const { start, end } = rowsOfShare(batchSize, share)
    this.firstRow = start
    this.numRows = end - start
    this.#order = shuffle ? new ShuffledOrder(source.numSamples, seed) : undefined
    this.#indices = new Float64Array(this.numRows)
    this.#epochs = new Float64Array(this.numRows)
    this.#prefetch = source.gatherSync === undefined ? Math.max(0, prefetch) : 0
    this.#buffers = Array.from({ length: this.#prefetch + 2 }, () => allocateBatch(source.element, this.numRows))
    this.#position = position
    this.#readPosition = position
  }

  /** The global sample position of the batch that comes next: what a checkpoint keeps. */
  get position(): number {
    return this.#position
  }

  /** Whether `nextSync` can be used. */
  get isSync(): boolean {
    return this.source.gatherSync !== undefined
  }

  /** The next batch without waiting. It stays untouched until the call after the next one. */
  nextSync(): Batch {
    const { source } = this
    invariant(source.gatherSync !== undefined, 'nextSync needs a source that reads without waiting')
    const batch = this.#takeBuffer()
    this.#indicesAt(this.#position, this.#indices, this.#epochs)
    source.gatherSync(this.#indices, batch, 0, this.#epochs)
    this.#position += this.batchSize
    this.#readPosition = this.#position
    return batch
  }

  /** The next batch; following ones are read meanwhile. It stays untouched until the call after the next one. */
  async next(): Promise<Batch> {
    if (this.isSync) return this.nextSync()
    while (this.#pending.length <= this.#prefetch) this.#pending.push(this.#readAhead())
    const first = this.#pending.shift()
    invariant(first !== undefined, 'a batch is being read')
    const batch = await first
    this.#position += this.batchSize
    return batch
  }

  /**
   * The sample indices of the next batch instead of the batch itself, for data that the engine keeps resident.
   *
   * @param into where to write them
   * @param epochs where to write each one's epoch, if that is wanted
   */
  nextIndices<Indices extends Float64Array | Int32Array>(into: Indices, epochs?: Float64Array): Indices {
    this.#indicesAt(this.#position, into, epochs)
    this.#position += this.batchSize
    this.#readPosition = this.#position
    return into
  }

  /** Waits for reads under way, whose results are dropped. Does not close the source. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.#pending.splice(0))
    this.#readPosition = this.#position
  }

  #readAhead(): Promise<Batch> {
    const epochs = new Float64Array(this.numRows)
    const indices = this.#indicesAt(this.#readPosition, new Float64Array(this.numRows), epochs)
    this.#readPosition += this.batchSize
    const batch = this.#takeBuffer()
    const reading = this.source.gather(indices, batch, 0, epochs).then(() => batch)
    // A failure belongs to the `next` that delivers this batch, not to the moment in which it happens.
    reading.catch(() => undefined)
    return reading
  }

  #takeBuffer(): Batch {
    const batch = this.#buffers[this.#buffer]
    this.#buffer = (this.#buffer + 1) % this.#buffers.length
    return batch
  }

  #indicesAt<Indices extends Float64Array | Int32Array>(
    position: number,
    into: Indices,
    epochs?: Float64Array,
  ): Indices {
    const first = position + this.firstRow
    const { numSamples } = this.source
    for (let row = 0; row < this.numRows; row++) {
      into[row] = this.#order === undefined ? (first + row) % numSamples : this.#order.at(first + row)
      if (epochs !== undefined) epochs[row] = Math.floor((first + row) / numSamples)
    }
    return into
  }
}

/** The rows of a worker's shards, which are the tree's to say. */
export function rowsOfShare(batchSize: number, share: Share): { start: number; end: number } {
  const { worker, numWorkers, numShards = numWorkers } = share
  return rowsOfShards(shardsOfWorkers(numShards, numWorkers)[worker], numShards, batchSize)
}

function checkOptions(source: DataSource, { batchSize, seed, share = wholeBatch }: BatchReaderOptions): void {
  const fail = (problem: string, hint: string): never => {
    throw new TalwegError({ code: 'INVALID_SETTING', operation: 'data', problem, hint })
  }
  if (source.numSamples < 1) {
    throw new TalwegError({
      code: 'INVALID_DATA',
      operation: 'data',
      problem: 'there is no sample to train on',
      hint: 'hold out a smaller part for validation, or give more data',
    })
  }
  if (!Number.isInteger(batchSize) || batchSize < 1)
    fail(`the batch size is ${batchSize}`, 'give an integer of at least 1')
  if (!Number.isSafeInteger(seed) || seed < 0) fail(`the seed is ${seed}`, 'give an integer from 0 up to 2^53 - 1')
  const { worker, numWorkers, numShards = numWorkers } = share
  invariant(worker >= 0 && worker < numWorkers, `worker ${worker} of ${numWorkers}`)
  if (numShards < numWorkers)
    fail(
      `${numShards} virtual shards can't be shared by ${numWorkers} workers`,
      'use at least as many shards as workers',
    )
  if (batchSize < numShards)
    fail(`a batch of ${batchSize} can't be cut into ${numShards} virtual shards`, 'use a larger batch or fewer shards')
}

/**
 * All samples once, in order; the last batch may be short. For validation and prediction.
 *
 * A batch is good until the next one is asked for.
 *
 * @param share this worker's part: a consecutive run of samples, not of each batch
 */
export async function* readInOrder(source: DataSource, batchSize: number, share = wholeBatch): AsyncGenerator<Batch> {
  const { start, end } = rowsOfShare(source.numSamples, share)
  let batch = allocateBatch(source.element, Math.min(batchSize, end - start))
  for (let first = start; first < end; first += batchSize) {
    const numRows = Math.min(batchSize, end - first)
    if (numRows < batchSize && first > start) batch = allocateBatch(source.element, numRows)
    const indices = Float64Array.from({ length: numRows }, (_, row) => first + row)
    if (source.gatherSync === undefined) await source.gather(indices, batch)
    else source.gatherSync(indices, batch)
    yield batch
  }
}
