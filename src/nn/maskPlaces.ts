/**
 * The masked-token objective with the same number of places in each row, so that logits need be computed of those alone: they
 * are most of a small model's work. BERT's own training did so (`max_predictions_per_seq`).
 */
import { TalwegError } from '../core/errors.js'
import { formatType, type Shape } from '../core/shape.js'
import { currentPlace } from '../graph/location.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { full, iota } from '../ops/creation.js'
import { add, and, convert, equal, floor, less, maximum, minimum, multiply, or, where } from '../ops/elementwise.js'
import { lowerTriangle, takePlaces } from '../ops/indexing.js'
import { expandDim } from '../ops/movement.js'
import { countTrue, sum } from '../ops/reductions.js'
import { draw, hide, isOrdinary, resolveOptions, type Bools, type MaskTokensOptions } from './maskTokens.js'

type Tokens = Tensor<Shape, 'i32'>

export interface MaskedPlaces {
  /** i32 [B, T]: what the model sees. */
  readonly tokens: Tokens
  /** i32 [B, P]: the places whose tokens are to be guessed, in no order. */
  readonly places: Tokens
  /** i32 [B, P]: the tokens that were there; the ignored target where a row has fewer to be guessed. */
  readonly targets: Tokens
}

/**
 * Like `maskTokens`, for tokens i32 [B, T]: of each row, `rate` of its tokens that are not special are to be guessed, rounded,
 * and at least one; P is as many as that would be of T.
 *
 * @example
 * loss: (model, batch) => {
 *   const { tokens, places, targets } = nn.maskPlaces(batch.tokens, { vocabulary: 30_522, maskToken: 103, specialTokens: [0, 101, 102] })
 *   return nn.crossEntropy(model.forward(tokens, { places, mask: batch.mask }), targets, { ignoredTarget: -1 })
 * }
 */
export function maskPlaces(given: Tokens, options: MaskTokensOptions): MaskedPlaces {
  const resolved = resolveOptions('maskPlaces', options)
  checkTokens(given)
  const { rate, ignoredTarget } = resolved
  const [batch, length] = given.shape
  const numPlaces = Math.max(1, Math.round(rate * length))
  const mayBe = isOrdinary(given, resolved)
  const ranks = ranksOf(where(mayBe, draw('chosen', given.shape), 2))
  const numOrdinary = countTrue(mayBe, 1) as AnyTensor
  const rounded = floor(add(multiply(numOrdinary, rate), 0.5))
  // Of a row that is special from end to end there is nothing to guess.
  const numChosen = minimum(minimum(maximum(rounded, 1), numOrdinary), numPlaces)
  const isChosen = less(ranks, expandDim(numChosen, 1)) as Bools
  const places = placesOf(ranks, numPlaces)
  const isGuessed = less(convert(iota([batch, numPlaces], 1) as AnyTensor, 'f32') as AnyTensor, expandDim(numChosen, 1))
  const ignored = full([batch, numPlaces], ignoredTarget, 'i32') as AnyTensor
  return {
    tokens: hide(given, isChosen, resolved),
    places,
    targets: where(isGuessed as Bools, takePlaces(given as AnyTensor, places), ignored) as AnyTensor as Tokens,
  }
}

/** How many numbers of its row [B, T] come before each, f32; of equal ones the left is first. */
function ranksOf(numbers: AnyTensor): AnyTensor {
  const [, length] = numbers.shape
  const [mine, others] = [expandDim(numbers, 2), expandDim(numbers, 1)]
  const isLeft = expandDim(lowerTriangle(length, length, -1) as AnyTensor, 0)
  const isBefore = or(less(others, mine), and(equal(others, mine), isLeft)) as Bools
  return countTrue(isBefore, 2) as AnyTensor
}

/** Where in its row each rank from 0 to `count` is: i32 [B, count]. */
function placesOf(ranks: AnyTensor, count: number): Tokens {
  const [batch, length] = ranks.shape
  const shape = [batch, count, length]
  const is = equal(expandDim(ranks, 1), convert(iota(shape, 1) as AnyTensor, 'f32') as AnyTensor) as Bools
  const columns = convert(iota(shape, 2) as AnyTensor, 'f32') as AnyTensor
  return convert(sum(where(is, columns, 0), 2), 'i32') as AnyTensor as Tokens
}

function checkTokens({ type, rank }: Tokens): void {
  if (rank === 2) return
  throw new TalwegError({
    code: 'SHAPE_MISMATCH',
    operation: 'maskPlaces',
    problem: `takes tokens i32 [B, T], not ${formatType(type)}`,
    place: currentPlace(),
  })
}
