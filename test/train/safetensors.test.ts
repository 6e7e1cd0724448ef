/** The safetensors format, written and read, and every way in which a header may lie. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { DType } from '../../src/core/dtype.js'
import { TalwegError } from '../../src/core/errors.js'
import { tensorData, type TensorData } from '../../src/core/shape.js'
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from '../../src/train/checkpoint/index.js'
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
  for (const dtype of dtypes) tensors.set(`layers.0.${dtype}`, tensorData(dtype, [2, 3], [1, 0, 1, 1, 0, 200]))
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
    () => fileOf(`{"a":${entry('I64', '[1]', 0, 8)}}`, new Uint8Array(8)),
    /I64; Talweg reads F64/,
  ],
  [
    'a shape that doesn’t fit its place',
    () => fileOf(`{"a":${entry('F32', '[2]', 0, 4)}}`, four),
    /f32\[2\] takes 8 bytes and its place has 4/,
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
