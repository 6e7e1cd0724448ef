/** From what a run's folder says of its text back to the codec. */
import { TalwegError } from '../../core/errors.js'
import type { JsonValue } from '../source.js'
import { CharacterCodec, type TextCodec } from './codec.js'
import { restoreTokenizer } from './tokenizer.js'

/**
 * The codec in a source's description, or in a codec's own.
 *
 * @throws INVALID_FILE if there is none
 */
export async function restoreTextCodec(description: JsonValue): Promise<TextCodec> {
  if (typeof description === 'object' && description !== null && !Array.isArray(description)) {
    const { kind, codec, characters, tokenizer } = description
    if (codec !== undefined) return restoreTextCodec(codec)
    if (kind === 'characters' && typeof characters === 'string') return new CharacterCodec(characters)
    if (kind === 'tokenizer' && tokenizer !== undefined) return restoreTokenizer(JSON.stringify(tokenizer), 'the run')
  }
  throw new TalwegError({
    code: 'INVALID_FILE',
    operation: 'restoreTextCodec',
    problem: 'the description of the data holds no vocabulary of characters and no tokenizer',
    hint: 'sample from a run that was trained on text',
  })
}
