/**
 * GPT: a causal transformer over tokens. By default in GPT-2's architecture (learned positions, layer norm before each
 * part, tanh-approximated GELU, the head tied to the token table); each of these has an option for Llama's choice.
 * Sources: Radford et al., "Language models are unsupervised multitask learners", 2019; Touvron et al., "Llama 2", 2023.
 *
 * Parameters by path (matrices are [in, out]; N counts blocks):
 *
 * | path | shape |
 * |---|---|
 * | tokenEmbedding.weight | [vocabulary, width] |
 * | positionEmbedding.weight | [context, width]; learned positions only |
 * | blocks.N.norm1, norm2 .weight, .bias | [width]; RMS norm has no bias |
 * | blocks.N.attention.query, output .weight | [width, width] |
 * | blocks.N.attention.key, value .weight | [width, keyValueHeads · width / heads] |
 * | blocks.N.mlp.up .weight | [width, feedForwardWidth]; SwiGLU also mlp.gate.weight |
 * | blocks.N.mlp.down .weight | [feedForwardWidth, width] |
 * | blocks.N.attention.*.bias, blocks.N.mlp.*.bias | with `bias` |
 * | finalNorm.weight, .bias | [width] |
 * | head.weight | [width, vocabulary]; unless tied |
 */
import { TalwegError } from '../../../core/errors.js'
import { formatType, type Shape } from '../../../core/shape.js'
import { currentPlace } from '../../../graph/location.js'
import type { AnyTensor, Tensor } from '../../../graph/tensor.js'
import { iota } from '../../../ops/creation.js'
import { add } from '../../../ops/elementwise.js'
import { takeRows } from '../../../ops/indexing.js'
import { reshape, sliceDim } from '../../../ops/movement.js'
import { dotGeneral } from '../../../ops/products.js'
import { normal } from '../../initializers.js'
import { Dropout } from '../../layers/activation.js'
import type { KeyValueCache, Turn } from '../../layers/attention.js'
import { Embedding, Linear } from '../../layers/linear.js'
import type { LayerNorm, RMSNorm } from '../../layers/normalisation.js'
import { RotaryEmbedding } from '../../layers/rotary.js'
import { Module } from '../../module.js'
import { GPTBlock, makeNorm } from './block.js'
import { gptConfigs } from './configs.js'
import { resolveGPTOptions, type GPTOptions, type ResolvedGPTOptions } from './options.js'

interface HiddenCachedOptions {
  readonly visible?: number
  readonly places?: Tensor<Shape, 'i32'>
  readonly mask?: Tensor<Shape, 'bool'>
}

/** Standard deviation that tables of tokens and positions start with. */
const tableSpread = 0.02

/**
 * @example new nn.GPT({ vocabulary: 65, context: 256, layers: 6, heads: 6, width: 384 })
 * @example new nn.GPT({ ...nn.GPT.configs['gpt2'], dropout: 0.1 })
 */
export class GPT extends Module {
  /** Sizes of published models, by name. */
  static readonly configs = gptConfigs

  readonly tokenEmbedding: Embedding
  readonly positionEmbedding: Embedding | undefined
  readonly rotary: RotaryEmbedding | undefined
  readonly dropout: Dropout
  readonly blocks: readonly GPTBlock[]
  readonly finalNorm: LayerNorm | RMSNorm
  readonly head: Linear | undefined
  readonly options: ResolvedGPTOptions

  constructor(given: GPTOptions) {
    super()
    const options = resolveGPTOptions(given)
    const { vocabulary, context, layers, heads, width, dropout, tiedHead, rotaryBase, rotaryScaling } = options
    const initializer = normal(tableSpread)
    const isRotary = options.positions === 'rotary'
    this.tokenEmbedding = new Embedding(vocabulary, width, { initializer })
    this.positionEmbedding = isRotary ? undefined : new Embedding(context, width, { initializer })
    this.rotary = isRotary
      ? new RotaryEmbedding(width / heads, { base: rotaryBase, scaling: rotaryScaling })
      : undefined
    this.dropout = new Dropout(dropout)
    this.blocks = Array.from({ length: layers }, () => new GPTBlock(options))
    this.finalNorm = makeNorm(options)
    this.head = tiedHead ? undefined : new Linear(width, vocabulary, { bias: false, weightInitializer: initializer })
    this.options = options
  }

  /** Tokens i32 [B, T], T at most the context, to logits f32 [B, T, vocabulary] for the token after each. */
  forward(tokens: Tensor<Shape, 'i32'>): Tensor<Shape, 'f32'> {
    this.checkLength(tokens)
    const places = iota([tokens.shape[1]])
    const turn = this.turnAt(places)
    let x: AnyTensor = this.dropout.forward(this.embed(tokens, places))
    for (const block of this.blocks) x = block.forward(x, turn)
    return this.logits(x)
  }

  /**
   * The same for tokens that come after `position` others, whose keys and values are in `caches` (one a layer), to logits
   * f32 [B, vocabulary] for the token after the last.
   *
   * @param position i32 scalar
   * @param visible places of the caches that may be looked at: at least those that there are, and these tokens'
   */
  forwardCached(
    tokens: Tensor<Shape, 'i32'>,
    caches: readonly KeyValueCache[],
    position: AnyTensor,
    visible?: number,
  ): { logits: Tensor<Shape, 'f32'>; caches: KeyValueCache[] } {
    const { hidden, caches: grown } = this.hiddenCached(tokens, caches, position, { visible })
    const last = reshape(sliceDim(hidden, 1, tokens.shape[1] - 1), [tokens.shape[0], this.options.width]) as AnyTensor
    return { logits: this.logits(last), caches: grown }
  }

  /**
   * The same, but of every token the vector f32 [B, T, width] that `logits` makes logits of; and rows may be padded.
   *
   * @param options.places i32 [B, T]: the place of each token in its text, where that is not its place in the caches
   * @param options.mask bool [B, visible]: false at places of the caches that are padding
   */
  hiddenCached(
    tokens: Tensor<Shape, 'i32'>,
    caches: readonly KeyValueCache[],
    position: AnyTensor,
    { visible, mask, places: given }: HiddenCachedOptions = {},
  ): { hidden: AnyTensor; caches: KeyValueCache[] } {
    const places = given ?? (add(iota([tokens.shape[1]]), position) as AnyTensor as Tensor<Shape, 'i32'>)
    const turn = this.turnAt(places)
    let x: AnyTensor = this.embed(tokens, places)
    const grown: KeyValueCache[] = []
    for (const [index, block] of this.blocks.entries()) {
      const { output, cache } = block.forwardCached(x, caches[index], position, { turn, visible, mask })
      x = output
      grown.push(cache)
    }
    return { hidden: x, caches: grown }
  }

  private turnAt(places: Tensor<Shape, 'i32'>): Turn | undefined {
    const { rotary } = this
    if (rotary === undefined) return undefined
    const table = rotary.table(places)
    return (heads) => rotary.forward(heads, table)
  }

  private embed(tokens: Tensor<Shape, 'i32'>, places: Tensor<Shape, 'i32'>): AnyTensor {
    const embedded = this.tokenEmbedding.forward(tokens)
    if (this.positionEmbedding === undefined) return embedded
    return add(embedded, takeRows(this.positionEmbedding.weight, places) as AnyTensor)
  }

  /** Of what the last block gives, f32 [..., width], the logits [..., vocabulary] for the token after. */
  logits(hidden: AnyTensor): Tensor<Shape, 'f32'> {
    const x: AnyTensor = this.finalNorm.forward(hidden)
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
