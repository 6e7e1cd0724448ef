/**
 * The safetensors format: tensors by name in one file, which other tools read too and which can run no code.
 *
 * Eight bytes give the header's size (little-endian), then comes the header (JSON: each name with its element type,
 * shape and place among the data), then the data, row-major and little-endian, without gaps. A file is never believed:
 * a header that claims other than what the file holds is refused, naming the tensor.
 *
 * Source: https://github.com/huggingface/safetensors#format
 */
import { z } from 'zod'
import { dtypes, type DType } from '../../core/dtype.js'
import { invariant, TalwegError } from '../../core/errors.js'
import {
  formatType,
  numElements,
  sizeBytes,
  tensorData,
  type Shape,
  type TensorData,
  type TensorType,
} from '../../core/shape.js'

/** What a header says of one tensor. */
export interface TensorEntry {
  readonly name: string
  readonly type: TensorType
  /** Where its bytes begin and end, counted from the start of the file. */
  readonly start: number
  readonly end: number
}

export interface SafetensorsHeader {
  readonly tensors: readonly TensorEntry[]
  readonly metadata: Readonly<Record<string, string>>
}

const dtypeNames: { readonly [D in DType]: string } = {
  f64: 'F64', f32: 'F32', bf16: 'BF16', i32: 'I32', u32: 'U32', u8: 'U8', bool: 'BOOL',
} // prettier-ignore

const dtypesByName = new Map<string, DType>(Object.entries(dtypeNames).map(([dtype, name]) => [name, dtype as DType]))

/** Other names that the format knows. A file with them is whole; Talweg has no element type for them. */
const otherDtypeNames = new Set(['I64', 'U64', 'F16', 'I16', 'U16', 'I8', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F4', 'C64'])

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

/**
 * The first bytes of a file: size and header, padded with spaces. The data follow in the order of `tensors`.
 *
 * @param tensors names and types, in the order in which their data will be written
 */
export function encodeHeader(
  tensors: readonly { readonly name: string; readonly type: TensorType }[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { [metadataKey]: metadata }
  let offset = 0
  for (const { name, type } of tensors) {
    invariant(!Object.hasOwn(header, name), `two tensors have the name ${name}`)
    const end = offset + sizeBytes(type)
    header[name] = { dtype: dtypeNames[type.dtype], shape: type.shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const total = Math.ceil((prefixBytes + json.length) / alignment) * alignment
  const bytes = new Uint8Array(total).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(total - prefixBytes), true)
  bytes.set(json, prefixBytes)
  return bytes
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
    throw invalid(file, 'the header is not JSON: this is no safetensors file', cause)
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
  const { dtype: dtypeName, shape, data_offsets: [begin, end] } = parsed.data // prettier-ignore
  const dtype = dtypesByName.get(dtypeName)
  if (dtype === undefined) throw unknownDtype(name, dtypeName, file)
  const type: TensorType = { dtype, shape }
  if (end - begin !== sizeBytes(type)) {
    throw invalid(
      file,
      `tensor "${name}": ${formatType(type)} takes ${sizeBytes(type)} bytes and its place has ${end - begin}`,
    )
  }
  return { name, type, start: dataStart + begin, end: dataStart + end }
}

function unknownDtype(name: string, dtypeName: string, file: string): TalwegError {
  const known = [...dtypesByName.keys()].join(', ')
  if (otherDtypeNames.has(dtypeName))
    return invalid(file, `tensor "${name}" is of type ${dtypeName}; Talweg reads ${known}`)
  return invalid(file, `tensor "${name}" is of type "${dtypeName}", which is no type of the format`)
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

/** A tensor's numbers as bytes, and a tensor from its bytes. The machine is little-endian, as the format is. */
export function bytesOf({ data }: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

export function emptyTensor(dtype: DType, shape: Shape): TensorData {
  invariant(new Uint8Array(Uint16Array.of(1).buffer)[0] === 1, 'the machine is little-endian')
  invariant(dtypes[dtype].sizeBytes * numElements(shape) <= Number.MAX_SAFE_INTEGER, 'the tensor has a size')
  return tensorData(dtype, shape)
}

export function invalid(file: string, problem: string, cause?: unknown): TalwegError {
  return new TalwegError({ code: 'INVALID_FILE', operation: 'safetensors', problem, place: { file }, cause })
}
