/** What a BERT is made of, and the sizes of those published: the configuration files that came with the weights. */
import { checkOptions, ranges } from '../../../graph/checkOptions.js'
import { checkHeads } from '../../layers/attention.js'

export interface BERTOptions {
  /** Number of different tokens. */
  readonly vocabulary: number
  /** The most tokens that it can look at. */
  readonly context: number
  readonly layers: number
  readonly heads: number
  readonly width: number
  /** Width inside of the feed-forward parts: 4 `width` by default. */
  readonly feedForwardWidth?: number
  /** Kinds of tokens, such as first and second sentence. Default 2. */
  readonly tokenTypes?: number
  /** Rate of dropout on embeddings, on each part's result and before a classifier. Default 0.1. */
  readonly dropout?: number
  /** Rate of dropout on the weights of attention, each row's of its columns. `dropout` by default. */
  readonly attentionDropout?: number
  /** What is added to variances; 1e-12 by default. */
  readonly normEpsilon?: number
  /** Whether the first token's vector goes through one more layer, for classifying whole sequences. Default true. */
  readonly pooler?: boolean
}

export type ResolvedBERTOptions = Required<BERTOptions>

/** @throws INVALID_SETTING naming the option */
export function resolveBERTOptions(options: BERTOptions): ResolvedBERTOptions {
  const resolved: ResolvedBERTOptions = {
    feedForwardWidth: 4 * options.width,
    tokenTypes: 2,
    dropout: 0.1,
    attentionDropout: options.dropout ?? 0.1,
    normEpsilon: 1e-12,
    pooler: true,
    ...options,
  }
  checkHeads('BERT', resolved.width, resolved.heads)
  checkOptions('BERT', {
    vocabulary: [resolved.vocabulary, ranges.count],
    context: [resolved.context, ranges.count],
    layers: [resolved.layers, ranges.count],
    feedForwardWidth: [resolved.feedForwardWidth, ranges.count],
    tokenTypes: [resolved.tokenTypes, ranges.count],
    dropout: [resolved.dropout, ranges.share],
    attentionDropout: [resolved.attentionDropout, ranges.share],
    normEpsilon: [resolved.normEpsilon, ranges.notNegative],
  })
  return resolved
}

const base = { context: 512, layers: 12, heads: 12, width: 768 }
const large = { context: 512, layers: 24, heads: 16, width: 1024 }
const uncased = { vocabulary: 30_522 }
const cased = { vocabulary: 28_996 }

/** `-mini` and the like: Turc et al., "Well-read students learn better", 2019. */
export const bertConfigs = {
  'bert-base': { ...uncased, ...base },
  'bert-base-uncased': { ...uncased, ...base },
  'bert-base-cased': { ...cased, ...base },
  'bert-large': { ...uncased, ...large },
  'bert-large-uncased': { ...uncased, ...large },
  'bert-large-cased': { ...cased, ...large },
  'bert-tiny': { ...uncased, context: 512, layers: 2, heads: 2, width: 128 },
  'bert-mini': { ...uncased, context: 512, layers: 4, heads: 4, width: 256 },
  'bert-small': { ...uncased, context: 512, layers: 4, heads: 8, width: 512 },
  'bert-medium': { ...uncased, context: 512, layers: 8, heads: 8, width: 512 },
} as const satisfies Readonly<Record<string, BERTOptions>>

export type BERTConfigName = keyof typeof bertConfigs
