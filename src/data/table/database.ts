/**
 * DuckDB, which reads every table format: opened for one task and closed after it, held to little memory, never on the
 * network, and streaming in the order of the rows.
 */
import os from 'node:os'
import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { DuckDBConnection, DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api'
import { invariant } from '../../core/errors.js'

/** One thread: a result streamed in order is not faster by more (measured), and it takes 20 MB less. */
const settings = {
  threads: '1',
  memory_limit: '1GB',
  // Give memory back early: 25 MB less at the peak, measured.
  allocator_bulk_deallocation_flush_threshold: '1MB',
  enable_external_file_cache: 'false',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
}

/** Each chunk has at most 2,048 rows; V8 doesn't see the memory behind it and would let hundreds of them wait. */
const chunksPerCollection = 8

/** Values of some rows, column by column. The arrays are reused: read them before asking for the next chunk. */
export interface ColumnChunk {
  readonly numRows: number
  /** At least `numRows` long. */
  readonly columns: readonly Float64Array[]
}

export class TableDatabase {
  readonly #connection: DuckDBConnection

  constructor(connection: DuckDBConnection) {
    this.#connection = connection
  }

  /** All rows of a small result. Integers must be cast to DOUBLE or VARCHAR in the query. */
  async rows(sql: string): Promise<unknown[][]> {
    const reader = await this.#connection.runAndReadAll(sql)
    return reader.getRowsJS()
  }

  async run(sql: string): Promise<void> {
    await this.#connection.run(sql)
  }

  /** The rows of a query whose columns are all of type DOUBLE and without NULL, in order, piece by piece. */
  async *stream(sql: string): AsyncGenerator<ColumnChunk> {
    const result = await this.#connection.stream(sql)
    const columns = Array.from({ length: result.columnCount }, () => new Float64Array(2048))
    let next = fetchChunk(result)
    for (let numChunks = 1; ; numChunks++) {
      const chunk = await next
      if (chunk === null || chunk.rowCount === 0) return
      next = fetchChunk(result)
      copyColumns(chunk, columns)
      if (numChunks % chunksPerCollection === 0) collectYoungGarbage()
      yield { numRows: chunk.rowCount, columns }
    }
  }
}

/** DuckDB's own thread goes on reading while the chunk before is worked on; a failure shows when this one is awaited. */
function fetchChunk(result: DuckDBResult): Promise<DuckDBDataChunk | null> {
  const chunk = result.fetchChunk()
  chunk.catch(() => undefined)
  return chunk
}

function copyColumns(chunk: DuckDBDataChunk, columns: readonly Float64Array[]): void {
  const numRows = chunk.rowCount
  for (const [index, column] of columns.entries()) {
    invariant(numRows <= column.length, 'a chunk has at most 2,048 rows')
    const vector = chunk.getColumnVector(index)
    for (let row = 0; row < numRows; row++) column[row] = vector.getItem(row) as number
  }
}

let collect: ((options: { type: 'minor' }) => void) | undefined

function collectYoungGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as typeof collect
    setFlagsFromString('--no-expose-gc')
  }
  collect?.({ type: 'minor' })
}

/** Opens a database in memory for a task. */
export async function withDatabase<Result>(task: (database: TableDatabase) => Promise<Result>): Promise<Result> {
  const opened = await openDatabase()
  try {
    return await task(opened.database)
  } finally {
    opened.close()
  }
}

/** As `withDatabase`, for a generator. */
export async function* streamWithDatabase<Item>(
  task: (database: TableDatabase) => AsyncGenerator<Item>,
): AsyncGenerator<Item> {
  const opened = await openDatabase()
  try {
    yield* task(opened.database)
  } finally {
    opened.close()
  }
}

async function openDatabase(): Promise<{ database: TableDatabase; close: () => void }> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const temporary = path.join(os.tmpdir(), `talweg-duckdb-${process.pid}`)
  const instance = await DuckDBInstance.create(':memory:', { ...settings, temp_directory: temporary })
  const connection = await instance.connect()
  const close = () => {
    connection.closeSync()
    instance.closeSync()
  }
  return { database: new TableDatabase(connection), close }
}

export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** A path for a reader function, which would take `*`, `?` and `[` for patterns. */
export function sqlPath(file: string): string {
  return sqlText(path.resolve(file).replaceAll(/[*?[]/g, '[$&]'))
}
