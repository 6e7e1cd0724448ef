/**
 * Prodigy: Adam whose step is measured by an estimate of how far the solution is from where training began. The estimate
 * grows from the gradients themselves, so there is no learning rate to be found.
 *
 * Source: Mishchenko, Defazio, "Prodigy: an expeditiously adaptive parameter-free learner", 2023, algorithm 4.
 */
import { checkOptions, ranges } from '../graph/checkOptions.js'
import type { AnyTensor } from '../graph/tensor.js'
import { abs, add, divide, maximum, multiply, sqrt, square, subtract } from '../ops/elementwise.js'
import { scalar } from '../ops/lift.js'
import { sum } from '../ops/reductions.js'
import type { AdamOptions } from './adam.js'
import { matricesOnly, type Optimizer, type SharedContext } from './optimizer.js'
import { asSchedule } from './schedule.js'

export interface ProdigyOptions extends Partial<AdamOptions> {
  /** The distance that is begun with; too small costs some steps, too large may diverge. Default 1e-6. */
  readonly initialDistance?: number
}

/**
 * Prodigy. Its learning rate is a factor on the step that it finds itself: 1, or a schedule whose peak is 1.
 *
 * With distance d, gradient g and way moved x - x₀, over all parameters:
 *
 *     r ← √β₂ r + (1 - √β₂) γ d² ⟨g, x₀ - x⟩    s ← √β₂ s + (1 - √β₂) γ d² g    d ← max(d, r / ‖s‖₁)
 *     m ← β₁ m + (1 - β₁) d g    v ← β₂ v + (1 - β₂) d² g²    x ← x (1 - γ d λ) - γ d m / (√v + d ε)
 *
 * @example optim.prodigy({ learningRate: optim.cosine({ peak: 1 }), weightDecay: 0.1 })
 */
export function prodigy({
  learningRate = 1,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
  weightDecay = 0,
  initialDistance = 1e-6,
  decay = matricesOnly,
  clipNorm,
}: ProdigyOptions = {}): Optimizer {
  checkOptions('prodigy', {
    beta1: [beta1, ranges.decay],
    beta2: [beta2, ranges.decay],
    epsilon: [epsilon, ranges.positive],
    weightDecay: [weightDecay, ranges.notNegative],
    initialDistance: [initialDistance, ranges.positive],
    clipNorm: [clipNorm, ranges.positive],
  })
  const memory = Math.sqrt(beta2)
  const average = (old: AnyTensor, value: AnyTensor, share: number): AnyTensor =>
    add(multiply(old, share), multiply(value, 1 - share)) as AnyTensor
  // State begins at zero, the distance doesn't.
  const distanceOf = ({ distance }: Readonly<Record<string, AnyTensor>>): AnyTensor =>
    maximum(distance, initialDistance) as AnyTensor
  const weightOf = (distance: AnyTensor, rate: AnyTensor): AnyTensor => multiply(square(distance), rate) as AnyTensor
  const nextSum = (gradientSum: AnyTensor, gradient: AnyTensor, weight: AnyTensor): AnyTensor =>
    average(gradientSum, multiply(gradient, weight) as AnyTensor, memory)

  const updateShared = ({ parameters, shared, learningRate: rate }: SharedContext): Record<string, AnyTensor> => {
    const distance = distanceOf(shared)
    const weight = weightOf(distance, rate)
    const total = (terms: readonly AnyTensor[]): AnyTensor => terms.reduce((left, right) => add(left, right) as AnyTensor, scalar(0, 'f32') as AnyTensor) // prettier-ignore
    const towards = total(parameters.map(({ gradient, slots }) => sum(multiply(gradient, slots.moved) as AnyTensor) as AnyTensor)) // prettier-ignore
    const numerator = subtract(
      multiply(shared.numerator, memory),
      multiply(multiply(towards, weight), 1 - memory),
    ) as AnyTensor
    const norm = total(parameters.map(({ gradient, slots }) => sum(abs(nextSum(slots.gradientSum, gradient, weight))) as AnyTensor)) // prettier-ignore
    return { numerator, distance: maximum(distance, divide(numerator, maximum(norm, 1e-30)) as AnyTensor) as AnyTensor }
  }

  return {
    kind: 'prodigy',
    settings: { beta1, beta2, epsilon, weightDecay, initialDistance },
    learningRate: asSchedule('prodigy', learningRate),
    clipNorm,
    decay,
    slots: ['mean', 'variance', 'gradientSum', 'moved'],
    fullBatch: false,
    shared: { names: ['numerator', 'distance'], update: updateShared },
    update: ({ parameter, gradient, slots, learningRate: rate, decays, shared }) => {
      const distance = distanceOf(shared)
      const scaled = multiply(gradient, distance) as AnyTensor
      const mean = average(slots.mean, scaled, beta1)
      const variance = average(slots.variance, square(scaled) as AnyTensor, beta2)
      const gradientSum = nextSum(slots.gradientSum, gradient, weightOf(distance, rate))
      const length = multiply(rate, distance) as AnyTensor
      const step = divide(
        multiply(mean, length),
        add(sqrt(variance), multiply(distance, epsilon) as AnyTensor),
      ) as AnyTensor
      const decayed = decays && weightDecay !== 0 ? multiply(parameter, multiply(length, weightDecay)) : undefined
      const move = decayed === undefined ? step : (add(step, decayed) as AnyTensor)
      const moved = subtract(slots.moved, move) as AnyTensor
      return { parameter: subtract(parameter, move) as AnyTensor, slots: { mean, variance, gradientSum, moved } }
    },
  }
}
