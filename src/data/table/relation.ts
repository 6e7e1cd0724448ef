/** How DuckDB is asked for a file's rows: the FROM clause, with columns named `c0`, `c1`, … by their place in the file. */
import type { CsvHeader } from './csvRecords.js'
import { sqlPath, sqlText } from './database.js'
import type { TableFile } from './tableFiles.js'

/** A file, and what is known of its columns before any row is read. */
export interface FileForm {
  readonly file: TableFile
  /** Names in the file's own order. */
  readonly names: readonly string[]
  /** The file's own types, in DuckDB's words; for text formats VARCHAR. */
  readonly types: readonly string[]
  /** For CSV. */
  readonly header?: CsvHeader
}

/** Bytes that DuckDB reads of a CSV file at once; a row must fit. Its default of 32 MB costs as much memory. */
const csvBufferBytes = 4_000_000

/**
 * @param numberColumns places of columns to parse as numbers while reading (a text in one is then an error); columns of
 *   text formats are VARCHAR otherwise
 * @param missingValues texts that mean a missing value, beside the empty field
 */
export function relationOf(
  form: FileForm,
  numberColumns: ReadonlySet<number>,
  missingValues: readonly string[],
): string {
  return `${readerOf(form, numberColumns, missingValues)} AS t(${form.names.map((_, index) => `c${index}`).join(', ')})`
}

function readerOf(form: FileForm, numberColumns: ReadonlySet<number>, missingValues: readonly string[]): string {
  const { file, names, header } = form
  const path = sqlPath(file.path)
  const typeOf = (index: number) => sqlText(numberColumns.has(index) ? 'DOUBLE' : 'VARCHAR')
  if (file.format === 'parquet') return `read_parquet(${path}, hive_partitioning = false)`
  if (file.format === 'json') {
    const columns = names.map((name, index) => `${sqlText(name)}: ${typeOf(index)}`)
    return `read_json(${path}, columns = {${columns.join(', ')}})`
  }
  const nulls = ['', ...missingValues].map(sqlText)
  const columns = names.map((_, index) => `'c${index}': ${typeOf(index)}`)
  const options = [
    'auto_detect = false',
    'header = true',
    `quote = '"'`,
    `escape = '"'`,
    `buffer_size = ${csvBufferBytes}`,
    `delim = ${sqlText(header?.delimiter ?? ',')}`,
    `skip = ${header?.numSkipped ?? 0}`,
    `nullstr = [${nulls.join(', ')}]`,
    `columns = {${columns.join(', ')}}`,
  ]
  return `read_csv(${path}, ${options.join(', ')})`
}

/** A text column with the texts that mean a missing value taken for NULL. Reading CSV has done that already. */
export function textOf(form: FileForm, index: number, missingValues: readonly string[]): string {
  const text = `CAST(c${index} AS VARCHAR)`
  if (form.file.format === 'csv' || missingValues.length === 0) return text
  return `CASE WHEN ${text} IN (${missingValues.map(sqlText).join(', ')}) THEN NULL ELSE ${text} END`
}
