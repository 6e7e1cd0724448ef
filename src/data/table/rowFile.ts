/**
 * Prepared rows in a file, for tables that don't fit in memory: features as f32 and the target in 4 bytes, row after row, so that
 * any row is one short read and any order costs the same.
 *
 * The file has no name once it is open, and so vanishes with the process, however that ends.
 */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import { invariant, TalwegError } from '../../core/errors.js'
import { writingFailed } from '../text/tokenCache.js'
import type { Batch, BatchElement, DataSource, SampleIndices, SourceDescription } from '../source.js'

/** Rows are written, and runs of consecutive rows read, this many bytes at a time. */
const blockBytes = 2 ** 20

export class RowFile {
  readonly numFeatures: number
  readonly #descriptor: number
  readonly #folder: string
  #numRows = 0
  #isOpen = true

  /** @throws DISK_FULL or INVALID_SETTING where the folder can't be written */
  constructor(folder: string, numFeatures: number) {
    this.numFeatures = numFeatures
    this.#folder = folder
    try {
      mkdirSync(folder, { recursive: true })
      const name = path.join(folder, `${process.pid}-${Date.now()}-${Math.random().toString(36).slice(2)}.rows`)
      this.#descriptor = openSync(name, 'wx+')
      rmSync(name)
    } catch (cause) {
      throw writingFailed(folder, cause as NodeJS.ErrnoException)
    }
  }

  get numRows(): number {
    return this.#numRows
  }

  get rowSize(): number {
    return this.numFeatures + 1
  }

  /** Appends the first `count` rows of `rows`: `rowSize` numbers each. */
  append(rows: Float32Array, count: number): void {
    const bytes = Buffer.from(rows.buffer, rows.byteOffset, count * this.rowSize * 4)
    try {
      for (let written = 0; written < bytes.length;) written += writeSync(this.#descriptor, bytes, written)
    } catch (cause) {
      this.close()
      throw cause instanceof TalwegError ? cause : writingFailed(this.#folder, cause as NodeJS.ErrnoException)
    }
    this.#numRows += count
  }

  /** Reads rows [first, first + count) to the start of `into`. */
  read(first: number, count: number, into: Float32Array): void {
    const sizeBytes = count * this.rowSize * 4
    invariant(
      this.#isOpen && first >= 0 && first + count <= this.#numRows,
      `rows ${first} to ${first + count} are in the file`,
    )
    const numRead = readSync(this.#descriptor, into, 0, sizeBytes, first * this.rowSize * 4)
    invariant(numRead === sizeBytes, 'rows that were written can be read')
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#descriptor)
    this.#isOpen = false
  }
}

/** Samples `{ features, targets }` that are the rows of a file. */
export class RowFileSource implements DataSource {
  readonly element: BatchElement
  readonly numSamples: number
  readonly fingerprint: string
  readonly #file: RowFile
  readonly #block: Float32Array
  readonly #integers: Int32Array

  constructor(file: RowFile, targetType: 'f32' | 'i32', identity: string) {
    this.#file = file
    this.numSamples = file.numRows
    this.fingerprint = identity
    this.element = { features: { dtype: 'f32', shape: [file.numFeatures] }, targets: { dtype: targetType, shape: [] } }
    const numRows = Math.max(1, Math.floor(blockBytes / 4 / file.rowSize))
    this.#block = new Float32Array(numRows * file.rowSize)
    this.#integers = new Int32Array(this.#block.buffer)
  }

  gatherSync(indices: SampleIndices, into: Batch, firstRow = 0): void {
    const maxRows = this.#block.length / this.#file.rowSize
    for (let start = 0; start < indices.length;) {
      let count = 1
      while (start + count < indices.length && count < maxRows && indices[start + count] === indices[start] + count)
        count++
      this.#file.read(indices[start], count, this.#block)
      this.#unpack(count, into, firstRow + start)
      start += count
    }
  }

  #unpack(count: number, into: Batch, firstRow: number): void {
    const { numFeatures, rowSize } = this.#file
    const features = into.features.data
    const targets = into.targets.data
    const targetsFrom = into.targets.dtype === 'i32' ? this.#integers : this.#block
    for (let row = 0; row < count; row++) {
      const from = row * rowSize
      const to = (firstRow + row) * numFeatures
      for (let feature = 0; feature < numFeatures; feature++) features[to + feature] = this.#block[from + feature]
      targets[firstRow + row] = targetsFrom[from + numFeatures]
    }
  }

  async gather(indices: SampleIndices, into: Batch, firstRow = 0): Promise<void> {
    this.gatherSync(indices, into, firstRow)
  }

  describe(): SourceDescription {
    return { kind: 'rows' }
  }

  async close(): Promise<void> {
    this.#file.close()
  }
}
