/**
 * The masked-token objective: some tokens are hidden, and the model is to guess them. Source: Devlin et al., "BERT", 2018,
 * section 3.1; chosen anew at each step ("dynamic"), as in Liu et al., "RoBERTa", 2019.
 */
import type { Shape } from '../core/shape.js'
import { checkOptions, ranges } from '../graph/checkOptions.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { full } from '../ops/creation.js'
import { and, convert, floor, less, minimum, multiply, notEqual, where } from '../ops/elementwise.js'
import { scalar } from '../ops/lift.js'
import { bits, namedBits, uniformFromBits } from '../ops/random.js'
import { isTraining } from './parameter.js'

export type Bools = Tensor<Shape, 'bool'>

export interface MaskTokensOptions {
  /** Number of different tokens, from which those are drawn that are put in place of others. */
  readonly vocabulary: number
  /** The token that stands for a hidden one; BERT's `[MASK]`. */
  readonly maskToken: number
  /** Tokens that are never chosen, such as `[CLS]`, `[SEP]` and padding. */
  readonly specialTokens?: readonly number[]
  /** Share of the tokens that are to be guessed. Default 0.15. */
  readonly rate?: number
  /** Share of those that become `maskToken`. Default 0.8. */
  readonly hiddenShare?: number
  /** Share of those that become any token, drawn evenly; the rest stay as they are. Default 0.1. */
  readonly randomShare?: number
  /** What the target is where nothing is to be guessed. Default -1. */
  readonly ignoredTarget?: number
}

export interface MaskedTokens {
  /** i32, like the tokens given: what the model sees. */
  readonly tokens: Tensor<Shape, 'i32'>
  /** i32, like the tokens given: the token where it is to be guessed, else the ignored target. */
  readonly targets: Tensor<Shape, 'i32'>
}

/**
 * Hides tokens i32 [B, ...]. While training by the step's own random numbers: others at each step, the same after a crash and
 * however the batch is shared out. Otherwise, for validation, a sample's place in its batch decides, so that losses can be
 * compared.
 *
 * @example
 * loss: (model, batch) => {
 *   const { tokens, targets } = nn.maskTokens(batch.tokens, { vocabulary: 30_522, maskToken: 103, specialTokens: [0, 101, 102] })
 *   return nn.crossEntropy(model.forward(tokens), targets, { ignoredTarget: -1 })
 * }
 */
export function maskTokens(given: Tensor<Shape, 'i32'>, options: MaskTokensOptions): MaskedTokens {
  const resolved = resolveOptions('maskTokens', options)
  const { rate, ignoredTarget } = resolved
  const { shape } = given
  const isChosen = and(less(draw('chosen', shape), rate), isOrdinary(given, resolved)) as Bools
  const ignored = full(shape, ignoredTarget, 'i32') as AnyTensor
  return {
    tokens: hide(given, isChosen, resolved),
    targets: where(isChosen, given as AnyTensor, ignored) as AnyTensor as Tensor<Shape, 'i32'>,
  }
}

/** @throws INVALID_SETTING naming the option */
export function resolveOptions(operation: string, options: MaskTokensOptions): Required<MaskTokensOptions> {
  const { vocabulary, maskToken, specialTokens = [], ignoredTarget = -1 } = options
  const { rate = 0.15, hiddenShare = 0.8, randomShare = 0.1 } = options
  checkOptions(operation, {
    vocabulary: [vocabulary, ranges.count],
    maskToken: [maskToken, ranges.countOrNone],
    rate: [rate, ranges.share],
    hiddenShare: [hiddenShare, ranges.share],
    randomShare: [randomShare, ranges.share],
    'hiddenShare + randomShare': [hiddenShare + randomShare, ranges.share],
  })
  return { vocabulary, maskToken, specialTokens, ignoredTarget, rate, hiddenShare, randomShare }
}

/** Whether a token may be chosen. */
export function isOrdinary(tokens: Tensor<Shape, 'i32'>, { specialTokens }: Required<MaskTokensOptions>): Bools {
  let is = full(tokens.shape, 1, 'bool') as Bools
  for (const token of specialTokens) is = and(is, notEqual(tokens as AnyTensor, token)) as Bools
  return is
}

/** The tokens with those that are chosen hidden, changed to any other or left, by their shares. */
export function hide(
  tokens: Tensor<Shape, 'i32'>,
  isChosen: Bools,
  { vocabulary, maskToken, hiddenShare, randomShare }: Required<MaskTokensOptions>,
): Tensor<Shape, 'i32'> {
  const { shape } = tokens
  const kind = draw('kind', shape)
  // A uniform number is below 1, but its product with a large vocabulary may round up to it.
  const any = convert(minimum(floor(multiply(draw('any', shape), vocabulary)), vocabulary - 1), 'i32') as AnyTensor
  const isHidden = less(kind, hiddenShare) as Bools
  const changed = where(isHidden, full(shape, maskToken, 'i32') as AnyTensor, any)
  const isChanged = and(isChosen, less(kind, hiddenShare + randomShare)) as Bools
  return where(isChanged, changed, tokens as AnyTensor) as AnyTensor as Tensor<Shape, 'i32'>
}

/** Uniform in [0, 1). */
export function draw(name: string, shape: Shape): AnyTensor {
  const words = isTraining() ? bits(shape) : namedBits(scalar(0, 'u32') as AnyTensor, `maskTokens ${name}`, shape)
  return uniformFromBits(words)
}
