/** The multilayer perceptron: linear layers with an activation between them. */
import type { Shape } from '../../core/shape.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { activations, Dropout, type ActivationName } from '../layers/activation.js'
import { Linear } from '../layers/linear.js'
import { Module } from '../module.js'

export interface MLPOptions {
  readonly inputs: number
  /** Widths of the hidden layers. */
  readonly hidden: readonly number[]
  readonly outputs: number
  readonly activation?: ActivationName
  /** Rate of dropout after each activation. */
  readonly dropout?: number
}

/** @example new nn.MLP({ inputs: 784, hidden: [512, 256], outputs: 10 }) */
export class MLP extends Module {
  readonly layers: readonly Linear[]
  readonly dropout: Dropout
  readonly activation: ActivationName

  constructor({ inputs, hidden, outputs, activation = 'relu', dropout = 0 }: MLPOptions) {
    super()
    checkOptions('MLP', {
      inputs: [inputs, ranges.count],
      ...Object.fromEntries(hidden.map((width, index) => [`hidden[${index}]`, [width, ranges.count]])),
      outputs: [outputs, ranges.count],
      dropout: [dropout, ranges.share],
    })
    const widths = [inputs, ...hidden, outputs]
    this.layers = widths.slice(1).map((width, index) => new Linear(widths[index], width))
    this.dropout = new Dropout(dropout)
    this.activation = activation
  }

  /** f32 [..., inputs] to [..., outputs]. */
  forward(x: AnyTensor): Tensor<Shape, 'f32'> {
    const last = this.layers.length - 1
    let hidden = x
    for (const [index, layer] of this.layers.entries()) {
      const linear = layer.forward(hidden as Tensor<Shape, 'f32'>)
      hidden = index === last ? linear : this.dropout.forward(activations[this.activation](linear))
    }
    return hidden as Tensor<Shape, 'f32'>
  }
}
