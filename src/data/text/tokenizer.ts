/** Hugging Face's `tokenizer.json`, by their own library. */
import type { Tokenizer } from '@huggingface/tokenizers'
import { TalwegError } from '../../core/errors.js'
import type { JsonValue, SourceDescription } from '../source.js'
import { unknownId, type TextCodec } from './codec.js'

/** Texts that tell whether a tokenizer may be given a text in pieces, cut between a letter and a newline. */
const seamProbes = [
  ['ab', '\ncd'],
  ['The end', '\n\n  Then'],
  ['one', '\n\tTwo.'],
] as const

interface TokenizerFile {
  model?: { type?: string }
  pre_tokenizer?: object | null
}

export class TokenizerCodec implements TextCodec {
  readonly vocabulary: number
  readonly #tokenizer: Tokenizer
  readonly #json: string

  constructor(tokenizer: Tokenizer, json: string) {
    this.#tokenizer = tokenizer
    this.#json = json
    let largestId = -1
    for (const id of tokenizer.get_vocab(true).values()) largestId = Math.max(largestId, id)
    this.vocabulary = largestId + 1
  }

  /**
   * Whether encoding piece by piece, cut between a letter and a newline, gives what encoding the whole gives: not where
   * every piece gets a mark at its start (SentencePiece's), or where nothing splits the text into words first.
   */
  get canBeCut(): boolean {
    const { pre_tokenizer: preTokenizer } = JSON.parse(this.#json) as TokenizerFile
    const isSeamless = ([left, right]: readonly [string, string]) =>
      this.encode(left + right).join() === [...this.encode(left), ...this.encode(right)].join()
    return preTokenizer != null && seamProbes.every(isSeamless)
  }

  idOf(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token)
  }

  /** The ids of a text's tokens, without the special tokens that a model may want around it. */
  encode(text: string): Int32Array {
    return Int32Array.from(this.#tokenizer.encode(text, { add_special_tokens: false }).ids)
  }

  decode(ids: ArrayLike<number>): string {
    const list = Array.from(ids)
    for (const id of list)
      if (!(Number.isInteger(id) && id >= 0 && id < this.vocabulary)) throw unknownId(id, this.vocabulary)
    if (list.length === 0) return ''
    return this.#tokenizer.decode(list, { skip_special_tokens: false, clean_up_tokenization_spaces: false })
  }

  describe(): SourceDescription {
    return { kind: 'tokenizer', tokenizer: JSON.parse(this.#json) as JsonValue }
  }
}

/**
 * A codec from the text of a `tokenizer.json`.
 *
 * @param file whose content it is, for messages
 * @throws INVALID_FILE if it is no tokenizer
 */
export async function restoreTokenizer(json: string, file: string): Promise<TokenizerCodec> {
  const { Tokenizer } = await import('@huggingface/tokenizers')
  try {
    const parsed = JSON.parse(json) as TokenizerFile
    if (parsed.model === undefined) throw new SyntaxError('it has no "model"')
    return new TokenizerCodec(new Tokenizer(parsed, {}), json)
  } catch (cause) {
    throw new TalwegError({
      code: 'INVALID_FILE',
      operation: 'tokenizer',
      problem: `this is no tokenizer: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: "give the tokenizer.json that Hugging Face's tokenizers library saves",
      place: { file },
      cause,
    })
  }
}
