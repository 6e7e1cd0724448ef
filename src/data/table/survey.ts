/**
 * One pass over the rows for what a design needs: how many, their means and deviations, how often each category occurs, what
 * is missing. Sums are in double precision and in the order of the rows, so they are the same from run to run.
 */
import { TalwegError } from '../../core/errors.js'
import type { ValidationSplit } from '../split.js'
import type { TableDatabase } from './database.js'
import type { MissingPolicy } from './design.js'
import type { FileForm } from './relation.js'
import { missing, readRows, selectRows, type ReadColumn } from './rows.js'

/** What the training rows hold in a column. */
export interface ColumnSurvey {
  /** Training rows, those with a missing value included. */
  readonly numRows: number
  readonly numMissing: number
  readonly mean: number
  /** Σ (x - mean)² over the values that are there. */
  readonly sumOfSquares: number
  readonly isConstant: boolean
  readonly categories: readonly string[]
  readonly categoryCounts: readonly number[]
}

export interface TableSurvey {
  readonly numTrainingRows: number
  readonly numValidationRows: number
  readonly numDropped: number
  /** In the order of the columns asked for. */
  readonly columns: readonly ColumnSurvey[]
  /** The different numbers in the target, sorted, over training and validation; undefined where there are more than a thousand. */
  readonly targetValues: readonly number[] | undefined
}

export const maxClasses = 1000

/** @throws INVALID_DATA naming file, row and column of the first value that can't be used */
export async function surveyRows(
  database: TableDatabase,
  files: readonly FileForm[],
  columns: readonly ReadColumn[],
  options: { missing: MissingPolicy; missingValues: readonly string[]; split: ValidationSplit },
): Promise<TableSurvey> {
  const fills = options.missing === 'mean' || options.missing === 'indicator'
  const mayBeMissing = columns.map(({ isTarget }) => fills && isTarget !== true)
  const rules = { mayDrop: options.missing === 'drop', mayBeMissing, isFitted: false }
  const accumulators = columns.map(({ categories = [] }) => new Accumulator(categories))
  const targetIndex = columns.findIndex(({ isTarget }) => isTarget)
  const targetValues = new Set<number>()
  const selected = new Int32Array(2048)
  let numRows = 0
  let numValidationRows = 0
  let numDropped = 0
  for await (const chunk of readRows(database, files, columns, options.missingValues)) {
    const count = await selectRows(database, chunk, columns, rules, selected)
    numDropped += chunk.numRows - count
    addValues(targetValues, chunk.columns[targetIndex], selected, count)
    const numTraining = keepTraining(selected, count, chunk.firstTableRow, options.split)
    numValidationRows += count - numTraining
    numRows += numTraining
    for (const [index, accumulator] of accumulators.entries())
      accumulator.add(chunk.columns[index], selected, numTraining)
  }
  if (numRows === 0) throw noRows(files, numDropped, numValidationRows)
  return {
    numTrainingRows: numRows,
    numValidationRows,
    numDropped,
    columns: accumulators.map((accumulator) => accumulator.survey()),
    targetValues: targetValues.size > maxClasses ? undefined : [...targetValues].sort((a, b) => a - b),
  }
}

/** Moves the places of training rows to the front of `selected`, in order, and gives their number. */
function keepTraining(selected: Int32Array, count: number, firstTableRow: number, split: ValidationSplit): number {
  let numTraining = 0
  for (let index = 0; index < count; index++) {
    if (!split.holdsOut(firstTableRow + selected[index])) selected[numTraining++] = selected[index]
  }
  return numTraining
}

function addValues(values: Set<number>, column: Float64Array, selected: Int32Array, count: number): void {
  for (let index = 0; index < count && values.size <= maxClasses; index++) values.add(column[selected[index]])
}

function noRows(files: readonly FileForm[], numDropped: number, numValidationRows: number): TalwegError {
  const left = numDropped > 0 ? `all ${numDropped} rows have a missing value` : 'there are no rows'
  return new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem: numValidationRows > 0 ? `all ${numValidationRows} rows are held out for validation` : left,
    hint:
      numDropped > 0
        ? 'choose missing: mean or indicator, or leave out the column that lacks them'
        : 'give a table with rows',
    place: { file: files[0].file.path },
  })
}

/** Chunk by chunk: each chunk's own mean and squares in two passes, then merged (Chan, Golub, LeVeque, 1983). */
class Accumulator {
  readonly #categories: readonly string[]
  readonly #counts: number[]
  #numRows = 0
  #numValues = 0
  #mean = 0
  #squares = 0
  #minimum = Infinity
  #maximum = -Infinity

  constructor(categories: readonly string[]) {
    this.#categories = categories
    this.#counts = categories.map(() => 0)
  }

  add(values: Float64Array, selected: Int32Array, count: number): void {
    this.#numRows += count
    if (this.#categories.length > 0) this.#countCategories(values, selected, count)
    else this.#merge(values, selected, count)
  }

  #countCategories(values: Float64Array, selected: Int32Array, count: number): void {
    for (let index = 0; index < count; index++) {
      const value = values[selected[index]]
      if (value === missing) continue
      this.#counts[value]++
      this.#numValues++
    }
  }

  #merge(values: Float64Array, selected: Int32Array, count: number): void {
    let numValues = 0
    let sum = 0
    for (let index = 0; index < count; index++) {
      const value = values[selected[index]]
      if (value === missing) continue
      numValues++
      sum += value
      if (value < this.#minimum) this.#minimum = value
      if (value > this.#maximum) this.#maximum = value
    }
    if (numValues === 0) return
    const mean = sum / numValues
    let squares = 0
    for (let index = 0; index < count; index++) {
      const value = values[selected[index]]
      if (value !== missing) squares += (value - mean) ** 2
    }
    const total = this.#numValues + numValues
    const difference = mean - this.#mean
    this.#squares += squares + difference ** 2 * ((this.#numValues * numValues) / total)
    this.#mean += (difference * numValues) / total
    this.#numValues = total
  }

  survey(): ColumnSurvey {
    return {
      numRows: this.#numRows,
      numMissing: this.#numRows - this.#numValues,
      mean: this.#minimum === this.#maximum ? this.#minimum : this.#mean,
      sumOfSquares: this.#squares,
      isConstant: !(this.#minimum < this.#maximum),
      categories: this.#categories,
      categoryCounts: this.#counts,
    }
  }
}
