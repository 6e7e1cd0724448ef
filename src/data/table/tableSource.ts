/** A prepared table as a data set: its rows in memory or in a file, and the design that made them. */
import { invariant } from '../../core/errors.js'
import { RowsSource } from '../arrays.js'
import { fingerprint } from '../fingerprint.js'
import type {
  Batch,
  BatchElement,
  DataSource,
  JsonValue,
  ResidentData,
  SampleIndices,
  SourceDescription,
} from '../source.js'
import type { TableDesign } from './design.js'
import { targetTypeOf, type LoadedRows } from './load.js'
import { RowFileSource } from './rowFile.js'

/** Samples `{ features: f32[features], targets: f32[] }`; for classes `targets: i32[]`. */
export class TableSource implements DataSource {
  readonly design: TableDesign
  /** Rows left out for a missing value, over training and held-out ones. */
  readonly numDropped: number
  readonly element: BatchElement
  readonly numSamples: number
  readonly fingerprint: string
  readonly numClasses?: number
  readonly validation?: TableSource
  readonly resident?: ResidentData
  readonly #rows: RowsSource | RowFileSource

  /** @param identity a hash of the table's files */
  constructor(rows: LoadedRows, design: TableDesign, identity: string, validation?: TableSource, numDropped = 0) {
    const { tensors, file } = rows
    this.fingerprint = fingerprint([identity, JSON.stringify(design), String(rows.numRows)])
    if (file === undefined) {
      invariant(tensors !== undefined, 'rows are in memory or in a file')
      this.#rows = new RowsSource(tensors)
      this.resident = this.#rows.resident
    } else {
      this.#rows = new RowFileSource(file, targetTypeOf(design), this.fingerprint)
    }
    this.design = design
    this.numDropped = numDropped
    this.element = this.#rows.element
    this.numSamples = this.#rows.numSamples
    if (design.target.task === 'classification') this.numClasses = design.target.classes.length
    if (validation !== undefined) this.validation = validation
  }

  gatherSync(indices: SampleIndices, into: Batch, firstRow = 0): void {
    this.#rows.gatherSync(indices, into, firstRow)
  }

  async gather(indices: SampleIndices, into: Batch, firstRow = 0): Promise<void> {
    this.gatherSync(indices, into, firstRow)
  }

  describe(): SourceDescription {
    return { kind: 'table', design: JSON.parse(JSON.stringify(this.design)) as JsonValue }
  }

  async close(): Promise<void> {
    await this.#rows.close()
    await this.validation?.close()
  }
}
