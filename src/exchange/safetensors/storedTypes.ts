/**
 * The element types of the format, and what each is read as. Talweg computes in seven types; a number of any other is read
 * as one of those that has room for it: half precision as f32, small integers as i32 or u32, and 64-bit integers (counters
 * and indices, in practice) as 32-bit ones if every one of them fits.
 */
import type { DType, HostArray } from '../../core/dtype.js'

export interface StoredType {
  readonly sizeBytes: number
  /** What it is read as. */
  readonly dtype: DType
  /**
   * Writes the numbers of `bytes` into `into` from `start` on; absent where the bytes are the numbers as they are.
   *
   * @returns in words what is wrong with them, if something is
   */
  readonly decode?: (bytes: DataView, into: HostArray, start: number) => string | undefined
}

export const storedTypes = {
  F64: { sizeBytes: 8, dtype: 'f64' },
  F32: { sizeBytes: 4, dtype: 'f32' },
  F16: { sizeBytes: 2, dtype: 'f32', decode: decodeHalf },
  BF16: { sizeBytes: 2, dtype: 'bf16' },
  I64: { sizeBytes: 8, dtype: 'i32', decode: decodeLong('i32') },
  U64: { sizeBytes: 8, dtype: 'u32', decode: decodeLong('u32') },
  I32: { sizeBytes: 4, dtype: 'i32' },
  U32: { sizeBytes: 4, dtype: 'u32' },
  I16: { sizeBytes: 2, dtype: 'i32', decode: decodeEach(2, (bytes, offset) => bytes.getInt16(offset, true)) },
  U16: { sizeBytes: 2, dtype: 'u32', decode: decodeEach(2, (bytes, offset) => bytes.getUint16(offset, true)) },
  I8: { sizeBytes: 1, dtype: 'i32', decode: decodeEach(1, (bytes, offset) => bytes.getInt8(offset)) },
  U8: { sizeBytes: 1, dtype: 'u8' },
  BOOL: { sizeBytes: 1, dtype: 'bool', decode: decodeBool },
} as const satisfies Record<string, StoredType>

export type StoredName = keyof typeof storedTypes

/** What each of Talweg's types is stored as. */
export const storedNames: { readonly [D in DType]: StoredName } = {
  f64: 'F64', f32: 'F32', bf16: 'BF16', i32: 'I32', u32: 'U32', u8: 'U8', bool: 'BOOL',
} // prettier-ignore

export function isStoredName(name: string): name is StoredName {
  return Object.hasOwn(storedTypes, name)
}

/** Other names that the format knows. A file with them is whole; Talweg has nothing to read them as. */
export const otherNames: ReadonlySet<string> = new Set([
  'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ', 'F6_E2M3', 'F6_E3M2', 'F4', 'C64',
]) // prettier-ignore

type Decode = NonNullable<StoredType['decode']>

function decodeEach(size: number, get: (bytes: DataView, offset: number) => number): Decode {
  return (bytes, into, start) => {
    for (let offset = 0; offset < bytes.byteLength; offset += size) into[start + offset / size] = get(bytes, offset)
    return undefined
  }
}

/** Half precision: 1 bit of sign, 5 of exponent (biased by 15), 10 of fraction. Every one of them is an f32. */
function decodeHalf(bytes: DataView, into: HostArray, start: number): undefined {
  for (let offset = 0; offset < bytes.byteLength; offset += 2) {
    const bits = bytes.getUint16(offset, true)
    const sign = bits >>> 15 === 0 ? 1 : -1
    const exponent = (bits >>> 10) & 31
    const fraction = bits & 1023
    const finite = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15)
    into[start + offset / 2] = exponent === 31 ? (fraction === 0 ? sign * Infinity : NaN) : sign * finite
  }
}

function decodeLong(dtype: 'i32' | 'u32'): Decode {
  return (bytes, into, start) => {
    for (let offset = 0; offset < bytes.byteLength; offset += 8) {
      const low = dtype === 'i32' ? bytes.getInt32(offset, true) : bytes.getUint32(offset, true)
      const high = bytes.getInt32(offset + 4, true)
      if (high !== (low < 0 ? -1 : 0)) {
        const value = dtype === 'i32' ? bytes.getBigInt64(offset, true) : bytes.getBigUint64(offset, true)
        return `number ${start + offset / 8} is ${value}, which does not fit in ${dtype}`
      }
      into[start + offset / 8] = low
    }
    return undefined
  }
}

function decodeBool(bytes: DataView, into: HostArray, start: number): string | undefined {
  for (let offset = 0; offset < bytes.byteLength; offset++) {
    const byte = bytes.getUint8(offset)
    if (byte > 1) return `element ${start + offset} is the byte ${byte}, which is neither true nor false`
    into[start + offset] = byte
  }
  return undefined
}
