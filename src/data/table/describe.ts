/**
 * What a table is before its rows are read: its files, and each column's name and kind.
 *
 * Parquet says its types. In CSV and JSON, which don't, a column's kind is decided by its values in the first 20,480
 * rows of each file, those that are missing or only say so (`NA`, `null`, `?` …) left aside:
 * all `true` or `false`: boolean; at least half numbers: number, and every other text in it an error; at least half
 * dates: date; else category. A column without values in those rows is judged by its first values further on.
 */
import { TalwegError } from '../../core/errors.js'
import type { FilePaths } from '../files.js'
import { readCsvHeader } from './csvRecords.js'
import { sqlPath, sqlText, withDatabase, type TableDatabase } from './database.js'
import { readingFailed } from './faults.js'
import { checkGzip } from './gzip.js'
import { relationOf, textOf, type FileForm } from './relation.js'
import { resolveTableFiles, type TableFile } from './tableFiles.js'

export type ColumnKind = 'number' | 'boolean' | 'category' | 'date' | 'nested' | 'empty'

export interface TableColumn {
  readonly name: string
  /** The file's own type, in DuckDB's words; for text formats VARCHAR. */
  readonly type: string
  readonly kind: ColumnKind
}

export interface TableDescription {
  readonly files: readonly FileForm[]
  /** In the order of the first file. */
  readonly columns: readonly TableColumn[]
}

export interface DescribeOptions {
  /** Columns to take for categories though they look like numbers. */
  readonly categorical?: readonly string[]
  /** Texts that mean a missing value, beside the empty field and JSON's null. */
  readonly missingValues?: readonly string[]
}

const numSampledRows = 20_480

/** Texts that people write for "there is no number here", lower-case. */
const placeholders = [
  'na',
  'n/a',
  'nan',
  'null',
  'none',
  'nil',
  'inf',
  '+inf',
  '-inf',
  'infinity',
  '-infinity',
  '?',
  '-',
  '.',
]

/**
 * The columns of a table and the number of its rows.
 *
 * @throws FILE_NOT_FOUND, INVALID_FILE, INVALID_DATA naming the file
 */
export async function describeTable(
  paths: FilePaths,
  options: DescribeOptions = {},
): Promise<TableDescription & { numRows: number }> {
  return withDatabase(async (database) => {
    const description = await describe(database, paths, options)
    return { ...description, numRows: await countRows(database, description.files) }
  })
}

export async function countRows(database: TableDatabase, files: readonly FileForm[]): Promise<number> {
  let numRows = 0
  for (const form of files) {
    const relation = relationOf(form, new Set(), [])
    const [[count]] = await query(database, form, `SELECT CAST(count(*) AS DOUBLE) FROM ${relation}`)
    numRows += count as number
  }
  return numRows
}

export async function describe(
  database: TableDatabase,
  paths: FilePaths,
  { categorical = [], missingValues = [] }: DescribeOptions,
): Promise<TableDescription> {
  const files: FileForm[] = []
  for (const file of await resolveTableFiles(database, paths)) {
    if (file.path.toLowerCase().endsWith('.gz')) await checkGzip(file.path)
    files.push(await formOf(database, file))
  }
  const [first] = files
  for (const form of files) checkSameColumns(first, form)
  const columns: TableColumn[] = []
  const samples = await sampleColumns(database, files, missingValues)
  for (const [index, name] of first.names.entries()) {
    const kind = kindOf(files, name, samples[index])
    columns.push({
      name,
      type: first.types[index],
      kind: categorical.includes(name) && kind !== 'empty' ? 'category' : kind,
    })
  }
  return { files, columns }
}

async function formOf(database: TableDatabase, file: TableFile): Promise<FileForm> {
  if (file.format === 'csv') {
    const header = await readCsvHeader(file)
    return { file, names: header.names, types: header.names.map(() => 'VARCHAR'), header }
  }
  const path = sqlPath(file.path)
  const reader =
    file.format === 'parquet'
      ? `read_parquet(${path}, hive_partitioning = false)`
      : `read_json(${path}, sample_size = -1)`
  const columns = await queryFile(
    database,
    file,
    `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${reader})`,
  )
  const names = columns.map(([name]) => name as string)
  const types = columns.map(([, type]) => (type as string).toUpperCase())
  if (file.format === 'parquet') return { file, names, types }
  if (names.length === 1 && names[0] === 'json') {
    throw new TalwegError({
      code: 'INVALID_DATA',
      operation: 'table',
      problem: 'there is no record in it',
      hint: 'give one JSON object a line, or a list of objects, each with the same keys',
      place: { file: file.path },
    })
  }
  return { file, names, types: types.map((type) => (isNested(type) ? type : 'VARCHAR')) }
}

function checkSameColumns(first: FileForm, form: FileForm): void {
  const missing = first.names.find((name) => !form.names.includes(name))
  const extra = form.names.find((name) => !first.names.includes(name))
  if (missing === undefined && extra === undefined) return
  throw new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem:
      missing === undefined
        ? `this file has a column "${extra}" that "${first.file.path}" lacks`
        : `this file lacks the column "${missing}" that "${first.file.path}" has`,
    hint: 'give files of the same columns',
    place: { file: form.file.path },
  })
}

