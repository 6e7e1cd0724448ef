/**
 * Which row is at fault. DuckDB names lines, which are no rows once a field holds a line break, and stops at a chunk; so the
 * row is looked for again, by itself, once something is known to be wrong.
 */
import { TalwegError } from '../../core/errors.js'
import { findCsvFault } from './csvRecords.js'
import type { TableDatabase } from './database.js'
import { relationOf, textOf, type FileForm } from './relation.js'

/** The largest finite f32: what is larger in magnitude would be an infinity in training. */
export const maxFloat32 = 3.4028234663852886e38

/**
 * The error for a file that DuckDB failed to read.
 *
 * @param numberColumns places in the file of the columns that were read as numbers
 */
export async function readingFailed(
  database: TableDatabase,
  form: FileForm,
  numberColumns: readonly number[],
  missingValues: readonly string[],
  cause: unknown,
): Promise<TalwegError> {
  if (cause instanceof TalwegError) return cause
  const { file, header } = form
  const malformed = header === undefined ? undefined : await findCsvFault(file.path, header)
  if (malformed !== undefined) return malformed
  if (numberColumns.length > 0 && file.format !== 'parquet') {
    const text = await findText(database, form, numberColumns, missingValues).catch(() => undefined)
    if (text !== undefined) return text
  }
  const [message] = (cause as Error).message.split('\n')
  return new TalwegError({
    code: 'INVALID_FILE',
    operation: 'table',
    problem: `the file can't be read: ${message}`,
    hint: 'check that it is whole and of the format that its name says',
    place: { file: file.path },
    cause,
  })
}

/** The first text in columns of numbers. */
async function findText(
  database: TableDatabase,
  form: FileForm,
  numberColumns: readonly number[],
  missingValues: readonly string[],
): Promise<TalwegError | undefined> {
  const texts = numberColumns.map((place) => `${textOf(form, place, missingValues)} AS c${place}`)
  const rows = `SELECT CAST(row_number() OVER () AS DOUBLE) AS row, ${texts.join(', ')} FROM ${relationOf(form, new Set(), missingValues)}`
  const isText = numberColumns.map((place) => `(c${place} IS NOT NULL AND TRY_CAST(c${place} AS DOUBLE) IS NULL)`)
  const columns = numberColumns.map((place, index) => `CASE WHEN ${isText[index]} THEN c${place} END`)
  const sql = `SELECT row, ${columns.join(', ')} FROM (${rows}) WHERE ${isText.join(' OR ')} ORDER BY row LIMIT 1`
  const found = await database.rows(sql)
  if (found.length === 0) return undefined
  const [row, ...values] = found[0] as [number, ...(string | null)[]]
  const index = values.findIndex((value) => value !== null)
  return badValue(form, numberColumns[index], row, values[index] as string)
}

/** The error for a value that is read as a number and is none that can be used: the file is asked for its text. */
export async function badNumber(
  database: TableDatabase,
  form: FileForm,
  place: number,
  row: number,
): Promise<TalwegError> {
  const sql = `SELECT CAST(c${place} AS VARCHAR) FROM ${relationOf(form, new Set(), [])} LIMIT 1 OFFSET ${row - 1}`
  const [[value]] = await database.rows(sql)
  return badValue(form, place, row, value as string)
}

function badValue(form: FileForm, place: number, row: number, value: string): TalwegError {
  const number = Number(value.replace(/^([+-]?)inf(inity)?$/i, '$1Infinity'))
  const column = form.names[place]
  const isTooLarge = Number.isFinite(number) && Math.abs(number) > maxFloat32
  const isInfinite = /inf/i.test(value) && !Number.isFinite(number) && !Number.isNaN(number)
  const says = /^\s*(na|n\/a|nan|null|none|nil|\?|-|\.)?\s*$/i.test(value)
  return new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem: isTooLarge
      ? `${value} is beyond the range of f32, ±3.4e38`
      : `${JSON.stringify(value)} is ${isInfinite ? 'not finite' : 'no number'}, in a column of numbers`,
    hint: isTooLarge
      ? 'rescale the column'
      : says
        ? `if ${JSON.stringify(value)} means that the value is missing, say so with missingValues (--missing-value)`
        : 'correct it, or declare the column categorical (--categorical) if it holds names rather than numbers',
    place: { file: form.file.path, row, column },
  })
}

/** @param isFitted whether the design is made already, and has no way to fill this value in */
export function missingValue(
  form: FileForm,
  place: number,
  row: number,
  isTarget: boolean,
  isFitted: boolean,
): TalwegError {
  const choose = isTarget
    ? 'leave out such rows by missing: drop (--missing drop)'
    : 'choose what to do by --missing drop, mean or indicator'
  return new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem: `the value is missing${isTarget ? ', and it is the target' : ''}`,
    hint: isFitted ? 'give it, or fit with a way to fill it in (--missing mean)' : choose,
    place: { file: form.file.path, row, column: form.names[place] },
  })
}

export async function unseenCategory(
  database: TableDatabase,
  form: FileForm,
  place: number,
  row: number,
  categories: readonly string[],
): Promise<TalwegError> {
  const sql = `SELECT CAST(c${place} AS VARCHAR) FROM ${relationOf(form, new Set(), [])} LIMIT 1 OFFSET ${row - 1}`
  const [[value]] = await database.rows(sql)
  const known = categories.slice(0, 8).join(', ') + (categories.length > 8 ? ', …' : '')
  return new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem: `the category ${JSON.stringify(value)} did not occur in training, where there were ${known}`,
    hint: 'correct it, or train on a table that has it',
    place: { file: form.file.path, row, column: form.names[place] },
  })
}
