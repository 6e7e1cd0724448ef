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
  /** By code point, one more than the id; 0 for what is no character of these. A table: a text asks for each of its characters. */
  readonly #ids: Int32Array

  /** @param characters each character once, sorted by code point */
  constructor(characters: string) {
    this.characters = characters
    this.#list = Array.from(characters)
    const codePoints = this.#list.map((character) => character.codePointAt(0) as number)
    this.#ids = new Int32Array(1 + codePoints.reduce((most, codePoint) => Math.max(most, codePoint), 0))
    codePoints.forEach((codePoint, id) => (this.#ids[codePoint] = id + 1))
  }

  get vocabulary(): number {
    return this.#list.length
  }

  /** The id of a code point, or undefined where the text that made this codec has none such. */
  idOf(codePoint: number): number | undefined {
    const known = this.#ids[codePoint]
    return known === undefined || known === 0 ? undefined : known - 1
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
