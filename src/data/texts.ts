/**
 * Texts each for itself, as BERT takes them: a row of tokens a text, cut or padded to one length, with the class that it has.
 * Tokens are made once and held in memory.
 */
import { readFileSync } from 'node:fs'
import { TalwegError } from '../core/errors.js'
import { tensorData } from '../core/shape.js'
import { RowsSource, takeRows } from './arrays.js'
import { fileSizeBytes, toPath, type FilePath } from './files.js'
import { type Batch, type DataSource, type SourceDescription } from './source.js'
import { splitRows } from './split.js'
import { restoreTokenizer, type TokenizerCodec } from './text/tokenizer.js'

export interface TextsOptions {
  /** Path of a `tokenizer.json`. */
  readonly tokenizer: FilePath
  /** Tokens in a row, those before and after the text counted. A longer text is cut at its end. */
  readonly context: number
  /** The class of each text, from 0. */
  readonly labels?: ArrayLike<number>
  /** What stands before each text. Default `[CLS]`; null for nothing. */
  readonly first?: string | null
  /** What stands after each text. Default `[SEP]`; null for nothing. */
  readonly last?: string | null
  /** What rows are filled up with. Default `[PAD]`. */
  readonly padding?: string
  /** The part of the texts that is held out, spread evenly. Default 0. */
  readonly validation?: number
}

/**
 * Samples `{ tokens: i32[context], mask: i32[context], labels: i32[] }`; the mask is 0 where there is only padding. Without labels
 * there is no `labels`.
 *
 * @example
 * await data.texts(['free money now', 'see you at noon'], { labels: [1, 0], tokenizer: 'tokenizer.json', context: 64 })
 * @throws INVALID_DATA, INVALID_SETTING, FILE_NOT_FOUND, INVALID_FILE
 */
export async function texts(list: readonly string[], options: TextsOptions): Promise<DataSource> {
  const { context, labels, validation = 0 } = options
  const file = toPath(options.tokenizer)
  fileSizeBytes(file, 'data.texts')
  const codec = await restoreTokenizer(readFileSync(file, 'utf8'), file)
  const marks = marksOf(codec, options, file)
  checkTexts(list, options, marks)
  const rows: Batch = encodeRows(list, codec, context, marks)
  if (labels !== undefined) rows.labels = tensorData('i32', [list.length], labels)
  const numClasses = labels === undefined ? undefined : Array.from(labels).reduce((most, label) => Math.max(most, label), 0) + 1 // prettier-ignore
  const description: SourceDescription = { kind: 'texts', context, codec: codec.describe() }
  const facts = { numClasses, vocabulary: codec.vocabulary, description }
  const { training, validation: heldOut } = splitRows(list.length, validation)
  return new RowsSource(takeRows(rows, training), {
    ...facts,
    validation: heldOut.length === 0 ? undefined : new RowsSource(takeRows(rows, heldOut), facts),
  })
}

/** Ids of the tokens around texts. */
interface Marks {
  readonly before: readonly number[]
  readonly after: readonly number[]
  readonly padding: number
}

function marksOf(
  codec: TokenizerCodec,
  { first = '[CLS]', last = '[SEP]', padding = '[PAD]' }: TextsOptions,
  file: string,
): Marks {
  // prettier-ignore
  const idOf = (token: string, name: string): number => {
    const id = codec.idOf(token)
    if (id !== undefined) return id
    const hint = name === 'padding' ? 'name another token' : 'name another token, or null for none'
    throw new TalwegError({ code: 'INVALID_SETTING', operation: 'data.texts', problem: `${name} is ${JSON.stringify(token)}, which is no token of "${file}"`, hint }) // prettier-ignore
  }
  return {
    before: first === null ? [] : [idOf(first, 'first')],
    after: last === null ? [] : [idOf(last, 'last')],
    padding: idOf(padding, 'padding'),
  }
}

function checkTexts(list: readonly string[], { context, labels }: TextsOptions, { before, after }: Marks): void {
  const fail = (code: 'INVALID_DATA' | 'INVALID_SETTING', problem: string, hint: string): never => {
    throw new TalwegError({ code, operation: 'data.texts', problem, hint })
  }
  const least = before.length + after.length + 1
  if (!(Number.isInteger(context) && context >= least))
    fail('INVALID_SETTING', `context is ${context}`, `give a whole number of at least ${least}: a token and what stands around it`) // prettier-ignore
  if (list.length === 0) fail('INVALID_DATA', 'there is no text', 'give at least one')
  if (labels === undefined) return
  if (labels.length !== list.length)
    fail('INVALID_DATA', `there are ${list.length} texts and ${labels.length} labels`, 'give each text a label')
  const wrong = Array.from(labels).findIndex((label) => !(Number.isSafeInteger(label) && label >= 0))
  if (wrong >= 0)
    fail('INVALID_DATA', `the label of text ${wrong + 1} is ${labels[wrong]}`, 'number the classes from 0')
}

function encodeRows(list: readonly string[], codec: TokenizerCodec, context: number, marks: Marks) {
  const { before, after, padding } = marks
  const tokens = tensorData('i32', [list.length, context])
  const mask = tensorData('i32', [list.length, context])
  tokens.data.fill(padding)
  for (const [row, text] of list.entries()) {
    const inner = codec.encode(text).subarray(0, context - before.length - after.length)
    const ids = [...before, ...inner, ...after]
    tokens.data.set(ids, row * context)
    mask.data.fill(1, row * context, row * context + ids.length)
  }
  return { tokens, mask }
}
