/** Gradient descent: full-batch, stochastic, with momentum. */
import type { AnyTensor } from '../graph/tensor.js'
import { checkOptions, ranges } from '../graph/checkOptions.js'
import { add, multiply, subtract } from '../ops/elementwise.js'
import { matricesOnly, type Optimizer, type OptimizerOptions, type Update } from './optimizer.js'
import { asSchedule } from './schedule.js'

export interface SgdOptions extends OptimizerOptions {
  readonly momentum?: number
  /** Nesterov's form: the gradient is followed as if the momentum had been already. */
  readonly nesterov?: boolean
  /** Added to the gradient as weightDecay * parameter. */
  readonly weightDecay?: number
}

/**
 * Stochastic gradient descent: v = μ v + g; p = p - η v, or with Nesterov p = p - η (g + μ v). As in PyTorch, v starts
 * as the first gradient. Source: Sutskever et al., "On the importance of initialization and momentum", 2013.
 *
 * @example optim.sgd({ learningRate: 0.1, momentum: 0.9 })
 */
export function sgd(options: SgdOptions): Optimizer {
  return descent('sgd', options)
}

function descent(
  kind: 'sgd' | 'gradientDescent',
  { learningRate, momentum = 0, nesterov = false, weightDecay = 0, decay = matricesOnly, clipNorm }: SgdOptions,
): Optimizer {
  checkOptions(kind, {
    momentum: [momentum, ranges.decay],
    weightDecay: [weightDecay, ranges.notNegative],
    clipNorm: [clipNorm, ranges.positive],
  })
  return {
    kind,
    settings: { momentum, nesterov, weightDecay },
    learningRate: asSchedule(kind, learningRate),
    clipNorm,
    decay,
    slots: momentum === 0 ? [] : ['velocity'],
    fullBatch: kind === 'gradientDescent',
    update: ({ parameter, gradient, slots, learningRate: rate, decays }): Update => {
      const decayed: AnyTensor =
        decays && weightDecay !== 0 ? add(gradient, multiply(parameter, weightDecay)) : gradient
      if (momentum === 0) return { parameter: subtract(parameter, multiply(decayed, rate)), slots: {} }
      const velocity = add(multiply(slots.velocity, momentum), decayed)
      const direction: AnyTensor = nesterov ? add(decayed, multiply(velocity, momentum)) : velocity
      return { parameter: subtract(parameter, multiply(direction, rate)), slots: { velocity } }
    },
  }
}

export type GradientDescentOptions = Pick<SgdOptions, 'learningRate' | 'weightDecay' | 'decay' | 'clipNorm'>

/** Gradient descent as the textbook has it: every step sees all the data. p = p - η g. */
export function gradientDescent(options: GradientDescentOptions): Optimizer {
  return descent('gradientDescent', options)
}
