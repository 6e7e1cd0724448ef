/**
 * The table of the linear cases: a million rows of 20 numbers and a target that depends on them linearly, but for some
 * noise; drawn by DuckDB from hashes, so it is the same everywhere.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'

export const numRows = 1_000_000
export const numFeatures = 20
export const target = 'y'

const folder = fileURLToPath(new URL('../../build/bench/', import.meta.url))

/** Evenly spread from -√3 to √3: of mean 0 and variance 1. */
const draw = (column: number): string =>
  `((hash(row * ${numFeatures + 1} + ${column}) / 18446744073709551616.0) - 0.5) * ${Math.sqrt(12)}`

/** Path of the table; it is made when it is first wanted. */
export async function linearTable(): Promise<string> {
  const file = path.join(folder, 'linear.parquet')
  if (existsSync(file)) return file
  mkdirSync(folder, { recursive: true })
  const names = Array.from({ length: numFeatures }, (_, column) => `x${column}`)
  const columns = names.map((name, column) => `(${draw(column)})::FLOAT AS ${name}`)
  const sum = names.map((name, column) => `${(column % 5) - 1.75} * ${name}`).join(' + ')
  const query = `
    SELECT ${names.join(', ')}, (0.5 + ${sum} + 0.1 * noise)::FLOAT AS ${target}
    FROM (SELECT ${columns.join(', ')}, ${draw(numFeatures)} AS noise FROM range(${numRows}) AS rows(row))`
  const beside = `${file}.${process.pid}`
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  await connection.run(`COPY (${query}) TO '${beside}' (FORMAT parquet)`)
  connection.closeSync()
  renameSync(beside, file)
  return file
}
