/** Llama's feed-forward part, whose wide layer is gated by another. */
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import type { Shape } from '../../core/shape.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { multiply, silu } from '../../ops/elementwise.js'
import { Module } from '../module.js'
import { Dropout } from './activation.js'
import type { FeedForwardOptions } from './feedForward.js'
import { Linear } from './linear.js'
import { zeros } from '../initializers.js'

export type SwiGLUOptions = Omit<FeedForwardOptions, 'activation'>

/**
 * y = (silu(x G) ⊙ x U) D, f32 [..., width] to [..., width]; no biases unless asked for.
 *
 * `hidden` is by default 8/3 of `width`, up to a multiple of 64: three matrices then have the numbers that two have of
 * four times the width.
 *
 * Source: N. Shazeer, "GLU variants improve transformer", 2020.
 *
 * @example new nn.SwiGLU({ width: 256, hidden: 704 })
 */
export class SwiGLU extends Module {
  readonly gate: Linear
  readonly up: Linear
  readonly down: Linear
  readonly dropout: Dropout

  constructor(options: SwiGLUOptions) {
    super()
    const { width, bias = false, dropout = 0, weightInitializer, outputInitializer = weightInitializer } = options
    checkOptions('SwiGLU', { width: [width, ranges.count], hidden: [options.hidden, ranges.count] })
    const hidden = options.hidden ?? Math.ceil((8 * width) / 3 / 64) * 64
    const linear = { bias, biasInitializer: zeros(), weightInitializer }
    this.gate = new Linear(width, hidden, linear)
    this.up = new Linear(width, hidden, linear)
    this.down = new Linear(hidden, width, { ...linear, weightInitializer: outputInitializer })
    this.dropout = new Dropout(dropout)
  }

  forward(x: AnyTensor): AnyTensor {
    const rows = x as Tensor<Shape, 'f32'>
    const raised = multiply(silu(this.gate.forward(rows)), this.up.forward(rows))
    return this.dropout.forward(this.down.forward(raised as Tensor<Shape, 'f32'>))
  }
}
