/**
 * The safetensors format: tensors by name in one file, which other tools read too and which can run no code.
 *
 * Eight bytes give the header's size (little-endian), then comes the header (JSON: each name with its element type,
 * shape and place among the data), then the data, row-major and little-endian, without gaps. A file is never believed:
 * a header that claims other than what the file holds is refused, naming the tensor.
 *
 * Source: https://github.com/huggingface/safetensors#format
 */
import * as z from 'zod'
import { invariant, TalwegError } from '../../core/errors.js'
import { numElements, type Shape, type TensorType } from '../../core/shape.js'
import { isStoredName, otherNames, storedTypes, type StoredName } from './storedTypes.js'

/** What a header says of one tensor. */
export interface TensorEntry {
  readonly name: string
  readonly stored: StoredName
  /** What it is read as. */
  readonly type: TensorType
  /** Where its bytes begin and end, counted from the start of the file. */
  readonly start: number
  readonly end: number
}

export interface SafetensorsHeader {
  readonly tensors: readonly TensorEntry[]
  readonly metadata: Readonly<Record<string, string>>
}

const prefixBytes = 8
/** The format's own limit. */
export const maxHeaderBytes = 100_000_000
const metadataKey = '__metadata__'
/** The data begin at a multiple of this, so that typed arrays can be laid over a mapped file. */
const alignment = 64

const nonNegative = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(nonNegative),
  data_offsets: z.tuple([nonNegative, nonNegative]),
})

/** A tensor to be written: its name, and how it lies in the file. */
export interface TensorPlace {
  readonly name: string
  readonly stored: StoredName
  readonly shape: Shape
}

/**
 * The first bytes of a file: size and header, padded with spaces. The data follow in the order of `tensors`.
 *
 * @param tensors in the order in which their data will be written
 */
export function encodeHeader(
  tensors: readonly TensorPlace[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { [metadataKey]: metadata }
  let offset = 0
  for (const { name, stored, shape } of tensors) {
    invariant(!Object.hasOwn(header, name), `two tensors have the name ${name}`)
    const end = offset + storedBytes(stored, shape)
    header[name] = { dtype: stored, shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const total = Math.ceil((prefixBytes + json.length) / alignment) * alignment
  const bytes = new Uint8Array(total).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(total - prefixBytes), true)
  bytes.set(json, prefixBytes)
  return bytes
}

/** What a tensor takes in a file. */
export function storedBytes(stored: StoredName, shape: Shape): number {
  return numElements(shape) * storedTypes[stored].sizeBytes
}

/**
 * The header's size, from the first eight bytes.
 *
 * @param fileBytes how long the whole file is
 * @throws INVALID_FILE where the file can't hold a header of that size
 */
export function decodeHeaderSize(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (fileBytes < prefixBytes)
    throw invalid(file, `the file has ${fileBytes} bytes; a safetensors file has at least ${prefixBytes}`)
  const size = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true)
  if (size > BigInt(maxHeaderBytes))
    throw invalid(file, `the header claims ${size} bytes; the format allows ${maxHeaderBytes}`)
  if (prefixBytes + Number(size) > fileBytes) {
    throw invalid(
      file,
      `the header claims ${size} bytes and the file has ${fileBytes - prefixBytes} after its first eight: it is cut short`,
    )
  }
  return Number(size)
}

/**
 * Reads and checks a header.
 *
 * @param bytes the header without the eight bytes before it
 * @throws INVALID_FILE where it is no header, or where the tensors overlap, leave gaps, or don't fill the file
 */
export function decodeHeader(bytes: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const { [metadataKey]: metadata, ...entries } = parseObject(bytes, file)
  const dataStart = prefixBytes + bytes.length
  const tensors = Object.entries(entries).map(([name, entry]) => decodeEntry(name, entry, dataStart, file))
  checkPlaces(tensors, dataStart, fileBytes, file)
  const parsed = z.record(z.string(), z.string()).optional().safeParse(metadata)
  if (!parsed.success) throw invalid(file, `the header's ${metadataKey} is not an object of strings`)
  return { tensors, metadata: parsed.data ?? {} }
}

function parseObject(bytes: Uint8Array, file: string): Record<string, unknown> {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw invalid(file, 'the header is not JSON: this is no safetensors file', undefined, cause)
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw invalid(file, 'the header is not a JSON object: this is no safetensors file')
  }
  return header as Record<string, unknown>
}

function decodeEntry(name: string, entry: unknown, dataStart: number, file: string): TensorEntry {
  const parsed = entrySchema.safeParse(entry)
  if (!parsed.success)
    throw invalid(
      file,
      `tensor "${name}": its header entry is not {dtype, shape, data_offsets}: ${parsed.error.issues[0].message}`,
    )
  const { dtype: stored, shape, data_offsets: [begin, end] } = parsed.data // prettier-ignore
  if (!isStoredName(stored)) throw unknownType(name, stored, file)
  const needed = storedBytes(stored, shape)
  if (end - begin !== needed) {
    throw invalid(
      file,
      `tensor "${name}": ${stored} [${shape.join(',')}] takes ${needed} bytes and its place has ${end - begin}`,
    )
  }
  const type: TensorType = { dtype: storedTypes[stored].dtype, shape }
  return { name, stored, type, start: dataStart + begin, end: dataStart + end }
}

function unknownType(name: string, stored: string, file: string): TalwegError {
  if (!otherNames.has(stored))
    return invalid(file, `tensor "${name}" is of type "${stored}", which is no type of the format`)
  const known = Object.keys(storedTypes).join(', ')
  return invalid(
    file,
    `tensor "${name}" is of type ${stored}; Talweg reads ${known}`,
    'take the weights in a type that they can be trained in, such as F32 or BF16',
  )
}

function checkPlaces(tensors: readonly TensorEntry[], dataStart: number, fileBytes: number, file: string): void {
  let previous = { name: 'the header', end: dataStart }
  for (const tensor of tensors.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (tensor.start < previous.end) throw invalid(file, `tensor "${tensor.name}" overlaps "${previous.name}"`)
    if (tensor.start > previous.end) {
      throw invalid(
        file,
        `${tensor.start - previous.end} bytes between "${previous.name}" and "${tensor.name}" belong to nothing`,
      )
    }
    previous = tensor
  }
  if (previous.end > fileBytes) {
    throw invalid(file, `the tensors end at byte ${previous.end} and the file has ${fileBytes}: it is cut short`)
  }
  if (previous.end < fileBytes)
    throw invalid(file, `${fileBytes - previous.end} bytes after the last tensor belong to nothing`)
}

const brokenFile = 'the file is damaged or was not wholly copied: fetch or write it again'

export function invalid(file: string, problem: string, hint = brokenFile, cause?: unknown): TalwegError {
  return new TalwegError({ code: 'INVALID_FILE', operation: 'safetensors', problem, hint, place: { file }, cause })
}
