/**
 * Schedule-free optimisers: the average of all points takes the place of a schedule that falls, so nobody has to know in
 * advance how long the training is. Gradients are taken between the average x and the fast point z.
 *
 * The parameters of the state are x: validation, checkpoints and whatever uses the model have the averaged point. The slot
 * is z - x, which is zero at the start as all slots are.
 *
 * Source: Defazio et al., "The road less scheduled", 2024, equations 4 to 6 and algorithm 1.
 */
import { checkOptions, ranges } from '../graph/checkOptions.js'
import type { AnyTensor } from '../graph/tensor.js'
import { add, divide, multiply, sqrt, square, subtract } from '../ops/elementwise.js'
import { biasCorrection, type AdamOptions } from './adam.js'
import { matricesOnly, type Optimizer, type OptimizerOptions, type Update, type UpdateContext } from './optimizer.js'
import { asSchedule } from './schedule.js'

export interface ScheduleFreeSgdOptions extends Partial<OptimizerOptions> {
  /** How near to the average gradients are taken: 0 at z, 1 at x. Default 0.9. */
  readonly beta?: number
  readonly weightDecay?: number
}

export type ScheduleFreeAdamwOptions = Partial<AdamOptions>

/** How a step of z is made: from the gradient, the slots and the rate, the way z goes; and the slots after it. */
type Direction = (context: UpdateContext) => { readonly direction: AnyTensor; readonly slots: Readonly<Record<string, AnyTensor>> } // prettier-ignore

/** y = x + (1 - β) (z - x); z ← z - γ (direction + λ y); x ← x + c (z - x), with c = γ² / Σ γ². */
function averaging(
  beta: number,
  weightDecay: number,
  rateOf: (context: Pick<UpdateContext, 'learningRate' | 'step'>) => AnyTensor,
  directionOf: Direction,
): Pick<Optimizer, 'gradientPoint' | 'shared' | 'update'> {
  const gradientPoint: NonNullable<Optimizer['gradientPoint']> = ({ parameter, slots }) =>
    add(parameter, multiply(slots.ahead, 1 - beta)) as AnyTensor
  return {
    gradientPoint,
    shared: {
      names: ['weightSum'],
      update: (context) => ({ weightSum: add(context.shared.weightSum, square(rateOf(context))) as AnyTensor }),
    },
    update: (context): Update => {
      const { parameter, slots, decays, sharedAfter } = context
      const rate = rateOf(context)
      const { direction, slots: after } = directionOf(context)
      const decayed =
        decays && weightDecay !== 0 ? add(direction, multiply(gradientPoint(context), weightDecay)) : direction
      const ahead = subtract(slots.ahead, multiply(decayed, rate) as AnyTensor) as AnyTensor
      const share = divide(square(rate), sharedAfter.weightSum) as AnyTensor
      return {
        parameter: add(parameter, multiply(ahead, share)) as AnyTensor,
        slots: { ...after, ahead: multiply(ahead, subtract(1, share)) as AnyTensor },
      }
    },
  }
}

/**
 * Schedule-free SGD. Its rate is constant but for a warm-up, and larger than one that falls would be.
 *
 * @example optim.scheduleFreeSgd({ learningRate: optim.constant(1, { warmup: 100 }) })
 */
export function scheduleFreeSgd({
  learningRate = 1,
  beta = 0.9,
  weightDecay = 0,
  decay = matricesOnly,
  clipNorm,
}: ScheduleFreeSgdOptions = {}): Optimizer {
  checkOptions('scheduleFreeSgd', {
    beta: [beta, ranges.decay],
    weightDecay: [weightDecay, ranges.notNegative],
    clipNorm: [clipNorm, ranges.positive],
  })
  return {
    kind: 'scheduleFreeSgd',
    settings: { beta, weightDecay },
    learningRate: asSchedule('scheduleFreeSgd', learningRate),
    clipNorm,
    decay,
    slots: ['ahead'],
    fullBatch: false,
    ...averaging(
      beta,
      weightDecay,
      ({ learningRate: rate }) => rate,
      ({ gradient }) => ({ direction: gradient, slots: {} }),
    ),
  }
}

/**
 * Schedule-free AdamW: γ_t = γ √(1 - β₂ᵗ), direction g / (√v + ε); β₁ is how near to the average gradients are taken.
 *
 * @example optim.scheduleFreeAdamw({ learningRate: optim.constant(2.5e-3, { warmup: 100 }), weightDecay: 0.1 })
 */
export function scheduleFreeAdamw({
  learningRate = 2.5e-3,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
  weightDecay = 0.01,
  decay = matricesOnly,
  clipNorm,
}: ScheduleFreeAdamwOptions = {}): Optimizer {
  checkOptions('scheduleFreeAdamw', {
    beta1: [beta1, ranges.decay],
    beta2: [beta2, ranges.decay],
    epsilon: [epsilon, ranges.positive],
    weightDecay: [weightDecay, ranges.notNegative],
    clipNorm: [clipNorm, ranges.positive],
  })
  const directionOf: Direction = ({ gradient, slots }) => {
    const variance = add(multiply(slots.variance, beta2), multiply(square(gradient), 1 - beta2)) as AnyTensor
    return { direction: divide(gradient, add(sqrt(variance), epsilon)) as AnyTensor, slots: { variance } }
  }
  return {
    kind: 'scheduleFreeAdamw',
    settings: { beta1, beta2, epsilon, weightDecay },
    learningRate: asSchedule('scheduleFreeAdamw', learningRate),
    clipNorm,
    decay,
    slots: ['ahead', 'variance'],
    fullBatch: false,
    ...averaging(
      beta1,
      weightDecay,
      ({ learningRate: rate, step }) => multiply(rate, sqrt(biasCorrection(beta2, step))) as AnyTensor,
      directionOf,
    ),
  }
}
