/** Finding files, and reading text from them piece by piece, with errors that name the file. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { TextDecoder } from 'node:util'
import { TalwegError } from '../core/errors.js'

export type FilePath = string | URL
export type FilePaths = FilePath | readonly FilePath[]

export function toPaths(paths: FilePaths): string[] {
  return [paths].flat().map((path) => (path instanceof URL ? fileURLToPath(path) : path))
}

export function toPath(path: FilePath): string {
  return toPaths(path)[0]
}

/** Of Node's `Stats`, which declarations must not name: whoever writes a training file need not have Node's types. */
interface FileFacts {
  readonly size: number
  isFile(): boolean
  isDirectory(): boolean
}

/** What the file system says of a path. @throws FILE_NOT_FOUND naming it */
export function statPath(path: string, operation: string): FileFacts {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found !== undefined) return found
  throw new TalwegError({
    code: 'FILE_NOT_FOUND',
    operation,
    problem: `there is no file "${path}"`,
    hint: `paths are taken from the current folder, ${process.cwd()}`,
    place: { file: path },
  })
}

/** The size of an ordinary file. @throws FILE_NOT_FOUND or INVALID_FILE naming it */
export function fileSizeBytes(path: string, operation: string): number {
  const found = statPath(path, operation)
  if (found.isDirectory()) {
    throw new TalwegError({
      code: 'INVALID_FILE',
      operation,
      problem: `"${path}" is a folder`,
      hint: 'name the file in it',
      place: { file: path },
    })
  }
  return found.size
}

const pieceBytes = 2 ** 20

/**
 * The text of a file in pieces of about a megabyte, none of which ends inside a character.
 *
 * @throws INVALID_FILE if it is not UTF-8
 */
export function* readTextPieces(path: string, operation: string): Generator<string> {
  fileSizeBytes(path, operation)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const buffer = Buffer.allocUnsafe(pieceBytes)
  const file = openSync(path, 'r')
  try {
    for (let numBytes = -1; numBytes !== 0;) {
      numBytes = readSync(file, buffer)
      const piece = decodePiece(decoder, buffer.subarray(0, numBytes), numBytes > 0, path, operation)
      if (piece !== '') yield piece
    }
  } finally {
    closeSync(file)
  }
}

function decodePiece(decoder: TextDecoder, bytes: Uint8Array, more: boolean, path: string, operation: string): string {
  try {
    return decoder.decode(bytes, { stream: more })
  } catch (cause) {
    throw new TalwegError({
      code: 'INVALID_FILE',
      operation,
      problem: 'the text is not UTF-8',
      hint: `convert it, for example with: iconv -f latin1 -t utf-8 "${path}"`,
      place: { file: path },
      cause,
    })
  }
}
