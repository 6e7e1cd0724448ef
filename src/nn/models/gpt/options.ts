/** What a GPT is made of: the size, and for each part that differs between GPT-2 and Llama which of the two. */
import { checkOptions, ranges } from '../../../graph/checkOptions.js'
import { checkChoices } from '../choices.js'
import { checkHeads } from '../../layers/attention.js'
import type { RotaryScaling } from '../../layers/rotary.js'

export interface GPTOptions {
  /** Number of different tokens. */
  readonly vocabulary: number
  /** The most tokens that it can look at. */
  readonly context: number
  readonly layers: number
  readonly heads: number
  /** Heads of keys and values, each for as many heads of queries in a row. As many as `heads` by default. */
  readonly keyValueHeads?: number
  readonly width: number
  /** Width inside of the feed-forward parts: by default 4 `width`, or SwiGLU's own choice. */
  readonly feedForwardWidth?: number
  /** Rate of dropout on embeddings and on each part's result. */
  readonly dropout?: number
  /** Whether the head's weights are the token table (GPT-2) or its own. Default true. */
  readonly tiedHead?: boolean
  /** GPT-2's `layerNorm` (the default) or Llama's `rmsNorm`. */
  readonly normalisation?: 'layerNorm' | 'rmsNorm'
  /** What is added to variances; 1e-5 by default. */
  readonly normEpsilon?: number
  /** `learned`, added to the tokens (GPT-2, the default), or `rotary`, by which queries and keys are turned (Llama). */
  readonly positions?: 'learned' | 'rotary'
  /** Llama's theta, for rotary positions. Default 10,000. */
  readonly rotaryBase?: number
  readonly rotaryScaling?: RotaryScaling
  /** `gelu` by tanh (GPT-2, the default) or `swiGLU` (Llama). */
  readonly feedForward?: 'gelu' | 'swiGLU'
  /** Whether linear layers have biases. Default true. */
  readonly bias?: boolean
}

/** Options with nothing left open. */
export type ResolvedGPTOptions = Required<Omit<GPTOptions, 'rotaryScaling' | 'feedForwardWidth'>> &
  Pick<GPTOptions, 'rotaryScaling' | 'feedForwardWidth'>

/** @throws INVALID_SETTING naming the option */
export function resolveGPTOptions(options: GPTOptions): ResolvedGPTOptions {
  const resolved: ResolvedGPTOptions = {
    keyValueHeads: options.heads,
    dropout: 0,
    tiedHead: true,
    normalisation: 'layerNorm',
    normEpsilon: 1e-5,
    positions: 'learned',
    rotaryBase: 10_000,
    feedForward: 'gelu',
    bias: true,
    ...options,
  }
  const { vocabulary, context, layers, width, heads, keyValueHeads, dropout, normEpsilon } = resolved
  checkHeads('GPT', width, heads, keyValueHeads)
  checkOptions('GPT', {
    vocabulary: [vocabulary, ranges.count],
    context: [context, ranges.count],
    layers: [layers, ranges.count],
    dropout: [dropout, ranges.share],
    feedForwardWidth: [options.feedForwardWidth, ranges.count],
    normEpsilon: [normEpsilon, ranges.notNegative],
  })
  checkChoices('GPT', {
    normalisation: [resolved.normalisation, ['layerNorm', 'rmsNorm']],
    positions: [resolved.positions, ['learned', 'rotary']],
    feedForward: [resolved.feedForward, ['gelu', 'swiGLU']],
  })
  return resolved
}
