/** Data that is in memory already: typed arrays or nested lists of numbers, sample by sample along dimension 0. */
import { invariant, TalwegError } from '../core/errors.js'
import { isFloat, type DType, type HostArray } from '../core/dtype.js'
import { formatType, numberAt, numElements, tensorData, type TensorData } from '../core/shape.js'
import { fingerprint } from './fingerprint.js'
import {
  gatherRows,
  type Batch,
  type BatchElement,
  type DataSource,
  type ResidentData,
  type SampleIndices,
  type SourceDescription,
} from './source.js'
import { splitRows } from './split.js'

export type NestedNumbers = readonly number[] | readonly NestedNumbers[]

/** Numbers become f32; a typed array keeps its own type and is one number a sample. */
export type ArrayInput =
  TensorData | Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array | NestedNumbers

export interface ArraysOptions {
  /** Held-out samples: a fraction, or arrays of the same names and types. */
  readonly validation?: number | Readonly<Record<string, ArrayInput>>
  /** How many classes the labels have. */
  readonly numClasses?: number
}

/**
 * A data set of arrays in memory.
 *
 * @example
 * data.arrays({ x: [[0, 1], [1, 1], [1, 0]], y: [1, 0, 1] }, { validation: 0.1 })
 * @throws INVALID_DATA for lists that are not rectangular, arrays of different lengths, or a number that is not finite
 */
export function arrays(tensors: Readonly<Record<string, ArrayInput>>, options: ArraysOptions = {}): DataSource {
  const { validation, numClasses } = options
  const batch = toBatch(tensors)
  if (typeof validation !== 'number') {
    const heldOut = validation === undefined ? undefined : new RowsSource(toBatch(validation), { numClasses })
    if (heldOut !== undefined) checkSameElement(batch, heldOut.element)
    return new RowsSource(batch, { numClasses, validation: heldOut })
  }
  const rows = splitRows(numRowsOf(batch), validation)
  return new RowsSource(takeRows(batch, rows.training), {
    numClasses,
    validation:
      rows.validation.length === 0 ? undefined : new RowsSource(takeRows(batch, rows.validation), { numClasses }),
  })
}

export interface RowsSourceOptions {
  readonly numClasses?: number
  readonly vocabulary?: number
  readonly validation?: DataSource
  readonly description?: SourceDescription
}

/** Samples that are the rows of tensors in memory. */
export class RowsSource implements DataSource {
  readonly element: BatchElement
  readonly numSamples: number
  readonly resident: ResidentData
  readonly numClasses?: number
  readonly vocabulary?: number
  readonly validation?: DataSource
  readonly #rows: readonly { name: string; data: HostArray; rowSize: number }[]
  readonly #tensors: Batch
  readonly #description: SourceDescription
  #fingerprint: string | undefined

  constructor(tensors: Batch, { numClasses, vocabulary, validation, description }: RowsSourceOptions = {}) {
    this.#tensors = tensors
    this.numSamples = numRowsOf(tensors)
    this.element = elementOf(tensors)
    this.resident = { layout: 'rows', tensors }
    if (numClasses !== undefined) this.numClasses = numClasses
    if (vocabulary !== undefined) this.vocabulary = vocabulary
    if (validation !== undefined) this.validation = validation
    this.#description = description ?? { kind: 'arrays' }
    this.#rows = Object.entries(tensors).map(([name, { data, shape }]) => ({
      name,
      data,
      rowSize: numElements(shape.slice(1)),
    }))
  }

  /** Computed when first asked for: hashing takes a millisecond for a few megabytes. */
  get fingerprint(): string {
    this.#fingerprint ??= fingerprint([
      ...Object.entries(this.#tensors).flatMap(([name, tensor]) => [`${name} ${formatType(tensor)}`, tensor.data]),
      this.validation?.fingerprint ?? 'no validation',
    ])
    return this.#fingerprint
  }

  gatherSync(indices: SampleIndices, into: Batch, firstRow = 0): void {
    for (const { name, data, rowSize } of this.#rows) gatherRows(data, rowSize, indices, into[name].data, firstRow)
  }

  async gather(indices: SampleIndices, into: Batch, firstRow = 0): Promise<void> {
    this.gatherSync(indices, into, firstRow)
  }

  describe(): SourceDescription {
    return this.#description
  }

  async close(): Promise<void> {}
}

function elementOf(tensors: Batch): BatchElement {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape }]) => [name, { dtype, shape: shape.slice(1) }]),
  )
}

