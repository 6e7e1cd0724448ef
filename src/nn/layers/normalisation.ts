/** Normalising layers. */
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { numElements, type Shape } from '../../core/shape.js'
import { batchNorm, layerNorm, rmsNorm } from '../../ops/composites/normalisation.js'
import { add, multiply, rsqrt, subtract } from '../../ops/elementwise.js'
import { stopGradient } from '../../ops/structure.js'
import { ones, zeros, type Initializer } from '../initializers.js'
import { Module } from '../module.js'
import { isTraining, Parameter, updateParameter } from '../parameter.js'

type FloatTensor = Tensor<Shape, 'f32'>

/** Each vector of the last dimension to mean 0 and variance 1, then scaled and shifted. */
export class LayerNorm extends Module {
  readonly weight: Parameter
  readonly bias: Parameter

  constructor(
    width: number,
    readonly epsilon = 1e-5,
  ) {
    super()
    checkOptions('LayerNorm', { width: [width, ranges.count], epsilon: [epsilon, ranges.notNegative] })
    this.weight = new Parameter<Shape>([width], { initializer: ones() })
    this.bias = new Parameter<Shape>([width], { initializer: zeros() })
  }

  forward(x: AnyTensor): FloatTensor {
    return layerNorm(x, this.weight, this.bias, this.epsilon) as FloatTensor
  }
}

/** Each vector of the last dimension to mean square 1, then scaled. */
export class RMSNorm extends Module {
  readonly weight: Parameter

  constructor(
    width: number,
    readonly epsilon = 1e-6,
  ) {
    super()
    checkOptions('RMSNorm', { width: [width, ranges.count], epsilon: [epsilon, ranges.notNegative] })
    this.weight = new Parameter<Shape>([width], { initializer: ones() })
  }

  forward(x: AnyTensor): FloatTensor {
    return rmsNorm(x, this.weight, this.epsilon) as FloatTensor
  }
}

export interface BatchNormOptions {
  readonly epsilon?: number
  /** Share of the newest batch in the running statistics. */
  readonly momentum?: number
  /** Ones by default. */
  readonly weightInitializer?: Initializer
}

/**
 * Each channel (the last dimension) to mean 0 and variance 1 over everything else. While training by the batch's own
 * statistics, which also move the running ones; afterwards by those. As in PyTorch, the running variance is the
 * unbiased one (divided by n - 1), the one used in training is not.
 */
export class BatchNorm extends Module {
  readonly weight: Parameter
  readonly bias: Parameter
  readonly runningMean: Parameter
  readonly runningVariance: Parameter
  readonly epsilon: number
  readonly momentum: number

  constructor(
    numChannels: number,
    { epsilon = 1e-5, momentum = 0.1, weightInitializer = ones() }: BatchNormOptions = {},
  ) {
    super()
    checkOptions('BatchNorm', {
      numChannels: [numChannels, ranges.count],
      epsilon: [epsilon, ranges.notNegative],
      momentum: [momentum, ranges.share],
    })
    this.weight = new Parameter<Shape>([numChannels], { initializer: weightInitializer })
    this.bias = new Parameter<Shape>([numChannels], { initializer: zeros() })
    this.runningMean = new Parameter<Shape>([numChannels], { initializer: zeros(), trainable: false })
    this.runningVariance = new Parameter<Shape>([numChannels], { initializer: ones(), trainable: false })
    this.epsilon = epsilon
    this.momentum = momentum
  }

  forward(x: AnyTensor): FloatTensor {
    if (!isTraining()) return this.byRunningStatistics(x)
    const { output, mean, variance } = batchNorm(x, this.weight, this.bias, this.epsilon)
    const count = numElements(x.shape.slice(0, -1))
    this.move(this.runningMean, mean)
    this.move(this.runningVariance, multiply(variance, count / Math.max(count - 1, 1)))
    return output as FloatTensor
  }

  private byRunningStatistics(x: AnyTensor): FloatTensor {
    const scale = multiply(this.weight as AnyTensor, rsqrt(add(this.runningVariance as AnyTensor, this.epsilon)))
    return add(
      multiply(subtract(x, this.runningMean as AnyTensor), scale),
      this.bias as AnyTensor,
    ) as AnyTensor as FloatTensor
  }

  private move(running: Parameter, current: AnyTensor): void {
    const kept = multiply(running as AnyTensor, 1 - this.momentum)
    updateParameter(running, add(kept, multiply(stopGradient(current), this.momentum)))
  }
}
