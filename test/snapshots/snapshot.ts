/**
 * Texts compared with files kept beside the tests. `TALWEG_UPDATE_SNAPSHOTS=1 npm test -- snapshots` writes them anew;
 * what changed is then read in the diff.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const folder = path.join(import.meta.dirname, 'expected')

/** @param file name below `expected/`, with its extension */
export function assertSnapshot(file: string, actual: string): void {
  const place = path.join(folder, file)
  if (process.env.TALWEG_UPDATE_SNAPSHOTS === '1') {
    mkdirSync(path.dirname(place), { recursive: true })
    writeFileSync(place, actual)
    return
  }
  assert.ok(existsSync(place), `no snapshot ${file}: write it by TALWEG_UPDATE_SNAPSHOTS=1, and read it`)
  assert.equal(actual, readFileSync(place, 'utf8'), `differs from the snapshot ${file}`)
}
