/**
 * GPT: a causal transformer over tokens, in GPT-2's architecture (learned positions, normalisation before each part,
 * tanh-approximated GELU, the head tied to the token table). Source: Radford et al., "Language models are unsupervised
 * multitask learners", 2019.
 */
import { TalwegError } from '../../core/errors.js'
import { formatType, type Shape } from '../../core/shape.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import { currentPlace } from '../../graph/location.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { gelu } from '../../ops/composites/gelu.js'
import { iota } from '../../ops/creation.js'
import { add } from '../../ops/elementwise.js'
import { takeRows } from '../../ops/indexing.js'
import { dotGeneral } from '../../ops/products.js'
import { normal, zeros } from '../initializers.js'
import { Dropout } from '../layers/activation.js'
import { checkHeads, MultiHeadAttention, type KeyValueCache } from '../layers/attention.js'
import { Embedding, Linear } from '../layers/linear.js'
import { LayerNorm } from '../layers/normalisation.js'
import { Module } from '../module.js'

export interface GPTOptions {
  /** Number of different tokens. */
  readonly vocabulary: number
  /** The most tokens that it can look at. */
  readonly context: number
  readonly layers: number
  readonly heads: number
  readonly width: number
  /** Rate of dropout on embeddings and on each part's result. */
  readonly dropout?: number
  /** Whether the head's weights are the token table (GPT-2) or its own. */
  readonly tiedHead?: boolean
}

/** Standard deviation that tables of tokens and positions start with. */
const tableSpread = 0.02

/**
 * Standard deviation that matrices start with: GPT-2's 0.02 at the width of its smallest model, and at others what gives as
 * large products. 0.02 itself makes a narrow model's blocks nearly do nothing for a long time.
 */
function matrixSpread(width: number): number {
  return 0.02 * Math.sqrt(768 / width)
}

interface BlockOptions {
  readonly width: number
  readonly heads: number
  readonly dropout: number
  readonly spread: number
  /** Standard deviation of the projections that end in the residual stream. */
  readonly residualSpread: number
}

/** Four times as wide, GELU, and back. */
class FeedForward extends Module {
  readonly up: Linear
  readonly down: Linear
  readonly dropout: Dropout

  constructor({ width, dropout, spread, residualSpread }: BlockOptions) {
    super()
    this.up = new Linear(width, 4 * width, { weightInitializer: normal(spread), biasInitializer: zeros() })
    this.down = new Linear(4 * width, width, { weightInitializer: normal(residualSpread), biasInitializer: zeros() })
    this.dropout = new Dropout(dropout)
  }

  forward(x: AnyTensor): AnyTensor {
    const raised = gelu(this.up.forward(x as Tensor<Shape, 'f32'>), 'tanh')
    return this.dropout.forward(this.down.forward(raised))
  }
}

/** Attention and feed-forward, each added to what it was given. */
class Block extends Module {
  readonly norm1: LayerNorm
  readonly attention: MultiHeadAttention
  readonly norm2: LayerNorm
  readonly mlp: FeedForward

  constructor(options: BlockOptions) {
    super()
    const { width, heads, dropout, spread, residualSpread } = options
    this.norm1 = new LayerNorm(width)
    this.attention = new MultiHeadAttention({
      width,
      heads,
      dropout,
      causal: true,
      weightInitializer: normal(spread),
      outputInitializer: normal(residualSpread),
    })
    this.norm2 = new LayerNorm(width)
    this.mlp = new FeedForward(options)
  }

  forward(x: AnyTensor): AnyTensor {
    const attended = add(x, this.attention.forward(this.norm1.forward(x)))
    return add(attended, this.mlp.forward(this.norm2.forward(attended)))
  }

  forwardCached(x: AnyTensor, cache: KeyValueCache, position: AnyTensor): { output: AnyTensor; cache: KeyValueCache } {
    const { output, cache: grown } = this.attention.forwardCached(this.norm1.forward(x), cache, position)
    const attended = add(x, output)
    return { output: add(attended, this.mlp.forward(this.norm2.forward(attended))), cache: grown }
  }
}

