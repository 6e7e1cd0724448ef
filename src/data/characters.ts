/**
 * Text by character: the vocabulary is the text's own characters, sorted. Kept as one byte a character where there are at most
 * 256 different ones, which a language with an alphabet never exceeds.
 */
import { TalwegError } from '../core/errors.js'
import { readTextPieces, toPaths, type FilePaths } from './files.js'
import { CharacterCodec } from './text/codec.js'
import { MemoryTokens } from './text/tokenStore.js'
import { validationStartOf, windowSource, type WindowSource } from './text/windows.js'

export interface CharactersOptions {
  /** Characters in a window. */
  readonly context: number
  /** The part of the text's end that is held out. Default 0. */
  readonly validation?: number
}

/**
 * Samples `{ tokens: i32[context], targets: i32[context] }` from text files (joined in the order given), or from a
 * text itself. The whole text, also the held-out part, makes the vocabulary.
 *
 * @example
 * data.characters('shakespeare.txt', { context: 256, validation: 0.1 })
 * data.characters({ text: 'to be or not to be' }, { context: 4 })
 * @throws FILE_NOT_FOUND, INVALID_FILE (not UTF-8), INVALID_DATA (too short)
 */
export function characters(source: FilePaths | { text: string }, options: CharactersOptions): WindowSource {
  const { context, validation = 0 } = options
  const pieces = piecesOf(source)
  const { codec, numCharacters } = surveyCharacters(pieces())
  if (numCharacters === 0) {
    throw new TalwegError({
      code: 'INVALID_DATA',
      operation: 'data.characters',
      problem: 'the text is empty',
      hint: 'give a text to train on',
    })
  }
  const tokens = new MemoryTokens(encodePieces(pieces(), codec, numCharacters))
  return windowSource(tokens, codec, context, validationStartOf(numCharacters, validation))
}

function piecesOf(source: FilePaths | { text: string }): () => Iterable<string> {
  if (typeof source === 'object' && 'text' in source) return () => [source.text]
  const paths = toPaths(source)
  return function* pieces() {
    for (const path of paths) yield* readTextPieces(path, 'data.characters')
  }
}

/** All that Unicode has. */
const numCodePoints = 0x110000

function surveyCharacters(pieces: Iterable<string>): { codec: CharacterCodec; numCharacters: number } {
  const isSeen = new Uint8Array(numCodePoints)
  const seen: number[] = []
  let numCharacters = 0
  for (const piece of pieces) {
    for (let place = 0; place < piece.length; numCharacters++) {
      const codePoint = piece.codePointAt(place) as number
      if (isSeen[codePoint] === 0) {
        isSeen[codePoint] = 1
        seen.push(codePoint)
      }
      place += codePoint > 0xffff ? 2 : 1
    }
  }
  const sorted = seen.sort((a, b) => a - b)
  return {
    codec: new CharacterCodec(sorted.map((codePoint) => String.fromCodePoint(codePoint)).join('')),
    numCharacters,
  }
}

function encodePieces(pieces: Iterable<string>, codec: CharacterCodec, numCharacters: number): Uint8Array | Int32Array {
  const tokens = codec.vocabulary <= 256 ? new Uint8Array(numCharacters) : new Int32Array(numCharacters)
  let position = 0
  for (const piece of pieces) {
    for (let place = 0; place < piece.length;) {
      const codePoint = piece.codePointAt(place) as number
      tokens[position++] = codec.idOf(codePoint) as number
      place += codePoint > 0xffff ? 2 : 1
    }
  }
  return tokens
}
