/**
 * Files of token ids, made once for a text and a tokenizer and found again by a hash of both.
 *
 * Form: 64 bytes of header, then the ids, 2 bytes each where the vocabulary allows it, else 4, least significant byte
 * first. Header: `TALWEGTK`, u32 version, u32 bytes per token, f64 number of tokens, 32 bytes SHA-256 of the ids.
 * Written beside and renamed, so a reader never sees half of one.
 */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import { TalwegError } from '../../core/errors.js'
import type { TokenFile } from './tokenStore.js'

const magic = 'TALWEGTK'
const version = 1
const headerBytes = 64

export interface OpenTokens {
  readonly file: TokenFile
  readonly numTokens: number
}

/** Opens a file of tokens; undefined where there is none or it is not whole, so that it is made again. */
export function openTokenFile(filePath: string): OpenTokens | undefined {
  let descriptor: number
  try {
    descriptor = openSync(filePath, 'r')
  } catch {
    return undefined
  }
  const header = Buffer.alloc(headerBytes)
  const isRead = readSync(descriptor, header, 0, headerBytes, 0) === headerBytes
  const bytesPerToken = header.readUInt32LE(12)
  const numTokens = header.readDoubleLE(16)
  const isWhole =
    isRead &&
    header.toString('latin1', 0, 8) === magic &&
    header.readUInt32LE(8) === version &&
    (bytesPerToken === 2 || bytesPerToken === 4) &&
    fstatSync(descriptor).size === headerBytes + numTokens * bytesPerToken &&
    hashFrom(descriptor).equals(header.subarray(24, 56))
  if (isWhole) return { file: { descriptor, bytesPerToken, firstByte: headerBytes, isOpen: true }, numTokens }
  closeSync(descriptor)
  return undefined
}

/** Half a second a gigabyte, and a damaged cache is never trained on. */
function hashFrom(descriptor: number): Buffer {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(2 ** 20)
  let position = headerBytes
  for (let numRead = -1; numRead !== 0; position += numRead) {
    numRead = readSync(descriptor, buffer, 0, buffer.length, position)
    hash.update(buffer.subarray(0, numRead))
  }
  return hash.digest()
}

/**
 * Writes the ids as they come and gives the file its name at the end.
 *
 * @throws DISK_FULL or INVALID_SETTING naming the folder, where it can't be written
 */
export function writeTokenFile(filePath: string, vocabulary: number, pieces: Iterable<Int32Array>): void {
  const folder = path.dirname(filePath)
  const partial = `${filePath}.${process.pid}.partial`
  try {
    mkdirSync(folder, { recursive: true })
    const descriptor = openSync(partial, 'w')
    try {
      writeTokens(descriptor, vocabulary <= 2 ** 16 ? 2 : 4, pieces)
    } finally {
      closeSync(descriptor)
    }
    renameSync(partial, filePath)
  } catch (cause) {
    rmSync(partial, { force: true })
    throw cause instanceof TalwegError ? cause : writingFailed(folder, cause as NodeJS.ErrnoException)
  }
}

function writeTokens(descriptor: number, bytesPerToken: 2 | 4, pieces: Iterable<Int32Array>): void {
  const hash = createHash('sha256')
  let numTokens = 0
  writeAll(descriptor, Buffer.alloc(headerBytes))
  for (const piece of pieces) {
    const narrow = bytesPerToken === 2 ? Uint16Array.from(piece) : piece
    const bytes = Buffer.from(narrow.buffer, narrow.byteOffset, narrow.byteLength)
    hash.update(bytes)
    writeAll(descriptor, bytes)
    numTokens += piece.length
  }
  const header = Buffer.alloc(headerBytes)
  header.write(magic, 'latin1')
  header.writeUInt32LE(version, 8)
  header.writeUInt32LE(bytesPerToken, 12)
  header.writeDoubleLE(numTokens, 16)
  hash.digest().copy(header, 24)
  writeSync(descriptor, header, 0, headerBytes, 0)
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written)
}

export function writingFailed(folder: string, cause: NodeJS.ErrnoException): TalwegError {
  const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT'
  return new TalwegError({
    code: isFull ? 'DISK_FULL' : 'INVALID_SETTING',
    operation: 'data',
    problem: `the cache can't be written to "${folder}": ${cause.message}`,
    hint: 'choose another folder by the option cacheFolder or the environment variable TALWEG_CACHE',
    cause,
  })
}
