/** What the data tests share: folders that vanish, and looking at errors. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { TalwegError, type ErrorCode } from '../../src/core/errors.js'

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'talweg-data-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Writes a file into a fresh folder and gives its path. */
export function temporaryFile(t: TestContext, name: string, content: string | Uint8Array): string {
  const file = path.join(temporaryFolder(t), name)
  writeFileSync(file, content)
  return file
}

/** Runs something that must fail with a TalwegError of that code, whose message holds all the given parts. */
export async function assertFails(code: ErrorCode, parts: readonly string[], run: () => unknown): Promise<TalwegError> {
  try {
    await run()
  } catch (error) {
    assert.ok(
      error instanceof TalwegError,
      `not a TalwegError: ${error instanceof Error ? error.stack : String(error)}`,
    )
    assert.equal(error.code, code, error.message)
    for (const part of parts) assert.ok(error.message.includes(part), `"${part}" is not in: ${error.message}`)
    return error
  }
  return assert.fail(`nothing was thrown; expected ${code}`)
}

export function rowsOf(data: ArrayLike<number>, rowSize: number): number[][] {
  return Array.from({ length: data.length / rowSize }, (_, row) =>
    Array.from({ length: rowSize }, (_, place) => data[row * rowSize + place]),
  )
}

/** A table written by DuckDB itself, in any format that it writes. */
export async function writeTable(file: string, select: string, options = ''): Promise<void> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(`COPY (${select}) TO '${file}' ${options}`)
  connection.closeSync()
  instance.closeSync()
}
