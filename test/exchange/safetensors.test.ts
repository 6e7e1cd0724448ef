/** The safetensors format, written and read, and every way in which a header may lie. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { DType } from '../../src/core/dtype.js'
import { TalwegError } from '../../src/core/errors.js'
import { tensorData, tensorType, type TensorData } from '../../src/core/shape.js'
import {
  readSafetensors,
  readSafetensorsHeader,
  replaceSafetensors,
  writeSafetensors,
  type OutgoingTensor,
} from '../../src/exchange/safetensors/index.js'
import { temporaryFolder } from '../support/folder.js'

const folder = temporaryFolder('safetensors')

/** A file as the specification has it, built here byte by byte. */
function fileOf(header: string, data: Uint8Array, claimed = Buffer.byteLength(header)): string {
  const file = path.join(folder, `${Math.random().toString(36).slice(2)}.safetensors`)
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(claimed))
  writeFileSync(file, Buffer.concat([prefix, Buffer.from(header), data]))
  return file
}

test('tensors of every type come back as they were, empty ones and scalars too', async () => {
  const dtypes: readonly DType[] = ['f64', 'f32', 'bf16', 'i32', 'u32', 'u8', 'bool']
  const tensors = new Map<string, TensorData>()
  for (const dtype of dtypes)
    tensors.set(`layers.0.${dtype}`, tensorData(dtype, [2, 3], [1, 0, 1, 1, 0, dtype === 'bool' ? 1 : 200]))
  tensors.set('scalar', tensorData('f32', [], [Math.PI]))
  tensors.set('empty', tensorData('f32', [0, 4]))
  const file = path.join(folder, 'all.safetensors')
  await writeSafetensors(file, tensors)
  assert.deepEqual(await readSafetensors(file), tensors)
})

test('a written file is laid out as the specification says', async () => {
  const file = path.join(folder, 'layout.safetensors')
  await writeSafetensors(file, new Map([['w', tensorData('f32', [2], [1, -2])], ['b', tensorData('bf16', [1], [0x3f80])]])) // prettier-ignore
  const bytes = readFileSync(file)
  const headerSize = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerSize)) as Record<
    string,
    { data_offsets: [number, number] }
  >
  assert.deepEqual(header.w, { dtype: 'F32', shape: [2], data_offsets: [0, 8] })
  assert.deepEqual(header.b, { dtype: 'BF16', shape: [1], data_offsets: [8, 10] })
  assert.equal(bytes.length, 8 + headerSize + 10)
  assert.equal(bytes.readFloatLE(8 + headerSize + 4), -2)
})

test('a file by another writer, unaligned and in another order, is read', async () => {
  const header = `{"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"__metadata__":{"format":"pt"}}  `
  const file = fileOf(header, Buffer.from([0, 0, 128, 63, 7]))
  const tensors = await readSafetensors(file)
  assert.equal(tensors.get('a')?.data[0], 1)
  assert.equal(tensors.get('b')?.data[0], 7)
  assert.deepEqual((await readSafetensorsHeader(file)).metadata, { format: 'pt' })
})

/** Of each stored type: some bytes, and the numbers that they are. */
const widened: readonly [stored: string, bytes: Uint8Array, dtype: DType, numbers: readonly number[]][] = [
  ['F16', bytesOf(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x8000)), 'f32', [1, -2, 65504, 2 ** -24, Infinity, -0]], // prettier-ignore
  ['I64', bytesOf(BigInt64Array.of(5n, -6n, 2n ** 31n - 1n, -(2n ** 31n))), 'i32', [5, -6, 2 ** 31 - 1, -(2 ** 31)]],
  ['U64', bytesOf(BigUint64Array.of(5n, 2n ** 32n - 1n)), 'u32', [5, 2 ** 32 - 1]],
  ['I16', bytesOf(Int16Array.of(5, -32768)), 'i32', [5, -32768]],
  ['U16', bytesOf(Uint16Array.of(5, 65535)), 'u32', [5, 65535]],
  ['I8', bytesOf(Int8Array.of(5, -128)), 'i32', [5, -128]],
]

function bytesOf({ buffer }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer)
}

for (const [stored, bytes, dtype, numbers] of widened) {
  test(`${stored} is read as ${dtype}, every number as it was`, async () => {
    const header = `{"a":{"dtype":"${stored}","shape":[${numbers.length}],"data_offsets":[0,${bytes.length}]}}`
    assert.deepEqual(await readSafetensors(fileOf(header, bytes)), new Map([['a', tensorData(dtype, [numbers.length], numbers)]])) // prettier-ignore
  })
}

test('a tensor larger than the buffer that widens it is read whole', async () => {
  const halves = Uint16Array.from({ length: 1_300_001 }, (_, index) => index % 0x7c00)
  const file = fileOf(`{"a":{"dtype":"F16","shape":[1300001],"data_offsets":[0,2600002]}}`, bytesOf(halves))
  const { data } = (await readSafetensors(file)).get('a')!
  for (const index of [0, 524_287, 524_288, 1_300_000]) {
    const bits = halves[index]
    const expected = bits < 1024 ? bits * 2 ** -24 : (1 + (bits % 1024) / 1024) * 2 ** (Math.floor(bits / 1024) - 15)
    assert.equal(data[index], expected, `number ${index}`)
  }
})

