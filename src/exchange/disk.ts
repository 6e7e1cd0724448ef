/**
 * Reading and writing files so that what is said to be written is on the disk, and what was written can be told from
 * what was damaged since: every file is summed (SHA-256) while it passes, and flushed before it is named.
 */
import { createHash, type Hash } from 'node:crypto'
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { TalwegError } from '../core/errors.js'

/** What a manifest keeps of each file. */
export interface FileSum {
  readonly sizeBytes: number
  readonly sha256: string
}

/** Pieces small enough that summing one doesn't hold up the event loop. */
const pieceBytes = 4 * 2 ** 20

/** What a file is made of, in order; a part may be overwritten once the next is asked for. */
export type Parts = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** Writes a file from parts and flushes it. @throws DISK_FULL */
export async function writeSummed(file: string, parts: Parts): Promise<FileSum> {
  const sum = await writeUnflushed(file, parts)
  await flushFile(file)
  return sum
}

/** Hands a file's parts to the system, which has yet to bring them to the disk (`flushFile`). @throws DISK_FULL */
export async function writeUnflushed(file: string, parts: Parts): Promise<FileSum> {
  return orDiskFull(file, async () => {
    const hash = createHash('sha256')
    const handle = await open(file, 'w')
    let sizeBytes = 0
    try {
      for await (const part of parts) {
        await writeInPieces(handle, part, hash)
        sizeBytes += part.length
      }
    } finally {
      await handle.close()
    }
    return { sizeBytes, sha256: hash.digest('hex') }
  })
}

/** Returns when what was written is on the disk. @throws DISK_FULL */
export async function flushFile(file: string): Promise<void> {
  await orDiskFull(file, async () => {
    const handle = await open(file, 'r+')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  })
}

async function writeInPieces(handle: FileHandle, bytes: Uint8Array, hash: Hash): Promise<void> {
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    const piece = bytes.subarray(start, start + pieceBytes)
    hash.update(piece)
    for (let written = 0; written < piece.length;) {
      const { bytesWritten } = await handle.write(piece, written, piece.length - written)
      written += bytesWritten
    }
  }
}

/** Puts a text, or a file of parts, in place of a file at once: a reader finds the old one or the new one. @throws DISK_FULL */
export async function replaceFile(file: string, content: string | Parts): Promise<void> {
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`)
  try {
    await writeSummed(beside, typeof content === 'string' ? [new TextEncoder().encode(content)] : content)
    await orDiskFull(file, async () => {
      await rename(beside, file)
      await syncFolder(path.dirname(file))
    })
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

/** Flushes a folder's list of names. Windows has no such thing and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The size and sum of a file, or undefined where there is none. */
export async function sumFile(file: string): Promise<FileSum | undefined> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  try {
    const handle = await open(file, 'r')
    try {
      const buffer = new Uint8Array(pieceBytes)
      for (let bytesRead = -1; bytesRead !== 0;) {
        ;({ bytesRead } = await handle.read(buffer, 0, buffer.length))
        hash.update(buffer.subarray(0, bytesRead))
        sizeBytes += bytesRead
      }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'EISDIR', 'EIO')) return undefined
    throw error
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}

/** A small text file, or undefined where there is none. */
export async function readText(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
}

/** What a text says as JSON; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function isSystemError(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes(String((error as NodeJS.ErrnoException).code))
}

/** Turns the system's "no space left" into DISK_FULL, which names the file. */
export async function orDiskFull<T>(file: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (cause) {
    throw asDiskFull(file, cause)
  }
}

export function asDiskFull(file: string, cause: unknown): unknown {
  if (!isSystemError(cause, 'ENOSPC', 'EDQUOT', 'EFBIG')) return cause
  return new TalwegError({
    code: 'DISK_FULL',
    operation: 'write',
    problem: `no space is left to write "${file}" (${(cause as NodeJS.ErrnoException).code})`,
    hint: 'free some space, then try again; a training goes on with --resume, and keeps fewer checkpoints with --keep',
    place: { file },
    cause,
  })
}
