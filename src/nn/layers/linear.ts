/** Affine layers and tables. */
import type { Shape } from '../../core/shape.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { add } from '../../ops/elementwise.js'
import { takeRows } from '../../ops/indexing.js'
import { matmul } from '../../ops/products.js'
import { fanInUniform, normal, type Initializer } from '../initializers.js'
import { Module } from '../module.js'
import type { LowRankAdapter } from '../tuning/lora.js'
import { Parameter } from '../parameter.js'

export interface LinearOptions {
  readonly bias?: boolean
  readonly weightInitializer?: Initializer
  readonly biasInitializer?: Initializer
}

/**
 * y = x W + b, along the last dimension.
 *
 * `weight` is [inputs, outputs] (PyTorch's is its transpose), so that its type meets x's: a `Tensor<[number, 784]>`
 * goes through `Linear<784, 10>` and no other.
 */
export class Linear<In extends number = number, Out extends number = number> extends Module {
  readonly weight: Parameter<readonly [In, Out]>
  readonly bias: Parameter<readonly [Out]> | undefined
  /** What `lora` puts beside the weight. */
  adapter: LowRankAdapter | undefined

  constructor(numInputs: In, numOutputs: Out, { bias = true, weightInitializer, biasInitializer }: LinearOptions = {}) {
    super()
    checkOptions('Linear', { numInputs: [numInputs, ranges.count], numOutputs: [numOutputs, ranges.count] })
    const initializer = fanInUniform(numInputs)
    this.weight = new Parameter([numInputs, numOutputs] as const, { initializer: weightInitializer ?? initializer })
    this.bias = bias ? new Parameter([numOutputs] as const, { initializer: biasInitializer ?? initializer }) : undefined
  }

  /** x [..., inputs] to [..., outputs]. */
  forward<S extends Shape>(x: Tensor<S, 'f32'> & CheckLast<S, In>): Tensor<ReplaceLast<S, Out>, 'f32'> {
    const product: AnyTensor = matmul(x as AnyTensor, this.weight as AnyTensor)
    const result = this.bias === undefined ? product : (add(product, this.bias as AnyTensor) as AnyTensor)
    const { adapter } = this
    return (adapter === undefined ? result : add(result, adapter.forward(x))) as Tensor<ReplaceLast<S, Out>, 'f32'>
  }
}

/** `unknown` where the last size of `S` may be `Size`. */
type CheckLast<S extends Shape, Size extends number> = S extends readonly [...Shape, infer Last extends number]
  ? number extends Last
    ? unknown
    : number extends Size
      ? unknown
      : Last extends Size
        ? unknown
        : { readonly error: `the last size is ${Last}, and the layer takes ${Size}` }
  : unknown

type ReplaceLast<S extends Shape, Size extends number> = number extends S['length']
  ? Shape
  : S extends readonly [...infer Rest extends Shape, number]
    ? readonly [...Rest, Size]
    : Shape

/** A table of vectors: `i32` indices [...] to [..., width]. An index out of range takes the nearest row. */
export class Embedding extends Module {
  readonly weight: Parameter

  constructor(
    numEmbeddings: number,
    width: number,
    { initializer = normal(1) }: { readonly initializer?: Initializer } = {},
  ) {
    super()
    checkOptions('Embedding', { numEmbeddings: [numEmbeddings, ranges.count], width: [width, ranges.count] })
    this.weight = new Parameter<Shape>([numEmbeddings, width], { initializer })
  }

  forward(indices: Tensor<Shape, 'i32'>): Tensor<Shape, 'f32'> {
    return takeRows(this.weight, indices)
  }
}
