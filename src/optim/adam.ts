/** Optimisers that scale each element's step by what its gradients have been: Adam, AdamW, Lion. */
import type { AnyTensor } from '../graph/tensor.js'
import { checkOptions, ranges } from '../graph/checkOptions.js'
import { adamUpdate } from '../ops/composites/adam.js'
import { scalar } from '../ops/lift.js'
import { add, expm1, multiply, negate, sign, subtract } from '../ops/elementwise.js'
import { matricesOnly, type Optimizer, type OptimizerOptions } from './optimizer.js'
import { asSchedule } from './schedule.js'

export interface AdamOptions extends OptimizerOptions {
  /** Decay of the mean of gradients. Default 0.9. */
  readonly beta1?: number
  /** Decay of the mean of squared gradients. Default 0.999. */
  readonly beta2?: number
  readonly epsilon?: number
  readonly weightDecay?: number
}

/** 1 - βᵗ, as -expm1(t log β): the subtraction of two nearly equal numbers would cost half the digits. */
export function biasCorrection(beta: number, step: AnyTensor): AnyTensor {
  return negate(expm1(multiply(step, Math.log(beta))))
}

function adamFamily(kind: 'adam' | 'adamw', defaultDecay: number, options: AdamOptions): Optimizer {
  const {
    learningRate,
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    weightDecay = defaultDecay,
    decay = matricesOnly,
    clipNorm,
  } = options
  checkOptions(kind, {
    beta1: [beta1, ranges.decay],
    beta2: [beta2, ranges.decay],
    epsilon: [epsilon, ranges.positive],
    weightDecay: [weightDecay, ranges.notNegative],
    clipNorm: [clipNorm, ranges.positive],
  })
  return {
    kind,
    settings: { beta1, beta2, epsilon, weightDecay },
    learningRate: asSchedule(kind, learningRate),
    clipNorm,
    decay,
    slots: ['mean', 'variance'],
    fullBatch: false,
    update: ({ parameter, gradient, slots, learningRate: rate, step, decays }) => {
      const applies = decays && weightDecay !== 0
      const kept = applies && kind === 'adamw' ? subtract(1, multiply(rate, weightDecay)) : scalar(1, 'f32')
      const coupledDecay = applies && kind === 'adam' ? weightDecay : 0
      const { mean, variance } = slots
      const [meanCorrection, varianceCorrection] = [biasCorrection(beta1, step), biasCorrection(beta2, step)]
      const operands = {
        parameter,
        gradient,
        mean,
        variance,
        kept,
        learningRate: rate,
        meanCorrection,
        varianceCorrection,
      }
      const next = adamUpdate(operands, { beta1, beta2, epsilon, coupledDecay })
      return { parameter: next.parameter, slots: { mean: next.mean, variance: next.variance } }
    },
  }
}

/** Adam; weight decay, if any, is added to the gradient. Source: Kingma, Ba, "Adam", 2014. */
export function adam(options: AdamOptions): Optimizer {
  return adamFamily('adam', 0, options)
}

/**
 * Adam with weight decay apart from the gradient: p = p (1 - η λ) - η direction.
 * Source: Loshchilov, Hutter, "Decoupled weight decay regularization", 2017.
 *
 * @example optim.adamw({ learningRate: optim.cosine({ peak: 1e-3, warmup: 100 }), weightDecay: 0.1 })
 */
export function adamw(options: AdamOptions): Optimizer {
  return adamFamily('adamw', 0.01, options)
}

export interface LionOptions extends OptimizerOptions {
  readonly beta1?: number
  readonly beta2?: number
  readonly weightDecay?: number
}

/**
 * Steps of one size: p = p (1 - η λ) - η sign(β₁ m + (1 - β₁) g); m = β₂ m + (1 - β₂) g.
 * Source: Chen et al., "Symbolic discovery of optimization algorithms", 2023.
 */
export function lion({
  learningRate,
  beta1 = 0.9,
  beta2 = 0.99,
  weightDecay = 0,
  decay = matricesOnly,
  clipNorm,
}: LionOptions): Optimizer {
  checkOptions('lion', {
    beta1: [beta1, ranges.decay],
    beta2: [beta2, ranges.decay],
    weightDecay: [weightDecay, ranges.notNegative],
    clipNorm: [clipNorm, ranges.positive],
  })
  return {
    kind: 'lion',
    settings: { beta1, beta2, weightDecay },
    learningRate: asSchedule('lion', learningRate),
    clipNorm,
    decay,
    slots: ['mean'],
    fullBatch: false,
    update: ({ parameter, gradient, slots, learningRate: rate, decays }) => {
      const direction = sign(add(multiply(slots.mean, beta1), multiply(gradient, 1 - beta1)))
      const mean = add(multiply(slots.mean, beta2), multiply(gradient, 1 - beta2))
      const kept: AnyTensor =
        decays && weightDecay !== 0 ? multiply(parameter, subtract(1, multiply(rate, weightDecay))) : parameter
      return { parameter: subtract(kept, multiply(direction, rate)), slots: { mean } }
    },
  }
}