/** How the values of a column in a text format look, over all files. */
interface ColumnSample {
  numValues: number
  numPlaceholders: number
  numNumbers: number
  numBooleans: number
  numDates: number
}

const noSample: ColumnSample = { numValues: 0, numPlaceholders: 0, numNumbers: 0, numBooleans: 0, numDates: 0 }

/** By the first file's order of columns. */
async function sampleColumns(
  database: TableDatabase,
  files: readonly FileForm[],
  missingValues: readonly string[],
): Promise<ColumnSample[]> {
  const [{ names }] = files
  const samples = names.map(() => ({ ...noSample }))
  for (const form of files) {
    if (form.file.format === 'parquet') continue
    const places = names.map((name) => form.names.indexOf(name))
    await addSample(database, form, places, samples, missingValues, 'true')
  }
  for (const [index, name] of names.entries()) {
    for (const form of files) {
      if (samples[index].numValues > 0 || form.file.format === 'parquet') break
      const place = form.names.indexOf(name)
      await addSample(
        database,
        form,
        [place],
        samples.slice(index, index + 1),
        missingValues,
        `${textOf(form, place, missingValues)} IS NOT NULL`,
      )
    }
  }
  return samples
}

async function addSample(
  database: TableDatabase,
  form: FileForm,
  places: readonly number[],
  samples: readonly ColumnSample[],
  missingValues: readonly string[],
  condition: string,
): Promise<void> {
  const texts = places.map((place) => `${textOf(form, place, missingValues)} AS c${place}`)
  const counts = places.flatMap((place) => countsOf(`c${place}`).map((count) => `CAST(${count} AS DOUBLE)`))
  const relation = relationOf(form, new Set(), missingValues)
  const rows = `SELECT ${texts.join(', ')} FROM (SELECT * FROM ${relation} WHERE ${condition} LIMIT ${numSampledRows})`
  const [found] = (await query(database, form, `SELECT ${counts.join(', ')} FROM (${rows})`)) as number[][]
  for (const [index, sample] of samples.entries()) {
    const [numValues, numPlaceholders, numNumbers, numBooleans, numDates] = found.slice(5 * index, 5 * index + 5)
    sample.numValues += numValues
    sample.numPlaceholders += numPlaceholders
    sample.numNumbers += numNumbers
    sample.numBooleans += numBooleans
    sample.numDates += numDates
  }
}

function countsOf(column: string): string[] {
  return [
    `count(${column})`,
    `count(*) FILTER (lower(trim(${column})) IN (${placeholders.map(sqlText).join(', ')}))`,
    `count(*) FILTER (isfinite(TRY_CAST(${column} AS DOUBLE)))`,
    `count(*) FILTER (lower(${column}) IN ('true', 'false'))`,
    `count(*) FILTER (TRY_CAST(${column} AS TIMESTAMP) IS NOT NULL)`,
  ]
}

/** One kind for a column over all files. */
function kindOf(files: readonly FileForm[], name: string, sample: ColumnSample): ColumnKind {
  const kinds = files.map((form) => {
    const type = form.types[form.names.indexOf(name)]
    return isNested(type) || form.file.format === 'parquet' ? kindOfType(type) : kindOfSample(sample)
  })
  const other = kinds.findIndex((kind) => kind !== kinds[0])
  if (other < 0) return kinds[0]
  throw new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem: `the column holds ${nameOfKind[kinds[other]]} here and ${nameOfKind[kinds[0]]} in "${files[0].file.path}"`,
    hint: 'give files of the same columns and types',
    place: { file: files[other].file.path, column: name },
  })
}

export const nameOfKind: Readonly<Record<ColumnKind, string>> = {
  number: 'numbers',
  boolean: 'booleans',
  category: 'text',
  date: 'dates or times',
  nested: 'lists or records',
  empty: 'no values',
}

function kindOfSample({ numValues, numPlaceholders, numNumbers, numBooleans, numDates }: ColumnSample): ColumnKind {
  const numTelling = numValues - numPlaceholders
  if (numValues === 0) return 'empty'
  if (numTelling === 0) return 'number'
  if (numBooleans === numTelling) return 'boolean'
  if (2 * numNumbers >= numTelling) return 'number'
  return 2 * numDates >= numTelling ? 'date' : 'category'
}

function isNested(type: string): boolean {
  return /^(STRUCT|MAP|UNION)\b|\[/.test(type)
}

function kindOfType(type: string): ColumnKind {
  if (isNested(type)) return 'nested'
  if (/^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL)/.test(type)) return 'number'
  if (type === 'BOOLEAN') return 'boolean'
  if (/^(VARCHAR|ENUM|UUID)/.test(type)) return 'category'
  return /^(DATE|TIME|INTERVAL)/.test(type) ? 'date' : 'nested'
}

/** A query on a file, whose failure is the file's. */
export async function query(database: TableDatabase, form: FileForm, sql: string): Promise<unknown[][]> {
  try {
    return await database.rows(sql)
  } catch (error) {
    throw await readingFailed(database, form, [], [], error)
  }
}

async function queryFile(database: TableDatabase, file: TableFile, sql: string): Promise<unknown[][]> {
  return query(database, { file, names: [], types: [] }, sql)
}
