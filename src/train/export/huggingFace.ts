/** A run's model as Hugging Face keeps it, with what cut its text into tokens. */
import path from 'node:path'
import type { TensorData } from '../../core/shape.js'
import { replaceFile } from '../../exchange/disk.js'
import { savePretrained } from '../../exchange/pretrained/index.js'
import type { Module } from '../../nn/index.js'
import type { JsonValue } from '../checkpoint/index.js'

const tokenizerName = 'tokenizer.json'
const tokenizerConfigName = 'tokenizer_config.json'

/**
 * @param data what the run's data said of itself
 * @returns the names of the files
 * @throws INVALID_SETTING where the model's family has no format, DISK_FULL
 */
export async function exportAsHuggingFace(
  model: Module,
  weights: ReadonlyMap<string, TensorData>,
  data: JsonValue,
  folder: string,
): Promise<string[]> {
  const files = await savePretrained(model, folder, { weights })
  return [...files, ...(await writeTokenizer(data, folder))]
}

/**
 * What the run's text was cut into tokens by: the tokenizer that it was given, or one with a token for each character. Of the class
 * that takes `tokenizer.json` as it is, whatever the model.
 */
export async function writeTokenizer(data: JsonValue, folder: string): Promise<string[]> {
  const tokenizer = tokenizerOf(data)
  if (tokenizer === undefined) return []
  const config = { tokenizer_class: 'PreTrainedTokenizerFast', ...marksOf(tokenizer) }
  await replaceFile(path.join(folder, tokenizerName), `${JSON.stringify(tokenizer)}\n`)
  await replaceFile(path.join(folder, tokenizerConfigName), `${JSON.stringify(config, undefined, 2)}\n`)
  return [tokenizerName, tokenizerConfigName]
}

interface TokenizerFile {
  readonly added_tokens?: readonly { readonly content: string }[]
}

function tokenizerOf(data: JsonValue): TokenizerFile | undefined {
  const { codec } = Object(data) as { readonly codec?: Codec }
  if (codec?.kind === 'tokenizer') return codec.tokenizer
  return codec?.kind === 'characters' ? characterTokenizer(codec.characters) : undefined
}

type Codec =
  | { readonly kind: 'tokenizer'; readonly tokenizer: TokenizerFile }
  | { readonly kind: 'characters'; readonly characters: string }

/** A byte-pair encoding that joins no pair, over a text that nothing splits before. */
function characterTokenizer(characters: string): TokenizerFile & { readonly [key: string]: unknown } {
  const vocab = Object.fromEntries(Array.from(characters, (character, id) => [character, id]))
  const model = { type: 'BPE', unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges: [] }
  const plain = { truncation: null, padding: null, normalizer: null, pre_tokenizer: null, post_processor: null }
  return { version: '1.0', ...plain, added_tokens: [], decoder: { type: 'Fuse' }, model }
}

/** What the marks of BERT and of GPT-2 are for. */
const uses: Readonly<Record<string, string>> = {
  '[PAD]': 'pad_token',
  '[UNK]': 'unk_token',
  '[CLS]': 'cls_token',
  '[SEP]': 'sep_token',
  '[MASK]': 'mask_token',
  '<|endoftext|>': 'eos_token',
}

function marksOf({ added_tokens: added = [] }: TokenizerFile): Record<string, string> {
  return Object.fromEntries(
    added.flatMap(({ content }) => (uses[content] === undefined ? [] : [[uses[content], content]])),
  )
}
