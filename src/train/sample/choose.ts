/**
 * Choosing the next token from the model's logits: the likeliest, or one drawn after the distribution was sharpened
 * (temperature) and its tail cut off (the k likeliest; the likeliest that have p of the probability together).
 *
 * Sources: Fan et al., "Hierarchical neural story generation", 2018 (top-k); Holtzman et al., "The curious case of
 * neural text degeneration", 2019 (top-p).
 */
import { philoxBits, seedKey } from '../../core/random.js'

export interface SamplingOptions {
  /** 0 takes the likeliest token each time; 1 samples from the model's own distribution. */
  readonly temperature: number
  /** Only so many of the likeliest tokens are drawn from. All by default. */
  readonly topK?: number
  /** Only the likeliest tokens that have this probability together are drawn from. All by default. */
  readonly topP?: number
  readonly seed: number
}

/** Tells these random words from others of the same seed. */
const streamTag = 0x73616d70

/** So many of the likeliest tokens are looked at before more are: with a large vocabulary, putting all in order takes longest. */
const firstLook = 64

/**
 * The token that comes next.
 *
 * @param logits one for each token
 * @param position place in the text: with the seed it gives the random number, so a text can be had again
 */
export function chooseToken(logits: ArrayLike<number>, position: number, options: SamplingOptions): number {
  const { temperature, topK = logits.length, topP = 1, seed } = options
  const [best] = likeliest(logits, 1)
  if (temperature === 0) return best
  const weightOf = (token: number): number => Math.exp((logits[token] - logits[best]) / temperature)
  const isCut = topK < logits.length
  const ofAll = isCut ? undefined : sumOfWeights(logits.length, weightOf)
  const share = uniform(seed, position)
  for (let count = isCut ? Math.max(1, topK) : firstLook; ; count *= 8) {
    const candidates = likeliest(logits, count)
    const weights = candidates.map(weightOf)
    const total = ofAll ?? sumOfWeights(weights.length, (index) => weights[index])
    const hasAll = isCut || candidates.length === logits.length
    const found = draw(weights, total, topP, share) ?? (hasAll ? candidates.length - 1 : undefined)
    if (found !== undefined) return candidates[found]
  }
}

/** The tokens of the `count` largest logits, largest first; of equal ones those that come first. */
function likeliest(logits: ArrayLike<number>, count: number): number[] {
  if (count >= logits.length)
    return Array.from({ length: logits.length }, (_, token) => token).sort((a, b) => logits[b] - logits[a] || a - b)
  const kept: number[] = []
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token]
    if (kept.length === count && !(logit > logits[kept[count - 1]])) continue
    let place = kept.length
    while (place > 0 && logit > logits[kept[place - 1]]) place--
    kept.splice(place, 0, token)
    if (kept.length > count) kept.pop()
  }
  return kept
}

function sumOfWeights(count: number, weightOf: (index: number) => number): number {
  let sum = 0
  for (let index = 0; index < count; index++) sum += weightOf(index)
  return sum
}

/**
 * Which of the largest weights is drawn, of the fewest that have `topP` of the total together, at least one; undefined where
 * those given don't reach so far.
 *
 * @param share uniform in [0, 1)
 */
function draw(weights: readonly number[], total: number, topP: number, share: number): number | undefined {
  if (topP >= 1) return placeIn(weights, share * total)
  let kept = weights[0]
  let numKept = 1
  while (numKept < weights.length && kept < topP * total) kept += weights[numKept++]
  if (kept < topP * total) return undefined
  return placeIn(weights.slice(0, numKept), share * kept) ?? numKept - 1
}

/** The weight in which a point falls that lies so far along all of them laid side by side. */
function placeIn(weights: readonly number[], along: number): number | undefined {
  let left = along
  for (const [index, weight] of weights.entries()) {
    left -= weight
    if (left < 0) return index
  }
  return undefined
}

function uniform(seed: number, position: number): number {
  const [high, low] = philoxBits([...seedKey(seed, streamTag), position, 0], 2)
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53
}
