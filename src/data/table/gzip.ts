/**
 * Whether a file compressed by gzip is whole. DuckDB takes a truncated one for the end of the table, and does not look at the
 * checksum: half the rows would be trained on unnoticed. Reading it once more costs a second for 300 MB of text.
 */
import { createReadStream } from 'node:fs'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { TalwegError } from '../../core/errors.js'

/** @throws INVALID_FILE naming the file, where it is truncated or damaged */
export async function checkGzip(path: string): Promise<void> {
  const discard = new Writable({ write: (_bytes, _encoding, done) => done() })
  try {
    await pipeline(createReadStream(path), createGunzip(), discard)
  } catch (cause) {
    throw new TalwegError({
      code: 'INVALID_FILE',
      operation: 'table',
      problem: `the gzip file is not whole: ${(cause as Error).message}`,
      hint: 'fetch or compress it again',
      place: { file: path },
      cause,
    })
  }
}
