/**
 * Random tensors, counter-based: a number depends on the seed, the step, the place of the draw in the graph and the
 * *global* index of the sample it belongs to, so that it is the same however the batch is shared out among workers, and
 * after any crash.
 */
import type { FloatDType } from '../core/dtype.js'
import { invariant, TalwegError } from '../core/errors.js'
import { hashString } from '../core/random.js'
import { numElements, type Shape } from '../core/shape.js'
import { checkOptions, ranges } from '../graph/checkOptions.js'
import { currentPlace } from '../graph/location.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import {
  abs,
  add,
  convert,
  cos,
  less,
  log,
  multiply,
  shiftRightLogical,
  sign,
  sqrt,
  subtract,
  where,
  xor,
} from './elementwise.js'
import { constant, zeros, zerosLike } from './creation.js'
import { apply } from './lift.js'
import { concatenate, reshape, slice } from './movement.js'
import { polynomial } from './polynomial.js'

/** What the draws of a traced step are keyed by. */
export interface Randomness {
  /** `u32` scalar. */
  readonly seed: AnyTensor
  /** `u32` scalar: the step, so that each has its own numbers. */
  readonly step: AnyTensor
  /** `u32` scalar: global index of this batch's first sample. */
  readonly sampleOffset: AnyTensor
  /** Samples in this batch: dimension 0 of a tensor drawn sample by sample is divisible by it. */
  readonly numSamples: number
}

interface Draws extends Randomness {
  numDraws: number
}

const stack: Draws[] = []

/** Runs `body`, in which random tensors may be drawn. */
export function withRandomness<T>(randomness: Randomness, body: () => T): T {
  stack.push({ ...randomness, numDraws: 0 })
  try {
    return body()
  } finally {
    stack.pop()
  }
}

function currentDraws(operation: string): Draws {
  const draws = stack.at(-1)
  if (draws !== undefined) return draws
  throw new TalwegError({
    code: 'TRACE_MISUSE',
    operation,
    problem: 'there is no source of randomness here',
    hint: 'random tensors can be drawn in a loss or a model while training, or inside withRandomness()',
    place: currentPlace(),
  })
}

function stateOf(keyLow: AnyTensor, keyHigh: AnyTensor, counterLow: AnyTensor): AnyTensor {
  const words = [keyLow, keyHigh, counterLow, zeros([], 'u32')]
  return concatenate(words.map((word) => reshape(word, [1])))
}

const wordsPerCounter = 4

/** Random bits for a tensor of the step: the same whatever part of the batch this worker has. */
export function bits(shape: Shape): Tensor<Shape, 'u32'> {
  const draws = currentDraws('random')
  const { seed, step, sampleOffset, numSamples } = draws
  const wordsPerSample = numElements(shape) / numSamples
  invariant(Number.isInteger(wordsPerSample), `a random tensor of shape [${shape}] in a batch of ${numSamples} samples`)
  const countersPerSample = Math.ceil(wordsPerSample / wordsPerCounter)
  const place = hashString(`draw ${draws.numDraws++}`)
  const keyLow = xor(seed, constant([place], [], 'u32'))
  const state = stateOf(keyLow, step, multiply(sampleOffset, countersPerSample))
  const wordsDrawn = countersPerSample * wordsPerCounter
  const drawn = apply('rngBitGenerator', [state], { shape: [numSamples, wordsDrawn] })
  return reshape(slice(drawn, [0, 0], [numSamples, wordsPerSample]), shape) as Tensor<Shape, 'u32'>
}

/** Random bits that depend on a seed and a name alone: for initial parameters, named by their path. */
export function namedBits(seed: AnyTensor, name: string, shape: Shape): Tensor<Shape, 'u32'> {
  const state = stateOf(seed, constant([hashString(name)], [], 'u32'), zeros([], 'u32'))
  return apply('rngBitGenerator', [state], { shape })
}

const fractionBits = 24

/** Uniform in [0, 1), a multiple of 2⁻²⁴. */
export function uniformFromBits(words: Tensor<Shape, 'u32'>, dtype: FloatDType = 'f32'): AnyTensor {
  return multiply(convert(shiftRightLogical(words, 32 - fractionBits) as AnyTensor, dtype), 2 ** -fractionBits)
}

/** Standard normal, by Box and Muller's transform of two uniforms. */
export function normalFromBits(
  first: Tensor<Shape, 'u32'>,
  second: Tensor<Shape, 'u32'>,
  dtype: FloatDType = 'f32',
): AnyTensor {
  const radius = sqrt(multiply(log(subtract(1, uniformFromBits(first, dtype))), -2))
  return multiply(radius, cos(multiply(uniformFromBits(second, dtype), 2 * Math.PI)))
}

/** The number y with erf(y) = x. Source: M. Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2011. */
export function inverseErf(x: AnyTensor): AnyTensor {
  const w = multiply(log(multiply(subtract(1, x), add(x, 1))), -1)
  const central = polynomial(subtract(w, 2.5), [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941]) // prettier-ignore
  const tail = polynomial(subtract(sqrt(w), 3), [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682]) // prettier-ignore
  return multiply(where(less(w, 5) as Tensor<Shape, 'bool'>, central, tail), x)
}

/** Uniform in [low, high), a tensor of the step. */
export function uniform(shape: Shape, low = 0, high = 1, dtype: FloatDType = 'f32'): AnyTensor {
  return add(multiply(uniformFromBits(bits(shape), dtype), high - low), low)
}

/** Normal of mean 0 and standard deviation 1, a tensor of the step. */
export function normal(shape: Shape, dtype: FloatDType = 'f32'): AnyTensor {
  return normalFromBits(bits(shape), bits(shape), dtype)
}

/** True with probability `probability`, each element by itself. */
export function bernoulli(shape: Shape, probability: number): Tensor<Shape, 'bool'> {
  return less(uniform(shape), probability) as AnyTensor as Tensor<Shape, 'bool'>
}

/** Zeroes each element with probability `rate` and divides the rest by 1 - rate, so that the mean stays. */
export function dropout(x: AnyTensor, rate: number): AnyTensor {
  checkOptions('dropout', { rate: [rate, ranges.share] })
  if (rate === 0) return x
  if (rate === 1) return zerosLike(x) as AnyTensor
  return where(bernoulli(x.shape, 1 - rate), multiply(x, 1 / (1 - rate)), 0)
}

/** Standard normal cut at ±`limit` standard deviations, by the inverse of the distribution function. */
export function truncatedNormalFromBits(words: Tensor<Shape, 'u32'>, limit = 2, dtype: FloatDType = 'f32'): AnyTensor {
  const edge = erfOf(limit / Math.SQRT2)
  const centred = multiply(add(multiply(uniformFromBits(words, dtype), 2), 2 ** -fractionBits - 1), edge)
  const drawn = multiply(inverseErf(centred), Math.SQRT2)
  return multiply(sign(drawn), where(less(abs(drawn), limit) as Tensor<Shape, 'bool'>, abs(drawn), limit))
}

/** erf of a plain number, by its series; for the limits of a truncated normal. */
function erfOf(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= (-x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}