function numRowsOf(tensors: Batch): number {
  const entries = Object.entries(tensors)
  if (entries.length === 0) throw invalid('there is no array', 'give at least one, such as { x: [[1, 2], [3, 4]] }')
  const [[firstName, first]] = entries
  for (const [name, { shape }] of entries) {
    if (shape.length === 0) throw invalid(`"${name}" is a single number`, 'give a list with an entry for each sample')
    if (shape[0] !== first.shape[0]) {
      throw invalid(
        `"${firstName}" has ${first.shape[0]} samples and "${name}" has ${shape[0]}`,
        'give every array an entry for each sample',
      )
    }
  }
  if (first.shape[0] === 0) throw invalid(`"${firstName}" is empty`, 'give at least one sample')
  return first.shape[0]
}

function checkSameElement(training: Batch, validation: BatchElement): void {
  for (const [name, { dtype, shape }] of Object.entries(elementOf(training))) {
    const other = validation[name]
    const wanted = formatType({ dtype, shape })
    if (other === undefined || formatType(other) !== wanted) {
      const found = other === undefined ? 'none' : formatType(other)
      throw invalid(
        `"${name}" is ${wanted} a sample in training and ${found} in validation`,
        'give both the same names, types and shapes',
      )
    }
  }
}

/** Rows of each tensor, as tensors of their own. */
export function takeRows(tensors: Batch, rows: readonly number[]): Batch {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
      const taken = tensorData(dtype, [rows.length, ...shape.slice(1)])
      gatherRows(data, numElements(shape.slice(1)), rows, taken.data, 0)
      return [name, taken]
    }),
  )
}

function toBatch(inputs: Readonly<Record<string, ArrayInput>>): Batch {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => {
      const tensor = toTensorData(name, input)
      checkFinite(name, tensor)
      return [name, tensor]
    }),
  )
}

/** One pass over the numbers, much quicker than the first one over them that trains. */
function checkFinite(name: string, tensor: TensorData): void {
  const { dtype, shape, data } = tensor
  if (!isFloat(dtype)) return
  let index = 0
  while (index < data.length && Number.isFinite(numberAt(tensor, index))) index++
  if (index === data.length) return
  const rowSize = numElements(shape.slice(1))
  const entry = rowSize === 1 ? '' : `, entry ${(index % rowSize) + 1} of ${rowSize}`
  throw invalid(
    `"${name}" holds ${numberAt(tensor, index)} in sample ${Math.floor(index / rowSize) + 1}${entry}`,
    'leave the sample out, or put a number in its place',
  )
}

function toTensorData(name: string, input: ArrayInput): TensorData {
  if (Array.isArray(input)) return fromNested(name, input as NestedNumbers)
  if (ArrayBuffer.isView(input)) {
    const dtype = dtypeOfTypedArray(input)
    if (dtype === undefined) {
      throw invalid(
        `"${name}" is a ${input.constructor.name}`,
        'give a Float32Array, Float64Array, Int32Array, Uint32Array or Uint8Array',
      )
    }
    return { dtype, shape: [(input as HostArray).length], data: input as HostArray }
  }
  const tensor = input as TensorData
  if (tensor.data.length !== numElements(tensor.shape)) {
    throw invalid(
      `"${name}" says ${formatType(tensor)} and holds ${tensor.data.length} numbers`,
      'make shape and data agree',
    )
  }
  return tensor
}

function dtypeOfTypedArray(array: ArrayBufferView): DType | undefined {
  if (array instanceof Float32Array) return 'f32'
  if (array instanceof Float64Array) return 'f64'
  if (array instanceof Int32Array) return 'i32'
  if (array instanceof Uint32Array) return 'u32'
  return array instanceof Uint8Array ? 'u8' : undefined
}

function fromNested(name: string, nested: NestedNumbers): TensorData {
  const shape: number[] = []
  for (let level: unknown = nested; Array.isArray(level); level = level[0]) shape.push(level.length)
  const tensor = tensorData('f32', shape)
  let place = 0
  const fill = (value: unknown, dim: number, row: number): void => {
    if (dim === shape.length) {
      if (typeof value !== 'number')
        throw invalid(`"${name}" holds ${JSON.stringify(value)} in sample ${row + 1} where a number is due`)
      tensor.data[place++] = value
      return
    }
    if (!Array.isArray(value) || value.length !== shape[dim]) {
      const found = Array.isArray(value) ? `${value.length} entries` : String(value)
      throw invalid(
        `"${name}" is not rectangular: sample ${row + 1} has ${found} where sample 1 has ${shape[dim]} entries`,
      )
    }
    for (const [index, entry] of value.entries()) fill(entry, dim + 1, dim === 0 ? index : row)
  }
  fill(nested, 0, 0)
  invariant(place === tensor.data.length, 'every element was written')
  return tensor
}

function invalid(problem: string, hint?: string): TalwegError {
  return new TalwegError({ code: 'INVALID_DATA', operation: 'data.arrays', problem, hint })
}
