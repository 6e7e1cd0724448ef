/** Writing safetensors, tensor by tensor: what has to be laid out anew is so in turn, and never all of it at once. */
import type { TensorData, TensorType } from '../../core/shape.js'
import { replaceFile, writeSummed, writeUnflushed, type FileSum } from '../disk.js'
import { encodeHeader } from './header.js'
import { storedNames, storedTypes, type StoredName } from './storedTypes.js'

export type NamedTensors = ReadonlyMap<string, TensorData>

/** A tensor to be written. */
export interface OutgoingTensor {
  readonly name: string
  readonly type: TensorType
  /** As which of the format's types; by default its own. */
  readonly stored?: 'I64'
  /** Its numbers, asked for when it is their turn: all of them, or piece by piece, each in the memory of the last if need be. */
  readonly take: () => TensorData | AsyncIterable<TensorData>
}

const byPyTorch = { format: 'pt' }

/**
 * Writes tensors as safetensors, flushed to the disk.
 *
 * @throws DISK_FULL
 */
export async function writeSafetensors(file: string, tensors: NamedTensors): Promise<FileSum> {
  return writeSummed(file, partsOf(outgoing(tensors)))
}

/**
 * The same from tensors that are asked for in turn, and left to the system to bring to the disk (`flushFile`).
 *
 * @throws DISK_FULL
 */
export async function writeSafetensorsUnflushed(file: string, tensors: readonly OutgoingTensor[]): Promise<FileSum> {
  return writeUnflushed(file, partsOf(tensors))
}

/** Tensors that are in memory already. */
export function outgoing(tensors: NamedTensors): OutgoingTensor[] {
  return Array.from(tensors, ([name, data]) => ({ name, type: data, take: () => data }))
}

/**
 * The same in place of a file at once: a reader finds the old one or the new one.
 *
 * @throws DISK_FULL
 */
export async function replaceSafetensors(file: string, tensors: readonly OutgoingTensor[]): Promise<void> {
  await replaceFile(file, partsOf(tensors))
}

export function outgoingBytes({ type, stored }: OutgoingTensor): number {
  return type.shape.reduce((product, size) => product * size, storedTypes[stored ?? storedNames[type.dtype]].sizeBytes)
}

/** Header and data. Wider elements come first, so that each lies at a multiple of its own size, as some readers want. */
async function* partsOf(tensors: readonly OutgoingTensor[]): AsyncGenerator<Uint8Array> {
  const storedOf = ({ stored, type }: OutgoingTensor): StoredName => stored ?? storedNames[type.dtype]
  const widthOf = (tensor: OutgoingTensor): number => storedTypes[storedOf(tensor)].sizeBytes
  const ordered = tensors.toSorted((a, b) => widthOf(b) - widthOf(a))
  const places = ordered.map((tensor) => ({ name: tensor.name, stored: storedOf(tensor), shape: tensor.type.shape }))
  yield encodeHeader(places, byPyTorch)
  for (const { stored, take } of ordered) {
    const taken = take()
    for await (const piece of Symbol.asyncIterator in taken ? taken : [taken])
      yield stored === 'I64' ? asLong(piece) : bytesOf(piece)
  }
}

function asLong({ data }: TensorData): Uint8Array {
  return new Uint8Array(BigInt64Array.from(data as Int32Array, BigInt).buffer)
}

/** A tensor's numbers as bytes. The machine is little-endian, as the format is. */
export function bytesOf({ data }: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
