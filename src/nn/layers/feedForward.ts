/** The transformer's feed-forward part: raise to a wider layer, activate, and back. */
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import type { Shape } from '../../core/shape.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { zeros, type Initializer } from '../initializers.js'
import { Module } from '../module.js'
import { activations, Dropout, type ActivationName } from './activation.js'
import { Linear } from './linear.js'

export interface FeedForwardOptions {
  readonly width: number
  /** Width between the two layers; four times `width` by default. */
  readonly hidden?: number
  readonly activation?: ActivationName
  readonly bias?: boolean
  /** Rate at which elements of the result are dropped while training. */
  readonly dropout?: number
  readonly weightInitializer?: Initializer
  /** Of the layer back, which ends in a residual stream. */
  readonly outputInitializer?: Initializer
}

/**
 * y = activation(x U + a) D + b, f32 [..., width] to [..., width].
 *
 * Source: Vaswani et al., "Attention is all you need", 2017, section 3.3, with ReLU; GPT-2 and BERT have GELU.
 *
 * @example new nn.FeedForward({ width: 256, activation: 'geluTanh', dropout: 0.1 })
 */
export class FeedForward extends Module {
  readonly up: Linear
  readonly down: Linear
  readonly dropout: Dropout
  readonly activation: ActivationName

  constructor(options: FeedForwardOptions) {
    super()
    const { width, hidden = 4 * width, activation = 'gelu', bias, dropout = 0, weightInitializer } = options
    checkOptions('FeedForward', { width: [width, ranges.count], hidden: [hidden, ranges.count] })
    const linear = { bias, biasInitializer: zeros() }
    const { outputInitializer = weightInitializer } = options
    this.up = new Linear(width, hidden, { ...linear, weightInitializer })
    this.down = new Linear(hidden, width, { ...linear, weightInitializer: outputInitializer })
    this.dropout = new Dropout(dropout)
    this.activation = activation
  }

  forward(x: AnyTensor): AnyTensor {
    const raised = activations[this.activation](this.up.forward(x as Tensor<Shape, 'f32'>))
    return this.dropout.forward(this.down.forward(raised as Tensor<Shape, 'f32'>))
  }
}
