/**
 * Text to token ids and back. A codec is a JSON object in the run's folder, so that `talweg sample` needs neither the
 * training text nor the file that it came from.
 */
import { TalwegError } from '../../core/errors.js'
import type { SourceDescription } from '../source.js'

export interface TextCodec {
  /** How many different tokens there are: ids are 0 up to `vocabulary - 1`. */
  readonly vocabulary: number
  encode(text: string): Int32Array
  decode(ids: ArrayLike<number>): string
  describe(): SourceDescription
}

/** One token a character (Unicode code point), numbered in the order of their code points. */
export class CharacterCodec implements TextCodec {
  readonly characters: string
  readonly #list: readonly string[]
  readonly #ids: ReadonlyMap<number, number>

  /** @param characters each character once, sorted by code point */
  constructor(characters: string) {
    this.characters = characters
    this.#list = Array.from(characters)
    this.#ids = new Map(this.#list.map((character, id) => [character.codePointAt(0) as number, id]))
  }

  get vocabulary(): number {
    return this.#list.length
  }

  /** The id of a code point, or undefined where the text that made this codec has none such. */
  idOf(codePoint: number): number | undefined {
    return this.#ids.get(codePoint)
  }

  encode(text: string): Int32Array {
    return Int32Array.from(text, (character) => {
      const id = this.idOf(character.codePointAt(0) as number)
      if (id !== undefined) return id
      throw new TalwegError({
        code: 'INVALID_DATA',
        operation: 'encode',
        problem: `the character ${JSON.stringify(character)} is not in the vocabulary of ${this.vocabulary} characters`,
        hint: 'use characters that occur in the training text',
      })
    })
  }

  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => {
      const character = this.#list[id]
      if (character === undefined) throw unknownId(id, this.vocabulary)
      return character
    }).join('')
  }

  describe(): SourceDescription {
    return { kind: 'characters', characters: this.characters }
  }
}

export function unknownId(id: number, vocabulary: number): TalwegError {
  return new TalwegError({
    code: 'INVALID_DATA',
    operation: 'decode',
    problem: `token ${id} is outside the vocabulary of ${vocabulary}`,
    hint: 'decode with the codec that the tokens were made with',
  })
}