/** @example new nn.GPT({ vocabulary: 65, context: 256, layers: 6, heads: 6, width: 384 }) */
export class GPT extends Module {
  readonly tokenEmbedding: Embedding
  readonly positionEmbedding: Embedding
  readonly dropout: Dropout
  readonly blocks: readonly Block[]
  readonly finalNorm: LayerNorm
  readonly head: Linear | undefined
  readonly options: GPTOptions

  constructor(options: GPTOptions) {
    super()
    const { vocabulary, context, layers, heads, width, dropout = 0, tiedHead = true } = options
    checkHeads('GPT', width, heads)
    checkOptions('GPT', {
      vocabulary: [vocabulary, ranges.count],
      context: [context, ranges.count],
      layers: [layers, ranges.count],
      dropout: [dropout, ranges.share],
    })
    const initializer = normal(tableSpread)
    this.tokenEmbedding = new Embedding(vocabulary, width, { initializer })
    this.positionEmbedding = new Embedding(context, width, { initializer })
    this.dropout = new Dropout(dropout)
    const spread = matrixSpread(width)
    const block = { width, heads, dropout, spread, residualSpread: spread / Math.sqrt(2 * layers) }
    this.blocks = Array.from({ length: layers }, () => new Block(block))
    this.finalNorm = new LayerNorm(width)
    this.head = tiedHead ? undefined : new Linear(width, vocabulary, { bias: false, weightInitializer: initializer })
    this.options = options
  }

  /** Tokens i32 [B, T], T at most the context, to logits f32 [B, T, vocabulary] for the token after each. */
  forward(tokens: Tensor<Shape, 'i32'>): Tensor<Shape, 'f32'> {
    this.checkLength(tokens)
    let x: AnyTensor = this.dropout.forward(this.embed(tokens, iota([tokens.shape[1]])))
    for (const block of this.blocks) x = block.forward(x)
    return this.logits(this.finalNorm.forward(x))
  }

  /**
   * The same for tokens that come after `position` others, whose keys and values are in `caches` (one a layer).
   *
   * @param position i32 scalar
   */
  forwardCached(
    tokens: Tensor<Shape, 'i32'>,
    caches: readonly KeyValueCache[],
    position: AnyTensor,
  ): { logits: Tensor<Shape, 'f32'>; caches: KeyValueCache[] } {
    const places = add(iota([tokens.shape[1]]), position) as AnyTensor
    let x: AnyTensor = this.embed(tokens, places as Tensor<Shape, 'i32'>)
    const grown: KeyValueCache[] = []
    for (const [index, block] of this.blocks.entries()) {
      const { output, cache } = block.forwardCached(x, caches[index], position)
      x = output
      grown.push(cache)
    }
    return { logits: this.logits(this.finalNorm.forward(x)), caches: grown }
  }

  private embed(tokens: Tensor<Shape, 'i32'>, places: Tensor<Shape, 'i32'>): AnyTensor {
    return add(this.tokenEmbedding.forward(tokens), takeRows(this.positionEmbedding.weight, places) as AnyTensor)
  }

  private logits(x: AnyTensor): Tensor<Shape, 'f32'> {
    if (this.head !== undefined) return this.head.forward(x as Tensor<Shape, 'f32'>)
    const table = this.tokenEmbedding.weight
    return dotGeneral(x, table, { leftContracting: [x.rank - 1], rightContracting: [1] }) as Tensor<Shape, 'f32'>
  }

  private checkLength(tokens: AnyTensor): void {
    const { context } = this.options
    if (tokens.rank === 2 && tokens.shape[1] <= context) return
    throw new TalwegError({
      code: 'SHAPE_MISMATCH',
      operation: 'GPT',
      problem: `takes tokens [B, T] with T at most ${context}, not ${formatType(tokens.type)}`,
      hint: 'a longer text needs a model with a larger context',
      place: currentPlace(),
    })
  }
}
