/**
 * Reading safetensors by ranges: the header first, checked against the file's size; then each tensor from its own place into
 * the array that it will stay in. Numbers that are stored in another type pass through a small buffer, so a file is never in
 * memory beside its tensors.
 */
import { open, type FileHandle } from 'node:fs/promises'
import { dtypes } from '../../core/dtype.js'
import { invariant, TalwegError } from '../../core/errors.js'
import { numElements, tensorData, type TensorData } from '../../core/shape.js'
import { isSystemError } from '../disk.js'
import { decodeHeader, decodeHeaderSize, invalid, type SafetensorsHeader, type TensorEntry } from './header.js'
import { storedTypes, type StoredType } from './storedTypes.js'
import { bytesOf } from './writer.js'

/** A multiple of every element's size. */
const pieceBytes = 2 ** 20

/** An open file. */
export class SafetensorsFile {
  readonly file: string
  readonly header: SafetensorsHeader
  readonly #handle: FileHandle

  private constructor(file: string, header: SafetensorsHeader, handle: FileHandle) {
    this.file = file
    this.header = header
    this.#handle = handle
  }

  /**
   * Opens a file and reads its header.
   *
   * @throws FILE_NOT_FOUND; INVALID_FILE where the header is not that of what is in the file
   */
  static async open(file: string): Promise<SafetensorsFile> {
    const handle = await openFile(file)
    try {
      const header = await orUnreadable(file, () => readHeader(handle, file))
      return new SafetensorsFile(file, header, handle)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** @throws INVALID_FILE where the file has changed, or a number does not fit in what it is read as */
  async read({ name, stored, type, start, end }: TensorEntry): Promise<TensorData> {
    invariant(new Uint8Array(Uint16Array.of(1).buffer)[0] === 1, 'the machine is little-endian')
    const tensor = this.allocate(name, type)
    const { decode, sizeBytes }: StoredType = storedTypes[stored]
    if (decode === undefined) {
      await readExactly(this.#handle, bytesOf(tensor), start, this.file)
      return tensor
    }
    const buffer = new Uint8Array(Math.min(pieceBytes, end - start))
    for (let position = start; position < end; position += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, end - position))
      await readExactly(this.#handle, piece, position, this.file)
      const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength)
      const problem = decode(view, tensor.data, (position - start) / sizeBytes)
      if (problem !== undefined) throw invalid(this.file, `tensor "${name}" (${stored}): ${problem}`)
    }
    return tensor
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  private allocate(name: string, { dtype, shape }: TensorEntry['type']): TensorData {
    try {
      return tensorData(dtype, shape)
    } catch (cause) {
      const size = numElements(shape) * dtypes[dtype].sizeBytes
      throw new TalwegError({
        code: 'DOES_NOT_FIT',
        operation: 'safetensors',
        problem: `tensor "${name}" takes ${size} bytes, more than can be allocated`,
        place: { file: this.file },
        cause,
      })
    }
  }
}

/** Reads the header alone. @throws INVALID_FILE, FILE_NOT_FOUND */
export async function readSafetensorsHeader(file: string): Promise<SafetensorsHeader> {
  const opened = await SafetensorsFile.open(file)
  await opened.close()
  return opened.header
}

/**
 * Reads all tensors of a file.
 *
 * @throws INVALID_FILE where the file is not what its header says, FILE_NOT_FOUND
 */
export async function readSafetensors(file: string): Promise<Map<string, TensorData>> {
  const opened = await SafetensorsFile.open(file)
  try {
    const read = new Map<string, TensorData>()
    for (const entry of opened.header.tensors) read.set(entry.name, await opened.read(entry))
    return read
  } finally {
    await opened.close()
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r')
  } catch (cause) {
    if (!isSystemError(cause, 'ENOENT', 'ENOTDIR')) throw unreadable(file, cause)
    throw new TalwegError({
      code: 'FILE_NOT_FOUND',
      operation: 'safetensors',
      problem: `there is no file "${file}"`,
      place: { file },
    })
  }
}

async function readHeader(handle: FileHandle, file: string): Promise<SafetensorsHeader> {
  const { size } = await handle.stat()
  const prefix = new Uint8Array(8)
  await handle.read(prefix, 0, 8, 0)
  const header = new Uint8Array(decodeHeaderSize(prefix, size, file))
  await readExactly(handle, header, 8, file)
  return decodeHeader(header, size, file)
}

async function readExactly(handle: FileHandle, into: Uint8Array, position: number, file: string): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await handle.read(into, done, Math.min(into.length - done, 2 ** 30), position + done)
    if (bytesRead === 0) throw invalid(file, 'the file became shorter while it was read')
    done += bytesRead
  }
}

async function orUnreadable<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

/** What the system refuses (a folder, no permission) named as Talweg's own; any other error as it is. */
function unreadable(file: string, cause: unknown): unknown {
  const { code } = Object(cause) as NodeJS.ErrnoException
  if (cause instanceof TalwegError || !(cause instanceof Error) || code === undefined) return cause
  const problem = code === 'EISDIR' ? 'it is a folder' : `it can't be read: ${cause.message}`
  return invalid(file, problem, 'name a .safetensors file that may be read', cause)
}
