/**
 * Element types on the device. jax-js' WebAssembly has f64, f32, i32, u32 and bool (kept in 32 bits); u8 is kept in u32, its
 * rules cutting results to 8 bits. There is no bf16, nor f16 outside WebGPU.
 */
import { DType as DeviceDType, numpy as np, type Array as DeviceArray } from '@jax-js/jax'
import { dtypes, type DType, type HostArray } from '../../core/dtype.js'
import { TalwegError } from '../../core/errors.js'
import { formatType, type TensorData, type TensorType } from '../../core/shape.js'

export type PortableDType = Exclude<DType, 'bf16'>

export const deviceDTypes: { readonly [D in PortableDType]: DeviceDType } = {
  f64: DeviceDType.Float64,
  f32: DeviceDType.Float32,
  i32: DeviceDType.Int32,
  u32: DeviceDType.Uint32,
  u8: DeviceDType.Uint32,
  bool: DeviceDType.Bool,
}

export const portableDTypes: ReadonlySet<DType> = new Set(Object.keys(deviceDTypes) as PortableDType[])

/** The element type, if the engine has it. Throws `UNSUPPORTED_BY_ENGINE` otherwise. */
export function portableDType(type: TensorType, operation: string): PortableDType {
  if (type.dtype !== 'bf16') return type.dtype
  throw new TalwegError({
    code: 'UNSUPPORTED_BY_ENGINE',
    operation,
    problem: `the portable engine has no bf16 (${formatType(type)}): neither WebAssembly nor jax-js knows it`,
    hint: 'use --precision f32, or --engine native',
  })
}

type DeviceData = Float64Array | Float32Array | Int32Array | Uint32Array

/** Elements `[start, start + count)` of host data, in the array type that jax-js wants. Always a copy. */
function toDeviceData({ dtype, data }: TensorData, start: number, count: number): DeviceData {
  const part = data.subarray(start, start + count)
  switch (dtype) {
    case 'bool':
      return Int32Array.from(part, (element) => (element === 0 ? 0 : 1))
    case 'u8':
      return Uint32Array.from(part)
    default:
      return part.slice() as DeviceData
  }
}

/** An array of `type` with the elements of `data` from `start` on. */
export function toDevice(
  type: TensorType,
  data: TensorData,
  start: number,
  count: number,
  operation: string,
): DeviceArray {
  const dtype = deviceDTypes[portableDType(type, operation)]
  if (count === 0) return np.zeros([...type.shape], { dtype })
  const elements = toDeviceData(data, start, count) as Float32Array<ArrayBuffer>
  return withFloat16Array(() => np.array(elements, { shape: [...type.shape], dtype }))
}

/**
 * jax-js tells array types apart by `instanceof`, f16 before f64, and so fails on doubles where JavaScript has no
 * `Float16Array` (Node before 24). For the time of a call there is one, of which nothing is an instance.
 */
function withFloat16Array<T>(call: () => T): T {
  const realm = globalThis as { Float16Array?: unknown }
  if (realm.Float16Array !== undefined) return call()
  realm.Float16Array = function Float16Array() {}
  try {
    return call()
  } finally {
    delete realm.Float16Array
  }
}

/** A copy of an array's elements; the array stays the caller's. */
export async function fromDevice(array: DeviceArray, { dtype }: TensorType): Promise<HostArray> {
  const elements = await array.ref.data()
  if (dtype !== 'bool' && dtype !== 'u8') return elements as HostArray
  const bytes = dtypes[dtype].allocate(elements.length)
  bytes.set(elements)
  return bytes
}
