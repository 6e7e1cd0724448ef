/** A block of a GPT: attention and feed-forward, each after a normalisation and added to what it was given. */
import type { AnyTensor } from '../../../graph/tensor.js'
import { add } from '../../../ops/elementwise.js'
import { normal } from '../../initializers.js'
import { MultiHeadAttention, type CachedOptions, type KeyValueCache, type Turn } from '../../layers/attention.js'
import { FeedForward } from '../../layers/feedForward.js'
import { LayerNorm, RMSNorm } from '../../layers/normalisation.js'
import { SwiGLU } from '../../layers/swiGLU.js'
import { Module } from '../../module.js'
import type { ResolvedGPTOptions } from './options.js'

/**
 * Standard deviation that matrices start with: GPT-2's 0.02 at the width of its smallest model, and at others what gives as
 * large products. 0.02 itself makes a narrow model's blocks nearly do nothing for a long time.
 */
function matrixSpread(width: number): number {
  return 0.02 * Math.sqrt(768 / width)
}

export function makeNorm({ width, normalisation, normEpsilon }: ResolvedGPTOptions): LayerNorm | RMSNorm {
  return normalisation === 'layerNorm' ? new LayerNorm(width, normEpsilon) : new RMSNorm(width, normEpsilon)
}

export class GPTBlock extends Module {
  readonly norm1: LayerNorm | RMSNorm
  readonly attention: MultiHeadAttention
  readonly norm2: LayerNorm | RMSNorm
  readonly mlp: FeedForward | SwiGLU

  constructor(options: ResolvedGPTOptions) {
    super()
    const { width, layers, dropout, bias, feedForwardWidth: hidden } = options
    const spread = matrixSpread(width)
    // Smaller where a part ends in the residual stream, which all of them add to.
    const [weightInitializer, outputInitializer] = [normal(spread), normal(spread / Math.sqrt(2 * layers))]
    const shared = { width, dropout, bias, weightInitializer, outputInitializer }
    this.norm1 = makeNorm(options)
    this.attention = new MultiHeadAttention({
      ...shared,
      heads: options.heads,
      keyValueHeads: options.keyValueHeads,
      causal: true,
    })
    this.norm2 = makeNorm(options)
    this.mlp =
      options.feedForward === 'gelu'
        ? new FeedForward({ ...shared, hidden, activation: 'geluTanh' })
        : new SwiGLU({ ...shared, hidden })
  }

  /** f32 [B, T, width] to the same. */
  forward(x: AnyTensor, turn?: Turn): AnyTensor {
    const attended = add(x, this.attention.forward(this.norm1.forward(x), undefined, turn))
    return add(attended, this.mlp.forward(this.norm2.forward(attended)))
  }

  forwardCached(
    x: AnyTensor,
    cache: KeyValueCache,
    position: AnyTensor,
    options: CachedOptions,
  ): { output: AnyTensor; cache: KeyValueCache } {
    const { output, cache: grown } = this.attention.forwardCached(this.norm1.forward(x), cache, position, options)
    const attended = add(x, output)
    return { output: add(attended, this.mlp.forward(this.norm2.forward(attended))), cache: grown }
  }
}
