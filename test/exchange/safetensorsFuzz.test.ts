/**
 * 500 mutated safetensors files: each is read right or refused by a coded error that names it. What "right" is, an
 * independent reader says that knows nothing but the format's definition and looks only at the file's own bytes.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { TalwegError } from '../../src/core/errors.js'
import type { TensorData } from '../../src/core/shape.js'
import { readSafetensors } from '../../src/exchange/safetensors/index.js'
import { temporaryFolder } from '../support/folder.js'

const folder = temporaryFolder('safetensors-fuzz')
const numFiles = 500

/** Small integers by a linear congruential generator, so that a failure can be had again. */
class Random {
  constructor(private state: number) {}

  below(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.state / 2 ** 32) * limit)
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]
  }
}

type Header = Record<string, { dtype: string; shape: unknown[]; data_offsets: unknown[] }>

const sizes: Readonly<Record<string, number>> = { F64: 8, I64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I8: 1, U8: 1, BOOL: 1 } // prettier-ignore
const oddNumbers: readonly unknown[] = [-1, 0, 1, 0.5, 4, 7, 8, 1e3, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 2 ** 64, 1e308, null, '4', [], true] // prettier-ignore

/** A whole file, with tensors of several types. */
function wholeFile(random: Random): { header: Header; data: Buffer } {
  const header: Header = {}
  let end = 0
  for (let index = 0; index < 1 + random.below(6); index++) {
    const dtype = random.of(Object.keys(sizes))
    const shape = Array.from({ length: random.below(4) }, () => random.below(5))
    const start = end
    end += shape.reduce((product, size) => product * size, sizes[dtype])
    header[`layers.${index}.weight`] = { dtype, shape, data_offsets: [start, end] }
  }
  return { header, data: Buffer.from(Uint8Array.from({ length: end }, () => random.of([0, 1, 0, 255, 63]))) }
}

function assemble(text: string, data: Buffer, claimed = Buffer.byteLength(text)): Buffer {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(claimed))
  return Buffer.concat([prefix, Buffer.from(text), data])
}

type Mutation = (random: Random, header: Header, data: Buffer) => Buffer

/** Changes a number in an entry. */
function alter(random: Random, header: Header, field: 'shape' | 'data_offsets'): void {
  const list = header[random.of(Object.keys(header))][field]
  if (list.length === 0) list.push(random.of(oddNumbers))
  else list[random.below(list.length)] = random.of(oddNumbers)
}

function flip(random: Random, bytes: Buffer, limit: number): Buffer {
  for (let count = 0; count <= random.below(3); count++) bytes[random.below(Math.min(limit, bytes.length))] ^= 1 << random.below(8) // prettier-ignore
  return bytes
}

const mutations: Readonly<Record<string, Mutation>> = {
  nothing: (_, header, data) => assemble(JSON.stringify(header), data),
  truncated: (random, header, data) => {
    const whole = assemble(JSON.stringify(header), data)
    return whole.subarray(0, random.below(whole.length))
  },
  extended: (random, header, data) =>
    Buffer.concat([assemble(JSON.stringify(header), data), Buffer.alloc(1 + random.below(9))]),
  prefix: (random, header, data) => flip(random, assemble(JSON.stringify(header), data), 8),
  headerBits: (random, header, data) => {
    const text = JSON.stringify(header)
    return Buffer.concat([assemble('', Buffer.alloc(0), text.length), flip(random, Buffer.from(text), Infinity), data])
  },
  dataBits: (random, header, data) => assemble(JSON.stringify(header), data.length > 0 ? flip(random, data, Infinity) : data), // prettier-ignore
  shape: (random, header, data) => {
    alter(random, header, 'shape')
    return assemble(JSON.stringify(header), data)
  },
  offsets: (random, header, data) => {
    alter(random, header, 'data_offsets')
    return assemble(JSON.stringify(header), data)
  },
  dtype: (random, header, data) => {
    header[random.of(Object.keys(header))].dtype = random.of([
      ...Object.keys(sizes),
      'F8_E4M3',
      'F4',
      'f32',
      '',
      'constructor',
    ])
    return assemble(JSON.stringify(header), data)
  },
  swapped: (random, header, data) => {
    const [one, other] = [random.of(Object.keys(header)), random.of(Object.keys(header))]
    const { data_offsets: offsets } = header[one]
    header[one].data_offsets = header[other].data_offsets
    header[other].data_offsets = offsets
    return assemble(JSON.stringify(header), data)
  },
  named: (random, header, data) => {
    const [first] = Object.keys(header)
    const renamed = random.of(['__metadata__', '__proto__', 'constructor', '', '🂡', 'toString'])
    return assemble(JSON.stringify(header).replace(JSON.stringify(first), JSON.stringify(renamed)), data)
  },
  twice: (_, header, data) => {
    const [name] = Object.keys(header)
    return assemble(`{${JSON.stringify(name)}:${JSON.stringify(header[name])},${JSON.stringify(header).slice(1)}`, data)
  },
  notText: (random, header, data) => {
    const text = Buffer.from(JSON.stringify(header))
    text[random.below(text.length)] = 0x80 + random.below(0x80)
    return Buffer.concat([assemble('', Buffer.alloc(0), text.length), text, data])
  },
}

