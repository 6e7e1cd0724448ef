/**
 * The rows of a table as numbers, in order, piece by piece, over all its files, each with its place: every column of doubles,
 * a boolean as 0 or 1, a category as its number. What can't be used is an error that names file, row and column.
 */
import { invariant } from '../../core/errors.js'
import { sqlText, type ColumnChunk, type TableDatabase } from './database.js'
import { badNumber, maxFloat32, missingValue, readingFailed, unseenCategory } from './faults.js'
import { relationOf, textOf, type FileForm } from './relation.js'

/** Stands for a missing value; no number that fits f32 is as large. */
export const missing = Number.MAX_VALUE

export interface ReadColumn {
  readonly name: string
  readonly kind: 'number' | 'boolean' | 'category'
  /** For a category: the texts that are known. */
  readonly categories?: readonly string[]
  readonly isTarget?: boolean
}

export interface RowChunk extends ColumnChunk {
  readonly form: FileForm
  /** Of the first row, in its file and in the table, from 0. */
  readonly firstFileRow: number
  readonly firstTableRow: number
}

export async function* readRows(
  database: TableDatabase,
  files: readonly FileForm[],
  columns: readonly ReadColumn[],
  missingValues: readonly string[],
): AsyncGenerator<RowChunk> {
  await declareCategories(database, columns)
  let firstTableRow = 0
  for (const form of files) {
    const places = columns.map(({ name }) => form.names.indexOf(name))
    const numbers = places.filter((_, index) => columns[index].kind === 'number')
    let firstFileRow = 0
    try {
      for await (const chunk of database.stream(queryFor(form, columns, places, numbers, missingValues))) {
        yield { ...chunk, form, firstFileRow, firstTableRow }
        firstFileRow += chunk.numRows
        firstTableRow += chunk.numRows
      }
    } catch (error) {
      throw await readingFailed(database, form, numbers, missingValues, error)
    }
  }
}

async function declareCategories(database: TableDatabase, columns: readonly ReadColumn[]): Promise<void> {
  for (const [index, { categories }] of columns.entries()) {
    if (categories === undefined) continue
    await database.run(`DROP TYPE IF EXISTS category${index}`)
    await database.run(`CREATE TYPE category${index} AS ENUM (${categories.map(sqlText).join(', ')})`)
  }
}

function queryFor(
  form: FileForm,
  columns: readonly ReadColumn[],
  places: readonly number[],
  numbers: readonly number[],
  missingValues: readonly string[],
): string {
  const isText = form.file.format !== 'parquet'
  // JSON's texts for missing values would fail to parse as numbers; there, numbers are made of texts in the query.
  const parsesNumbers = isText && !(form.file.format === 'json' && missingValues.length > 0)
  const selected = columns.map(({ kind }, index) => {
    const text = textOf(form, places[index], missingValues)
    if (kind === 'category') return categoryOf(text, index)
    if (kind === 'boolean' && isText) return booleanOf(text)
    if (kind === 'number' && isText && !parsesNumbers) return numberOf(text)
    return `coalesce(CAST(c${places[index]} AS DOUBLE), ${missing}::DOUBLE)`
  })
  return `SELECT ${selected.join(', ')} FROM ${relationOf(form, new Set(parsesNumbers ? numbers : []), missingValues)}`
}

/** NaN is what no rule gives a number for. */
function numberOf(text: string): string {
  return `CASE WHEN ${text} IS NULL THEN ${missing}::DOUBLE ELSE coalesce(TRY_CAST(${text} AS DOUBLE), 'nan'::DOUBLE) END`
}

function booleanOf(text: string): string {
  const value = `CASE lower(${text}) WHEN 'true' THEN 1.0::DOUBLE WHEN 'false' THEN 0.0::DOUBLE ELSE 'nan'::DOUBLE END`
  return `CASE WHEN ${text} IS NULL THEN ${missing}::DOUBLE ELSE ${value} END`
}

function categoryOf(text: string, index: number): string {
  const code = `CAST(enum_code(TRY_CAST(${text} AS category${index})) AS DOUBLE)`
  return `CASE WHEN ${text} IS NULL THEN ${missing}::DOUBLE ELSE coalesce(${code}, 'nan'::DOUBLE) END`
}

export interface MissingRules {
  /** Leave out rows with a missing value, rather than refuse them. */
  readonly mayDrop: boolean
  /** For each column, whether a missing value has a meaning there. */
  readonly mayBeMissing: readonly boolean[]
  /** Whether a design says so that is made already. */
  readonly isFitted: boolean
}

/** Which rows of a chunk to use: writes their places to `selected` and gives their number. */
export async function selectRows(
  database: TableDatabase,
  chunk: RowChunk,
  columns: readonly ReadColumn[],
  { mayDrop, mayBeMissing, isFitted }: MissingRules,
  selected: Int32Array,
): Promise<number> {
  const { numRows, form, firstFileRow } = chunk
  const isDropped = new Uint8Array(numRows)
  for (const [index, column] of columns.entries()) {
    const values = chunk.columns[index]
    for (let row = 0; row < numRows; row++) {
      const value = values[row]
      if (Math.abs(value) <= maxFloat32) continue
      if (value !== missing) throw await faultAt(database, chunk, column, row)
      const { name, isTarget = false } = column
      if (mayDrop) isDropped[row] = 1
      else if (!mayBeMissing[index]) {
        throw missingValue(form, form.names.indexOf(name), firstFileRow + row + 1, isTarget, isFitted)
      }
    }
  }
  let count = 0
  for (let row = 0; row < numRows; row++) if (isDropped[row] === 0) selected[count++] = row
  return count
}

async function faultAt(database: TableDatabase, chunk: RowChunk, column: ReadColumn, row: number): Promise<Error> {
  const { form, firstFileRow } = chunk
  const place = form.names.indexOf(column.name)
  invariant(place >= 0, `"${column.name}" is in the file`)
  if (column.categories === undefined) return badNumber(database, form, place, firstFileRow + row + 1)
  return unseenCategory(database, form, place, firstFileRow + row + 1, column.categories)
}
