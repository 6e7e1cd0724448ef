/**
 * Choosing the next token from the model's logits: the likeliest, or one drawn after the distribution was sharpened
 * (temperature) and its tail cut off (the k likeliest; the likeliest that have p of the probability together).
 *
 * Sources: Fan et al., "Hierarchical neural story generation", 2018 (top-k); Holtzman et al., "The curious case of
 * neural text degeneration", 2019 (top-p).
 */
import { philoxBits } from '../../core/random.js'

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

/**
 * The token that comes next.
 *
 * @param logits one for each token
 * @param position place in the text: with the seed it gives the random number, so a text can be had again
 */
export function chooseToken(logits: ArrayLike<number>, position: number, options: SamplingOptions): number {
  const { temperature, topK = logits.length, topP = 1, seed } = options
  const order = Array.from({ length: logits.length }, (_, token) => token).sort(
    (a, b) => logits[b] - logits[a] || a - b,
  )
  if (temperature === 0) return order[0]
  const candidates = order.slice(0, Math.max(1, topK))
  const weights = candidates.map((token) => Math.exp((logits[token] - logits[order[0]]) / temperature))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const numKept = countKept(weights, topP * total)
  const kept = weights.slice(0, numKept).reduce((sum, weight) => sum + weight, 0)
  let left = uniform(seed, position) * kept
  for (let index = 0; index < numKept; index++) {
    left -= weights[index]
    if (left < 0) return candidates[index]
  }
  return candidates[numKept - 1]
}

/** The fewest of the largest weights that reach `wanted` together, at least one. */
function countKept(weights: readonly number[], wanted: number): number {
  let sum = 0
  for (const [index, weight] of weights.entries()) {
    sum += weight
    if (sum >= wanted) return index + 1
  }
  return weights.length
}

function uniform(seed: number, position: number): number {
  const [high, low] = philoxBits([seed >>> 0, (Math.floor(seed / 2 ** 32) ^ streamTag) >>> 0, position, 0], 2)
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53
}