/** A tensor as the format defines it, straight from the file's bytes. */
function readPlainly(bytes: Buffer, name: string): { shape: number[]; numbers: number[] } {
  const headerBytes = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Header
  const { dtype, shape, data_offsets: [begin, end] } = header[name] as { dtype: string; shape: number[]; data_offsets: [number, number] } // prettier-ignore
  const first = 8 + headerBytes
  assert.ok(first + begin >= first && first + end <= bytes.length, 'what was read lies in the file')
  const numbers: number[] = []
  for (let at = first + begin; at < first + end; at += sizes[dtype]) numbers.push(numberAt(bytes, dtype, at))
  return { shape, numbers }
}

function numberAt(bytes: Buffer, dtype: string, at: number): number {
  if (dtype === 'F64') return bytes.readDoubleLE(at)
  if (dtype === 'F32') return bytes.readFloatLE(at)
  if (dtype === 'I64') return Number(bytes.readBigInt64LE(at))
  if (dtype === 'F16') return halfAt(bytes.readUInt16LE(at))
  if (dtype === 'I32') return bytes.readInt32LE(at)
  if (dtype === 'U32') return bytes.readUInt32LE(at)
  if (dtype === 'BF16') return bytes.readUInt16LE(at)
  return dtype === 'I8' ? bytes.readInt8(at) : bytes[at]
}

/** By way of an f32's bits: the exponent is biased by 112 more, a subnormal one is scaled. */
function halfAt(bits: number): number {
  const scratch = Buffer.alloc(4)
  const magnitude = bits & 0x7fff
  const isSpecial = magnitude >= 0x7c00
  scratch.writeUInt32LE(((isSpecial ? 0x3fc00 : magnitude) << 13) >>> 0)
  const scaled = isSpecial ? (magnitude === 0x7c00 ? Infinity : NaN) : scratch.readFloatLE() * 2 ** 112
  return bits >>> 15 === 1 ? -scaled : scaled
}

function assertRight(read: ReadonlyMap<string, TensorData>, bytes: Buffer): void {
  for (const [name, { shape, data }] of read) {
    const expected = readPlainly(bytes, name)
    assert.deepEqual(shape, expected.shape, name)
    assert.deepEqual(Array.from(data), expected.numbers, name)
  }
}

test(`${numFiles} mutated files: each is read right or refused by a coded error naming it`, async () => {
  const counts = { right: 0, refused: 0 }
  for (let index = 0; index < numFiles; index++) {
    const random = new Random(index * 7919 + 1)
    const kind = Object.keys(mutations)[index % Object.keys(mutations).length]
    const { header, data } = wholeFile(random)
    const bytes = Buffer.from(mutations[kind](random, header, data))
    const file = path.join(folder, `${index}-${kind}.safetensors`)
    writeFileSync(file, bytes)
    try {
      assertRight(await readSafetensors(file), bytes)
      counts.right++
    } catch (error) {
      assert.ok(error instanceof TalwegError, `${file}: ${String(error)}`)
      assert.equal(error.code, 'INVALID_FILE', error.message)
      assert.equal(error.place?.file, file)
      assert.ok(error.hint !== undefined, error.message)
      counts.refused++
    }
  }
  assert.ok(counts.right >= 50 && counts.refused >= 250, `both happen: ${JSON.stringify(counts)}`)
})
