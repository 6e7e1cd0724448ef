/** Layers one after another. */
import type { AnyTensor } from '../graph/tensor.js'
import { Module } from './module.js'

export type Layer = (Module & { forward(x: AnyTensor): AnyTensor }) | ((x: AnyTensor) => AnyTensor)

/**
 * Each layer's result is the next one's operand; plain functions may stand between modules.
 *
 * @example new nn.Sequential(new nn.Conv2d(1, 16, 3), ops.relu, new nn.MaxPool2d(2))
 */
export class Sequential extends Module {
  readonly layers: readonly Layer[]

  constructor(...layers: Layer[]) {
    super()
    this.layers = layers
  }

  forward(x: AnyTensor): AnyTensor {
    return this.layers.reduce((value, layer) => (typeof layer === 'function' ? layer(value) : layer.forward(value)), x)
  }
}
