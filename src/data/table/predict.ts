/** The rows of another table, prepared by the design of the one that was trained on: for predictions. */
import { TalwegError } from '../../core/errors.js'
import type { FilePaths } from '../files.js'
import type { JsonValue } from '../source.js'
import { streamWithDatabase } from './database.js'
import type { TableDesign } from './design.js'
import { encodeFeatures } from './encode.js'
import { mayBeMissing, readColumnsOf } from './load.js'
import { matchTable } from './match.js'
import { readRows, selectRows } from './rows.js'

export interface PreparedRows {
  /** f32[numRows, features]; reused: read it before asking for the next ones. */
  readonly features: Float32Array
  readonly numRows: number
  readonly file: string
  /** Of the first of these rows in its file, from 1. */
  readonly firstRow: number
}

/**
 * Every row of a table, in order, at most 2,048 at once. None is ever left out: where training dropped rows with missing
 * values, one here is an error, for there is nothing to predict from.
 *
 * @example
 * for await (const { features, numRows } of prepareRows('new-houses.csv', design)) predict(features, numRows)
 * @throws FILE_NOT_FOUND, INVALID_FILE, INVALID_DATA naming file, row and column
 */
export async function* prepareRows(paths: FilePaths, design: TableDesign): AsyncGenerator<PreparedRows> {
  yield* streamWithDatabase(async function* rows(database): AsyncGenerator<PreparedRows> {
    const { files } = await matchTable(database, paths, design, false)
    const columns = readColumnsOf(design).slice(0, -1)
    const rules = { mayDrop: false, mayBeMissing: mayBeMissing(design), isFitted: true }
    const selected = new Int32Array(2048)
    const features = new Float32Array(2048 * design.features.length)
    for await (const chunk of readRows(database, files, columns, design.missingValues)) {
      const numRows = await selectRows(database, chunk, columns, rules, selected)
      const place = { data: features, stride: design.features.length, firstRow: 0 }
      encodeFeatures(design, chunk.columns, selected, numRows, place)
      yield { features, numRows, file: chunk.form.file.path, firstRow: chunk.firstFileRow + 1 }
    }
  })
}

/** The design in a table's description, as a run's folder keeps it. @throws INVALID_FILE if there is none */
export function restoreTableDesign(description: JsonValue): TableDesign {
  if (typeof description === 'object' && description !== null && !Array.isArray(description)) {
    const { design } = description
    if (typeof design === 'object' && design !== null && !Array.isArray(design)) {
      if (design.version === 1) return design as unknown as TableDesign
      throw noDesign(`the design of its table is of version ${String(design.version)}, and this Talweg knows version 1`)
    }
  }
  throw noDesign('the description of the data holds no design of a table')
}

function noDesign(problem: string): TalwegError {
  const hint = 'predict with a model that this version fitted to a table'
  return new TalwegError({ code: 'INVALID_FILE', operation: 'predict', problem, hint })
}
