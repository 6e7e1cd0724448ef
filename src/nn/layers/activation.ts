/** Dropout, and activations by name. */
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import type { AnyTensor } from '../../graph/tensor.js'
import { gelu } from '../../ops/composites/gelu.js'
import { relu, sigmoid, silu, tanh } from '../../ops/elementwise.js'
import { dropout } from '../../ops/random.js'
import { Module } from '../module.js'
import { isTraining } from '../parameter.js'

export const activations = {
  relu: (x) => relu(x),
  gelu: (x) => gelu(x),
  /** GPT-2's approximation. */
  geluTanh: (x) => gelu(x, 'tanh'),
  silu: (x) => silu(x),
  tanh: (x) => tanh(x),
  sigmoid: (x) => sigmoid(x),
  identity: (x) => x,
} as const satisfies { readonly [name: string]: (x: AnyTensor) => AnyTensor }

export type ActivationName = keyof typeof activations

/** While training, zeroes each element with probability `rate` and scales the rest up; otherwise does nothing. */
export class Dropout extends Module {
  constructor(readonly rate: number) {
    super()
    checkOptions('Dropout', { rate: [rate, ranges.share] })
  }

  forward(x: AnyTensor): AnyTensor {
    return isTraining() ? dropout(x, this.rate) : x
  }
}
