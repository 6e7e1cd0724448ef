/**
 * BERT: a transformer that looks both ways. Source: Devlin et al., "BERT: pre-training of deep bidirectional transformers
 * for language understanding", 2018.
 *
 * Parameters by path (matrices are [in, out]; N counts blocks), each with .bias as well unless said otherwise:
 *
 * | path | shape |
 * |---|---|
 * | tokenEmbedding.weight | [vocabulary, width]; no bias |
 * | positionEmbedding.weight | [context, width]; no bias |
 * | tokenTypeEmbedding.weight | [tokenTypes, width]; no bias |
 * | embeddingNorm.weight | [width] |
 * | blocks.N.attention.query, key, value, output .weight | [width, width] |
 * | blocks.N.norm1.weight, blocks.N.norm2.weight | [width]; after attention, after feed-forward |
 * | blocks.N.mlp.up.weight | [width, feedForwardWidth] |
 * | blocks.N.mlp.down.weight | [feedForwardWidth, width] |
 * | pooler.weight | [width, width]; with `pooler` |
 *
 * The models with a head have these under `bert.`; theirs are in heads.ts.
 */
import { TalwegError } from '../../../core/errors.js'
import { formatType, type Shape } from '../../../core/shape.js'
import { currentPlace } from '../../../graph/location.js'
import type { AnyTensor, Tensor } from '../../../graph/tensor.js'
import { iota, zerosLike } from '../../../ops/creation.js'
import { add, convert, notEqual, tanh } from '../../../ops/elementwise.js'
import { takeRows } from '../../../ops/indexing.js'
import { reshape, sliceDim } from '../../../ops/movement.js'
import { truncatedNormal, zeros } from '../../initializers.js'
import { Dropout } from '../../layers/activation.js'
import { MultiHeadAttention } from '../../layers/attention.js'
import { FeedForward } from '../../layers/feedForward.js'
import { Embedding, Linear } from '../../layers/linear.js'
import { LayerNorm } from '../../layers/normalisation.js'
import { Module } from '../../module.js'
import { bertConfigs, resolveBERTOptions, type BERTOptions, type ResolvedBERTOptions } from './options.js'

/** What all matrices and tables start as. */
export const bertInitializer = truncatedNormal(0.02)
export const linearOptions = { weightInitializer: bertInitializer, biasInitializer: zeros() }

/** Attention and feed-forward, each added to what it was given and then normalised. */
class BERTBlock extends Module {
  readonly attention: MultiHeadAttention
  readonly norm1: LayerNorm
  readonly mlp: FeedForward
  readonly norm2: LayerNorm

  constructor(options: ResolvedBERTOptions) {
    super()
    const { width, heads, dropout, attentionDropout, normEpsilon, feedForwardWidth: hidden } = options
    const shared = { width, dropout, weightInitializer: bertInitializer }
    this.attention = new MultiHeadAttention({ ...shared, heads, weightDropout: attentionDropout })
    this.norm1 = new LayerNorm(width, normEpsilon)
    this.mlp = new FeedForward({ ...shared, hidden, activation: 'gelu' })
    this.norm2 = new LayerNorm(width, normEpsilon)
  }

  forward(x: AnyTensor, mask?: Tensor<Shape, 'bool'>): AnyTensor {
    const attended = this.norm1.forward(add(x, this.attention.forward(x, mask)))
    return this.norm2.forward(add(attended, this.mlp.forward(attended)))
  }
}

/** What may be known of the tokens. */
export interface BERTInputs {
  /** i32 [B, T]: the kind of each token; all of kind 0 where not given. */
  readonly tokenTypes?: Tensor<Shape, 'i32'>
  /** i32 or bool [B, T]: 0 where a token is only padding, at which none looks. */
  readonly mask?: AnyTensor
}

export interface BERTResults {
  /** f32 [B, T, width] */
  readonly hidden: AnyTensor
  /** f32 [B, width], where there is a pooler. */
  readonly pooled: AnyTensor | undefined
}

