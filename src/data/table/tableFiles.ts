/** Which files a table is in: paths and patterns, and each file's format by its name. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { TalwegError } from '../../core/errors.js'
import { fileSizeBytes, toPaths, type FilePaths } from '../files.js'
import { sqlText, type TableDatabase } from './database.js'

export type TableFormat = 'csv' | 'parquet' | 'json'

export interface TableFile {
  /** As the user named it, or as the pattern found it. */
  readonly path: string
  readonly format: TableFormat
  /** The only delimiter that the name allows; where undefined, the header decides. */
  readonly delimiter?: '\t'
}

const formats: Readonly<Record<string, Omit<TableFile, 'path'>>> = {
  '.csv': { format: 'csv' },
  '.txt': { format: 'csv' },
  '.tsv': { format: 'csv', delimiter: '\t' },
  '.tab': { format: 'csv', delimiter: '\t' },
  '.parquet': { format: 'parquet' },
  '.pq': { format: 'parquet' },
  '.json': { format: 'json' },
  '.jsonl': { format: 'json' },
  '.ndjson': { format: 'json' },
}

/**
 * The files that are named, those of a pattern sorted by name.
 *
 * @throws FILE_NOT_FOUND naming the path or pattern, INVALID_FILE for an unknown extension, INVALID_DATA for an empty one
 */
export async function resolveTableFiles(database: TableDatabase, paths: FilePaths): Promise<TableFile[]> {
  const found: string[] = []
  for (const wanted of toPaths(paths)) {
    if (!existsSync(wanted) && /[*?[]/.test(wanted)) found.push(...(await globFiles(database, wanted)))
    else found.push(wanted)
  }
  if (found.length === 0) throw notFound('no file was named', 'name a CSV, TSV, Parquet or JSON file')
  return found.map(toTableFile)
}

async function globFiles(database: TableDatabase, pattern: string): Promise<string[]> {
  const rows = await database.rows(`SELECT file FROM glob(${sqlText(pattern)}) ORDER BY file`)
  if (rows.length > 0) return rows.map(([file]) => path.normalize(file as string))
  throw notFound(`no file matches "${pattern}"`, `patterns are taken from the current folder, ${process.cwd()}`)
}

function notFound(problem: string, hint: string): TalwegError {
  return new TalwegError({ code: 'FILE_NOT_FOUND', operation: 'table', problem, hint })
}

function toTableFile(file: string): TableFile {
  const sizeBytes = fileSizeBytes(file, 'table')
  const name = file.toLowerCase().replace(/\.gz$/, '')
  const form = formats[path.extname(name)]
  if (form === undefined || (form.format === 'parquet' && file.toLowerCase().endsWith('.gz'))) {
    throw new TalwegError({
      code: 'INVALID_FILE',
      operation: 'table',
      problem: `a file named "${path.basename(file)}" is no table that can be read`,
      hint: 'tables are read from .csv, .tsv, .json, .jsonl (each also .gz) and .parquet',
      place: { file },
    })
  }
  if (sizeBytes > 0) return { path: file, ...form }
  throw new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem: 'the file is empty',
    hint: 'give a table with a header and at least one row',
    place: { file },
  })
}
