/**
 * Element types. The names are those used everywhere: in TypeScript, in C++, in flags and in messages (`f32[8,64]`).
 * `bool` is stored as a byte, `bf16` as the upper half of an f32 in a `Uint16Array`.
 */

export type DType = 'f64' | 'f32' | 'bf16' | 'i32' | 'u32' | 'u8' | 'bool'
export type FloatDType = 'f64' | 'f32' | 'bf16'

/** The typed array that holds each element type on the host. */
export interface HostArrays {
  f64: Float64Array
  f32: Float32Array
  bf16: Uint16Array
  i32: Int32Array
  u32: Uint32Array
  u8: Uint8Array
  bool: Uint8Array
}

export type HostArray = HostArrays[DType]

export type DTypeKind = 'float' | 'signed' | 'unsigned' | 'boolean'

interface DTypeInfo<D extends DType> {
  readonly sizeBytes: number
  readonly kind: DTypeKind
  /** StableHLO's spelling of the element type. */
  readonly stablehlo: string
  readonly allocate: (numElements: number) => HostArrays[D]
}

export const dtypes: { readonly [D in DType]: DTypeInfo<D> } = {
  f64: { sizeBytes: 8, kind: 'float', stablehlo: 'f64', allocate: (n) => new Float64Array(n) },
  f32: { sizeBytes: 4, kind: 'float', stablehlo: 'f32', allocate: (n) => new Float32Array(n) },
  bf16: { sizeBytes: 2, kind: 'float', stablehlo: 'bf16', allocate: (n) => new Uint16Array(n) },
  i32: { sizeBytes: 4, kind: 'signed', stablehlo: 'i32', allocate: (n) => new Int32Array(n) },
  u32: { sizeBytes: 4, kind: 'unsigned', stablehlo: 'ui32', allocate: (n) => new Uint32Array(n) },
  u8: { sizeBytes: 1, kind: 'unsigned', stablehlo: 'ui8', allocate: (n) => new Uint8Array(n) },
  bool: { sizeBytes: 1, kind: 'boolean', stablehlo: 'i1', allocate: (n) => new Uint8Array(n) },
}

export function isFloat(dtype: DType): dtype is FloatDType {
  return dtypes[dtype].kind === 'float'
}

export function isInteger(dtype: DType): boolean {
  return dtypes[dtype].kind === 'signed' || dtypes[dtype].kind === 'unsigned'
}

const scratch = new DataView(new ArrayBuffer(4))

/** Rounds to the nearest bf16, ties to even, and returns its 16 bits. NaN stays a quiet NaN. */
export function toBFloat16Bits(value: number): number {
  scratch.setFloat32(0, value)
  const bits = scratch.getUint32(0)
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
}

export function fromBFloat16Bits(bits: number): number {
  scratch.setUint32(0, bits << 16)
  return scratch.getFloat32(0)
}
