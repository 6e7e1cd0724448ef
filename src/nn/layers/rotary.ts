/**
 * Rotary positions: instead of adding a position to a token, queries and keys are turned by it, so that their products
 * depend on how far apart they are. Source: Su et al., "RoFormer", 2021; the halves of a head are its pairs (x[i],
 * x[i + D/2]), as in GPT-NeoX and in Hugging Face's Llama, not neighbours as in the paper.
 */
import { TalwegError } from '../../core/errors.js'
import type { Shape } from '../../core/shape.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import { currentPlace } from '../../graph/location.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { constant } from '../../ops/creation.js'
import { add, convert, cos, multiply, sin, subtract } from '../../ops/elementwise.js'
import { concatenate, expandDim, reshape, sliceDim } from '../../ops/movement.js'
import { Module } from '../module.js'

/** Llama 3.1's change of slow turns, for a context longer than the one first trained with. */
export interface RotaryScaling {
  /** What the slowest turns are slowed down by. */
  readonly factor: number
  /** Turns of which less than so many fit in the first context are slowed down altogether. */
  readonly lowFrequencyFactor: number
  /** Turns of which more than so many fit in it stay as they are. */
  readonly highFrequencyFactor: number
  readonly originalContext: number
}

export interface RotaryOptions {
  /** Base of the frequencies, Llama's theta. Default 10,000. */
  readonly base?: number
  readonly scaling?: RotaryScaling
}

/** Cosines and sines of places, f32 [T, D/2] or [B, T, D/2] each: computed once for all layers. */
export interface RotaryTable {
  readonly cosine: AnyTensor
  readonly sine: AnyTensor
}

/**
 * Turns queries or keys [B, T, H, D] by their places; has no parameters.
 *
 * @example
 * const rotary = new nn.RotaryEmbedding(64, { base: 500_000 })
 * const turned = rotary.forward(query, rotary.table(ops.iota([query.shape[1]])))
 */
export class RotaryEmbedding extends Module {
  /** Radians a place, D/2 of them. */
  readonly frequencies: readonly number[]

  constructor(
    readonly headWidth: number,
    { base = 10_000, scaling }: RotaryOptions = {},
  ) {
    super()
    checkOptions('RotaryEmbedding', { headWidth: [headWidth, ranges.count], base: [base, ranges.positive] })
    if (headWidth % 2 !== 0) throw oddWidth(headWidth)
    if (scaling !== undefined) checkScaling(scaling)
    this.frequencies = Array.from({ length: headWidth / 2 }, (_, pair) => {
      const frequency = base ** ((-2 * pair) / headWidth)
      return scaling === undefined ? frequency : scaled(frequency, scaling)
    })
  }

  /** @param places i32 [T], or [B, T] where each row has its own */
  table(places: Tensor<Shape, 'i32'>): RotaryTable {
    const numPairs = this.headWidth / 2
    const steps = expandDim(convert(places, 'f32') as AnyTensor, -1)
    const angles = multiply(steps, constant(this.frequencies, [1, numPairs]) as AnyTensor) as AnyTensor
    return { cosine: cos(angles), sine: sin(angles) }
  }

  /** @param x f32 [B, T, H, D] */
  forward(x: AnyTensor, { cosine, sine }: RotaryTable): AnyTensor {
    const [length, numPairs] = cosine.shape.slice(-2)
    const [c, s] = [cosine, sine].map((values) => reshape(values, [-1, length, 1, numPairs]) as AnyTensor)
    const first = sliceDim(x, 3, 0, numPairs)
    const second = sliceDim(x, 3, numPairs, 2 * numPairs)
    return concatenate(
      [subtract(multiply(first, c), multiply(second, s)), add(multiply(second, c), multiply(first, s))],
      3,
    )
  }
}

/** By how many of its turns fit in the first context: few, slowed down; many, as it is; between, between. */
function scaled(frequency: number, scaling: RotaryScaling): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalContext } = scaling
  const numTurns = (originalContext * frequency) / (2 * Math.PI)
  if (numTurns < lowFrequencyFactor) return frequency / factor
  if (numTurns > highFrequencyFactor) return frequency
  const kept = (numTurns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
  return (1 - kept) * (frequency / factor) + kept * frequency
}

function checkScaling({ factor, lowFrequencyFactor, highFrequencyFactor, originalContext }: RotaryScaling): void {
  checkOptions('RotaryEmbedding', {
    'scaling.factor': [factor, ranges.positive],
    'scaling.lowFrequencyFactor': [lowFrequencyFactor, ranges.positive],
    'scaling.highFrequencyFactor': [highFrequencyFactor, ranges.positive],
    'scaling.originalContext': [originalContext, ranges.count],
  })
}

function oddWidth(headWidth: number): TalwegError {
  return new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'RotaryEmbedding',
    problem: `a head is ${headWidth} wide, and its two halves are turned together`,
    hint: 'choose an even width of a head',
    place: currentPlace(),
  })
}
