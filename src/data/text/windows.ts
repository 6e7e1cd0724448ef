/**
 * Samples for next-token prediction: windows of consecutive tokens, and the same windows one token further on.
 *
 * In training every start is a sample (stride 1) and an epoch is a permutation of all starts: the usual random
 * windows, but without drawing any twice before all were seen. Validation walks the text in windows that don't overlap
 * (stride = context); fewer tokens than a window at the very end are left out, being no window.
 */
import { TalwegError } from '../../core/errors.js'
import { fingerprint } from '../fingerprint.js'
import type { Batch, BatchElement, DataSource, ResidentData, SampleIndices, SourceDescription } from '../source.js'
import type { TextCodec } from './codec.js'
import type { TokenStore } from './tokenStore.js'

export class WindowSource implements DataSource {
  readonly element: BatchElement
  readonly numSamples: number
  readonly vocabulary: number
  readonly fingerprint: string
  readonly codec: TextCodec
  readonly validation?: DataSource
  readonly resident?: ResidentData
  readonly #tokens: TokenStore
  readonly #context: number
  readonly #stride: number
  #window: Int32Array

  constructor(tokens: TokenStore, codec: TextCodec, context: number, stride: number, validation?: DataSource) {
    this.#tokens = tokens
    this.#context = context
    this.#stride = stride
    this.#window = new Int32Array(context + 1)
    this.codec = codec
    this.vocabulary = codec.vocabulary
    this.numSamples = Math.max(0, Math.floor((tokens.numTokens - 1 - context) / stride) + 1)
    this.element = { tokens: { dtype: 'i32', shape: [context] }, targets: { dtype: 'i32', shape: [context] } }
    const parts = [
      `windows of ${context} every ${stride}`,
      tokens.fingerprint,
      validation?.fingerprint ?? 'no validation',
    ]
    this.fingerprint = fingerprint(parts)
    if (validation !== undefined) this.validation = validation
    if (tokens.resident !== undefined) this.resident = { layout: 'windows', tokens: tokens.resident, context, stride }
  }

  gatherSync(indices: SampleIndices, into: Batch, firstRow = 0): void {
    const context = this.#context
    const inputs = into.tokens.data
    const targets = into.targets.data
    const window = this.#window
    for (let row = 0; row < indices.length; row++) {
      this.#tokens.read(indices[row] * this.#stride, context + 1, window, 0)
      const start = (firstRow + row) * context
      for (let place = 0; place < context; place++) {
        inputs[start + place] = window[place]
        targets[start + place] = window[place + 1]
      }
    }
  }

  async gather(indices: SampleIndices, into: Batch, firstRow = 0): Promise<void> {
    this.gatherSync(indices, into, firstRow)
  }

  describe(): SourceDescription {
    return { kind: 'text', context: this.#context, codec: this.codec.describe() }
  }

  async close(): Promise<void> {
    this.#tokens.close()
  }
}

/**
 * The training windows of tokens whose end, from `validationStart` on, is held out.
 *
 * @throws INVALID_DATA if the training part has not one window
 */
export function windowSource(
  tokens: TokenStore,
  codec: TextCodec,
  context: number,
  validationStart: number,
): WindowSource {
  if (!Number.isInteger(context) || context < 1) {
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation: 'data',
      problem: `the context is ${context}`,
      hint: 'give the number of tokens in a window, an integer of at least 1',
    })
  }
  const { numTokens } = tokens
  const validation =
    validationStart < numTokens
      ? new WindowSource(tokens.slice(validationStart, numTokens), codec, context, context)
      : undefined
  const source = new WindowSource(tokens.slice(0, validationStart), codec, context, 1, validation)
  for (const [part, name, length] of [
    [source, 'training', validationStart],
    [validation, 'validation', numTokens - validationStart],
  ] as const) {
    if (part === undefined || part.numSamples > 0) continue
    throw new TalwegError({
      code: 'INVALID_DATA',
      operation: 'data',
      problem: `the ${name} part of the text has ${length} tokens, and a window with its targets takes ${context + 1}`,
      hint: 'use a smaller context or a longer text',
    })
  }
  return source
}

/** Where the held-out end of a text begins. @throws INVALID_SETTING if `fraction` is none */
export function validationStartOf(numTokens: number, fraction: number): number {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation: 'data',
      problem: `validation is ${fraction}, which is no fraction`,
      hint: "give the part of the text's end to hold out, such as 0.1",
    })
  }
  return numTokens - Math.floor(numTokens * fraction)
}
