/** Identities of data sets: a hash of what they hold, so that a run is never resumed on other data unnoticed. */
import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync, readSync, statSync } from 'node:fs'

/** Files up to this size are hashed whole, larger ones by their size and by samples, so that opening stays quick. */
const maxWholeBytes = 64 * 2 ** 20
const sampleBytes = 2 ** 16
const numSamples = 64

/** 32 hexadecimal digits for strings and arrays, in that order. */
export function fingerprint(parts: Iterable<string | ArrayBufferView>): string {
  const hash = createHash('sha256')
  for (const part of parts) {
    hash.update(typeof part === 'string' ? `${part.length}:${part}` : asBytes(part))
  }
  return hash.digest('hex').slice(0, 32)
}

function asBytes(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

/** The identity of files by what they hold; their names and dates don't count. */
export function fingerprintFiles(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) hashFile(path, hash)
  return hash.digest('hex').slice(0, 32)
}

function hashFile(path: string, hash: Hash): void {
  const sizeBytes = statSync(path).size
  hash.update(`file of ${sizeBytes} bytes:`)
  const step = sizeBytes <= maxWholeBytes ? sampleBytes : (sizeBytes - sampleBytes) / (numSamples - 1)
  const buffer = Buffer.allocUnsafe(sampleBytes)
  const file = openSync(path, 'r')
  try {
    for (let place = 0; place < sizeBytes; place += step) {
      hash.update(buffer.subarray(0, readSync(file, buffer, 0, sampleBytes, Math.floor(place))))
    }
  } finally {
    closeSync(file)
  }
}