/** @example new nn.BERT(nn.BERT.configs['bert-base']) */
export class BERT extends Module {
  /** Sizes of published models, by name. */
  static readonly configs = bertConfigs

  readonly tokenEmbedding: Embedding
  readonly positionEmbedding: Embedding
  readonly tokenTypeEmbedding: Embedding
  readonly embeddingNorm: LayerNorm
  readonly dropout: Dropout
  readonly blocks: readonly BERTBlock[]
  readonly pooler: Linear | undefined
  readonly options: ResolvedBERTOptions

  constructor(given: BERTOptions) {
    super()
    const options = resolveBERTOptions(given)
    const { vocabulary, context, layers, width, tokenTypes, dropout, normEpsilon } = options
    const table = { initializer: bertInitializer }
    this.tokenEmbedding = new Embedding(vocabulary, width, table)
    this.positionEmbedding = new Embedding(context, width, table)
    this.tokenTypeEmbedding = new Embedding(tokenTypes, width, table)
    this.embeddingNorm = new LayerNorm(width, normEpsilon)
    this.dropout = new Dropout(dropout)
    this.blocks = Array.from({ length: layers }, () => new BERTBlock(options))
    this.pooler = options.pooler ? new Linear(width, width, linearOptions) : undefined
    this.options = options
  }

  /** Tokens i32 [B, T], T at most the context, to a vector for each and, with a pooler, one for the whole. */
  forward(tokens: Tensor<Shape, 'i32'>, { tokenTypes, mask }: BERTInputs = {}): BERTResults {
    this.checkInputs(tokens, { tokenTypes, mask })
    const [batch, length] = tokens.shape
    const visible = mask && (reshape(asBool(mask), [batch, 1, 1, length]) as AnyTensor as Tensor<Shape, 'bool'>)
    let x = this.dropout.forward(this.embeddingNorm.forward(this.embed(tokens, tokenTypes ?? zerosLike(tokens))))
    for (const block of this.blocks) x = block.forward(x, visible)
    return { hidden: x, pooled: this.pool(x) }
  }

  private embed(tokens: Tensor<Shape, 'i32'>, tokenTypes: Tensor<Shape, 'i32'>): AnyTensor {
    const kinds = add(this.tokenEmbedding.forward(tokens), this.tokenTypeEmbedding.forward(tokenTypes))
    return add(kinds, takeRows(this.positionEmbedding.weight, iota([tokens.shape[1]])) as AnyTensor)
  }

  private pool(hidden: AnyTensor): AnyTensor | undefined {
    if (this.pooler === undefined) return undefined
    const first = reshape(sliceDim(hidden, 1, 0, 1), [hidden.shape[0], this.options.width])
    return tanh(this.pooler.forward(first as AnyTensor as Tensor<Shape, 'f32'>))
  }

  private checkInputs(tokens: AnyTensor, others: BERTInputs): void {
    const { context } = this.options
    const fail = (problem: string, hint: string): never => {
      throw new TalwegError({ code: 'SHAPE_MISMATCH', operation: 'BERT', problem, hint, place: currentPlace() })
    }
    if (tokens.rank !== 2 || tokens.shape[1] > context)
      fail(
        `takes tokens [B, T] with T at most ${context}, not ${formatType(tokens.type)}`,
        'a longer text needs a model with a larger context',
      )
    for (const [name, other] of Object.entries(others) as [string, AnyTensor | undefined][]) {
      if (other !== undefined && other.shape.join() !== tokens.shape.join())
        fail(
          `${name} is ${formatType(other.type)}, and tokens are ${formatType(tokens.type)}`,
          'give one for each token',
        )
    }
  }
}

function asBool(mask: AnyTensor): AnyTensor {
  return mask.dtype === 'bool' ? mask : notEqual(convert(mask, 'i32') as AnyTensor, 0)
}