test('a 64-bit tensor is written as such, and wider elements come first', async () => {
  const file = path.join(folder, 'long.safetensors')
  const type = tensorType('i32', [])
  const outgoing = (name: string, data: TensorData, stored?: 'I64'): OutgoingTensor => ({ name, type: data, stored, take: () => data }) // prettier-ignore
  await replaceSafetensors(file, [outgoing('half', tensorData('bf16', [1], [0x3f80])), outgoing('count', tensorData('i32', [], [-7]), 'I64')]) // prettier-ignore
  const { tensors } = await readSafetensorsHeader(file)
  assert.deepEqual(
    tensors.map(({ name, stored }) => [name, stored]),
    [['count', 'I64'], ['half', 'BF16']], // prettier-ignore
  )
  assert.deepEqual((await readSafetensors(file)).get('count'), { ...type, data: Int32Array.of(-7) })
})

function emptyFile(): string {
  const file = path.join(folder, 'empty.safetensors')
  writeFileSync(file, '')
  return file
}

const entry = (dtype: string, shape: string, begin: number, end: number): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`
const four = new Uint8Array(4)

const refused: readonly [what: string, file: () => string, message: RegExp][] = [
  ['an empty file', emptyFile, /the file has 0 bytes/],
  ['an empty header', () => fileOf('', new Uint8Array(0)), /not JSON/],
  ['a file shorter than its header claims', () => fileOf('{}', four, 1000), /claims 1000 bytes.*cut short/],
  ['a header beyond the format’s limit', () => fileOf('{}', four, 2 ** 40), /the format allows/],
  ['text that is not JSON', () => fileOf('hello world', four), /not JSON/],
  ['a header that is a list', () => fileOf('[]', new Uint8Array(0)), /not a JSON object/],
  [
    'a type the format doesn’t know',
    () => fileOf(`{"a":${entry('F33', '[1]', 0, 4)}}`, four),
    /"F33", which is no type/,
  ],
  [
    'a type that Talweg doesn’t have',
    () => fileOf(`{"a":${entry('F8_E4M3', '[8]', 0, 8)}}`, new Uint8Array(8)),
    /F8_E4M3; Talweg reads F64/,
  ],
  [
    'a shape that doesn’t fit its place',
    () => fileOf(`{"a":${entry('F32', '[2]', 0, 4)}}`, four),
    /F32 \[2\] takes 8 bytes and its place has 4/,
  ],
  [
    'a shape that overflows',
    () => fileOf(`{"a":${entry('F32', '[9007199254740991,9007199254740991]', 0, 4)}}`, four),
    /its place has 4/,
  ],
  ['a negative size', () => fileOf(`{"a":${entry('F32', '[-1]', 0, 4)}}`, four), /header entry/],
  ['a tensor past the end', () => fileOf(`{"a":${entry('F32', '[2]', 0, 8)}}`, four), /end at byte .* cut short/],
  [
    'tensors that overlap',
    () => fileOf(`{"a":${entry('F32', '[1]', 0, 4)},"b":${entry('U8', '[2]', 3, 5)}}`, new Uint8Array(5)),
    /"b" overlaps "a"/,
  ],
  [
    'a gap between tensors',
    () => fileOf(`{"a":${entry('U8', '[1]', 0, 1)},"b":${entry('U8', '[1]', 3, 4)}}`, four),
    /2 bytes between/,
  ],
  ['bytes after the last tensor', () => fileOf(`{"a":${entry('U8', '[1]', 0, 1)}}`, four), /3 bytes after/],
  [
    'a number too large for its type',
    () => fileOf(`{"a":${entry('I64', '[2]', 0, 16)}}`, bytesOf(BigInt64Array.of(1n, 2n ** 31n))),
    /"a" \(I64\): number 1 is 2147483648, which does not fit in i32/,
  ],
  ['a boolean that is neither', () => fileOf(`{"a":${entry('BOOL', '[4]', 0, 4)}}`, Uint8Array.of(0, 1, 2, 0)), /element 2 is the byte 2/], // prettier-ignore
  ['a folder', () => folder, /it is a folder/],
  ['metadata that is not text', () => fileOf(`{"__metadata__":{"a":1}}`, new Uint8Array(0)), /__metadata__/],
]

for (const [what, file, message] of refused) {
  test(`${what} is refused, naming the file`, async () => {
    const name = file()
    await assert.rejects(readSafetensors(name), (error: unknown) => {
      assert(error instanceof TalwegError)
      assert.equal(error.code, 'INVALID_FILE')
      assert.match(error.message, message)
      assert(error.message.includes(name))
      return true
    })
  })
}

test('a missing file is named', async () => {
  await assert.rejects(readSafetensors(path.join(folder, 'none')), { code: 'FILE_NOT_FOUND' })
})
