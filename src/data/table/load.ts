/** The second pass over a table's rows: encoded by the design into memory, or into a file where they don't fit. */
import { tensorData, type TensorData } from '../../core/shape.js'
import type { ValidationSplit } from '../split.js'
import type { TableDatabase } from './database.js'
import type { TableDesign } from './design.js'
import { encodeFeatures, encodeTargets } from './encode.js'
import type { FileForm } from './relation.js'
import { RowFile } from './rowFile.js'
import { readRows, selectRows, type ReadColumn } from './rows.js'

export interface LoadedRows {
  readonly numRows: number
  /** In memory: f32[rows, features] and f32[rows] or i32[rows]. */
  readonly tensors?: { features: TensorData; targets: TensorData }
  readonly file?: RowFile
}

/** Takes rows as they come. */
interface RowSink {
  add(columns: readonly Float64Array[], selected: Int32Array, count: number): void
}

/** The columns that a design reads, its target last. */
export function readColumnsOf({ inputs, target }: TableDesign): ReadColumn[] {
  const columns: ReadColumn[] = inputs.map((input) =>
    input.kind === 'category'
      ? { name: input.name, kind: 'category', categories: input.categories }
      : { name: input.name, kind: input.kind },
  )
  const { name, kind } = target
  const categories = target.task === 'classification' && kind === 'category' ? { categories: target.classes } : {}
  return [...columns, { name, kind, isTarget: true, ...categories }]
}

/** Whether a missing value has a meaning, for each input. */
export function mayBeMissing({ inputs, features, missing }: TableDesign): boolean[] {
  return inputs.map(({ fill }, index) => {
    const hasIndicator = features.some(({ input, role }) => input === index && role === 'missing')
    return missing === 'indicator' ? hasIndicator : missing === 'mean' && fill !== null
  })
}

export interface LoadOptions {
  readonly split: ValidationSplit
  /** Rows to make room for, at least as many as there are. */
  readonly numTrainingRows: number
  readonly numValidationRows: number
  /** Where to put rows that shall not be in memory. */
  readonly folder: string | undefined
}

export async function loadRows(
  database: TableDatabase,
  files: readonly FileForm[],
  design: TableDesign,
  options: LoadOptions,
): Promise<{ training: LoadedRows; validation: LoadedRows }> {
  const { split, numTrainingRows, numValidationRows, folder } = options
  const columns = readColumnsOf(design)
  const rules = { mayDrop: design.missing === 'drop', mayBeMissing: [...mayBeMissing(design), false], isFitted: true }
  const training = sinkOf(design, numTrainingRows, folder)
  const validation = sinkOf(design, numValidationRows, folder)
  const selected = new Int32Array(2048)
  const heldOut = new Int32Array(2048)
  for await (const chunk of readRows(database, files, columns, design.missingValues)) {
    const count = await selectRows(database, chunk, columns, rules, selected)
    let numTraining = 0
    let numHeldOut = 0
    for (let index = 0; index < count; index++) {
      const row = selected[index]
      if (split.holdsOut(chunk.firstTableRow + row)) heldOut[numHeldOut++] = row
      else selected[numTraining++] = row
    }
    training.add(chunk.columns, selected, numTraining)
    validation.add(chunk.columns, heldOut, numHeldOut)
  }
  return { training: training.finish(), validation: validation.finish() }
}

function sinkOf(design: TableDesign, numRows: number, folder: string | undefined): RowSink & { finish(): LoadedRows } {
  return folder === undefined ? new MemorySink(design, numRows) : new FileSink(design, folder)
}

export function targetTypeOf({ target }: TableDesign): 'f32' | 'i32' {
  return target.task === 'regression' ? 'f32' : 'i32'
}

class MemorySink implements RowSink {
  readonly #design: TableDesign
  readonly #features: Float32Array
  readonly #targets: TensorData
  #numRows = 0

  constructor(design: TableDesign, numRows: number) {
    this.#design = design
    this.#features = new Float32Array(numRows * design.features.length)
    this.#targets = tensorData(targetTypeOf(design), [numRows])
  }

  add(columns: readonly Float64Array[], selected: Int32Array, count: number): void {
    const { features, inputs, target } = this.#design
    const place = { data: this.#features, stride: features.length, firstRow: this.#numRows }
    encodeFeatures(this.#design, columns, selected, count, place)
    encodeTargets(target, columns[inputs.length], selected, count, this.#targets.data, this.#numRows)
    this.#numRows += count
  }

  finish(): LoadedRows {
    // Room was made for rows that may since have been dropped.
    const numRows = this.#numRows
    const numFeatures = this.#design.features.length
    const data = this.#features.subarray(0, numRows * numFeatures)
    const targets = { ...this.#targets, shape: [numRows], data: this.#targets.data.subarray(0, numRows) }
    return { numRows, tensors: { features: { dtype: 'f32', shape: [numRows, numFeatures], data }, targets } }
  }
}

class FileSink implements RowSink {
  readonly #design: TableDesign
  readonly #file: RowFile
  readonly #rows: Float32Array
  readonly #integers: Int32Array

  constructor(design: TableDesign, folder: string) {
    this.#design = design
    this.#file = new RowFile(folder, design.features.length)
    this.#rows = new Float32Array(2048 * this.#file.rowSize)
    this.#integers = new Int32Array(this.#rows.buffer)
  }

  add(columns: readonly Float64Array[], selected: Int32Array, count: number): void {
    const { target, inputs } = this.#design
    const { rowSize, numFeatures } = this.#file
    encodeFeatures(this.#design, columns, selected, count, { data: this.#rows, stride: rowSize, firstRow: 0 })
    const isClass = target.task === 'classification'
    const targets = isClass ? new Int32Array(count) : new Float32Array(count)
    encodeTargets(target, columns[inputs.length], selected, count, targets, 0)
    const into = isClass ? this.#integers : this.#rows
    for (let row = 0; row < count; row++) into[row * rowSize + numFeatures] = targets[row]
    this.#file.append(this.#rows, count)
  }

  finish(): LoadedRows {
    return { numRows: this.#file.numRows, file: this.#file }
  }
}
