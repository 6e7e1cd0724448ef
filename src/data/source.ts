/**
 * What every data set is to the rest of Talweg: samples that can be read at any place.
 *
 * A source knows nothing of shuffling, batches or workers; those are pure functions of the seed and of one global
 * position, in `reader.ts`. That is what makes a run resumable from one integer, and its bits independent of how many
 * workers read.
 */
import { dtypes, type HostArray } from '../core/dtype.js'
import type { TensorData, TensorType } from '../core/shape.js'

/** What a step is fed: named host tensors, each with the batch as dimension 0. */
export type Batch = Record<string, TensorData>

/** What one sample looks like: each tensor's type without the batch dimension. */
export type BatchElement = Readonly<Record<string, TensorType>>

/** Which samples, from 0 to `numSamples - 1`. */
export type SampleIndices = ArrayLike<number>

/** What a source says of itself, for the run's folder: enough for `sample` and `predict` to go on without the data. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
export type SourceDescription = { kind: string; [key: string]: JsonValue }

/**
 * The whole set in memory, so that an engine may keep it and gather batches inside the graph:
 * - `rows`: sample `i` is row `i` of every tensor;
 * - `windows`: sample `i` is `tokens[i * stride, i * stride + context)` as `tokens`, and the same one further on as
 *   `targets`; both are i32 in a batch whatever `tokens` is.
 */
export type ResidentData =
  | { readonly layout: 'rows'; readonly tensors: Batch }
  | { readonly layout: 'windows'; readonly tokens: TensorData; readonly context: number; readonly stride: number }

export interface DataSource {
  readonly element: BatchElement
  /** Samples in an epoch. */
  readonly numSamples: number
  /** For class labels: how many there are. */
  readonly numClasses?: number
  /** For tokens: how many different ones there are. */
  readonly vocabulary?: number
  /** Identity of the data: resuming on data with another fingerprint is refused. */
  readonly fingerprint: string
  /** Held-out samples, read once in order, neither padded nor repeated. */
  readonly validation?: DataSource
  readonly resident?: ResidentData
  /**
   * Writes sample `indices[k]` to row `firstRow + k` of every tensor in `into`, for all k. Absent where samples can't
   * be had without waiting.
   *
   * @param epochs in which each is read, for sources whose samples differ from epoch to epoch; such a source gives them as
   * they are where this is not given
   */
  gatherSync?(indices: SampleIndices, into: Batch, firstRow?: number, epochs?: SampleIndices): void
  gather(indices: SampleIndices, into: Batch, firstRow?: number, epochs?: SampleIndices): Promise<void>
  describe(): SourceDescription
  /** Closes files. Reading afterwards is an error. */
  close(): Promise<void>
}

/** Zeroed tensors for a batch of that many samples. */
export function allocateBatch(element: BatchElement, batchSize: number): Batch {
  return Object.fromEntries(
    Object.entries(element).map(([name, { dtype, shape }]) => {
      const numElements = shape.reduce((product, size) => product * size, batchSize)
      return [name, { dtype, shape: [batchSize, ...shape], data: dtypes[dtype].allocate(numElements) }]
    }),
  )
}

/** Copying one row at a time pays for a view from about this many elements on. */
const longRow = 64

/** Copies rows `indices[k]` of `from` to rows `firstRow + k` of `into`; a row has `rowSize` elements. */
export function gatherRows(
  from: HostArray,
  rowSize: number,
  indices: SampleIndices,
  into: HostArray,
  firstRow: number,
): void {
  for (let row = 0; row < indices.length; row++) {
    const start = indices[row] * rowSize
    const end = start + rowSize
    let target = (firstRow + row) * rowSize
    if (rowSize >= longRow) into.set(from.subarray(start, end), target)
    else for (let place = start; place < end; place++) into[target++] = from[place]
  }
}
