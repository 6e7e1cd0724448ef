/**
 * Adam's update of one parameter, all of it in one pass: it is bound by memory, so every number should be read and
 * written once. Source: Kingma, Ba, "Adam", 2014; decay apart from the gradient: Loshchilov, Hutter, 2017.
 */
import type { CompositeAttributes } from '../../core/operations.js'
import type { AnyTensor } from '../../graph/tensor.js'
import { add, divide, multiply, sqrt, square, subtract } from '../elementwise.js'
import { composite } from '../structure.js'

/** The first four are of one type, the others scalars. */
export interface AdamOperands {
  readonly parameter: AnyTensor
  readonly gradient: AnyTensor
  readonly mean: AnyTensor
  readonly variance: AnyTensor
  /** What is left of the parameter after its decay. */
  readonly kept: AnyTensor
  readonly learningRate: AnyTensor
  /** 1 - β₁ᵗ and 1 - β₂ᵗ. */
  readonly meanCorrection: AnyTensor
  readonly varianceCorrection: AnyTensor
}

export interface AdamResults {
  readonly parameter: AnyTensor
  readonly mean: AnyTensor
  readonly variance: AnyTensor
}

/** g' = g + λ p; m' = β₁ m + (1 - β₁) g'; v' = β₂ v + (1 - β₂) g'²; p' = kept p - η (m' / c₁) / (√v' / √c₂ + ε). */
export function adamUpdate(
  operands: AdamOperands,
  options: Omit<CompositeAttributes['adamUpdate'], 'guarded'>,
): AdamResults {
  const { beta1, beta2, epsilon, coupledDecay } = options
  const { parameter, gradient, mean, variance, kept, learningRate, meanCorrection, varianceCorrection } = operands
  const inputs = [parameter, gradient, mean, variance, kept, learningRate, meanCorrection, varianceCorrection]
  const results = composite('adamUpdate', { ...options, guarded: false }, inputs, (p, g, m, v, keep, rate, c1, c2) => {
    const pulled = coupledDecay === 0 ? g : add(g, multiply(p, coupledDecay))
    const newMean = add(multiply(m, beta1), multiply(pulled, 1 - beta1))
    const newVariance = add(multiply(v, beta2), multiply(square(pulled), 1 - beta2))
    const spread = add(divide(sqrt(newVariance), sqrt(c2)), epsilon)
    const direction = divide(divide(newMean, c1), spread)
    return [subtract(multiply(p, keep), multiply(direction, rate)), newMean, newVariance] as AnyTensor[]
  })
  return { parameter: results[0], mean: results[1], variance: results[2] }
}
