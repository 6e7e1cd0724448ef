/**
 * `Tensor`: what users hold while a function is traced. It stands for a value of the graph; its methods (put in place
 * by `ops/methods.ts`) add nodes. There are no numbers in it.
 *
 * The type carries the shape where it is known: `Tensor<[number, 784], 'f32'>`. An unknown size is `number`, an unknown
 * rank is the default `Shape`.
 */
import type { DType } from '../core/dtype.js'
import { TalwegError } from '../core/errors.js'
import { formatType, type Shape, type TensorType } from '../core/shape.js'
import type { Value } from './graph.js'

// eslint-disable-next-line typescript/no-unsafe-declaration-merging -- ops/methods.ts adds the methods
export class Tensor<S extends Shape = Shape, D extends DType = DType> {
  /** Only for the compiler: makes tensors of other shapes and element types other types. */
  declare readonly shapeBrand: S
  declare readonly dtypeBrand: D
  readonly #value: Value | undefined

  constructor(value: Value | undefined) {
    this.#value = value
  }

  /** The graph's value. A parameter of a module overrides this to look itself up in the current trace. */
  get value(): Value {
    if (this.#value === undefined) {
      throw new TalwegError({ code: 'TRACE_MISUSE', operation: 'Tensor', problem: 'this tensor stands for nothing' })
    }
    return this.#value
  }

  get type(): TensorType {
    return this.value.type
  }

  get shape(): S {
    return this.type.shape as S
  }

  get dtype(): D {
    return this.type.dtype as D
  }

  get rank(): number {
    return this.type.shape.length
  }

  toString(): string {
    return `Tensor ${formatType(this.type)}`
  }
}

export type AnyTensor = Tensor<Shape, DType>

export function isTensor(value: unknown): value is AnyTensor {
  return value instanceof Tensor
}
