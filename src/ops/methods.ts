/**
 * The methods of `Tensor`: one table, so that what `x.` offers can be read in one place. Each is the function of the
 * same name with the tensor as its first argument; methods that types can check more closely are declared so.
 */
import type { DType } from '../core/dtype.js'
import type { Shape } from '../core/shape.js'
import { Tensor, type AnyTensor } from '../graph/tensor.js'
import * as elementwise from './elementwise.js'
import * as indexing from './indexing.js'
import * as movement from './movement.js'
import * as products from './products.js'
import * as reductions from './reductions.js'
import type { Dims, ReduceOptions } from './reductions.js'
import { softmax } from './composites/softmax.js'
import type { Broadcast, CheckBroadcast, CheckMatmul, Matmul, Operand, ShapeOf } from './types.js'

declare module '../graph/tensor.js' {
  interface Tensor<S extends Shape = Shape, D extends DType = DType> {
    add<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, D>
    subtract<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, D>
    multiply<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, D>
    divide<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, D>
    power<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, D>
    maximum<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, D>
    minimum<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, D>
    equal<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, 'bool'>
    less<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, 'bool'>
    greater<B extends Operand<D>>(other: B & CheckBroadcast<S, B>): Tensor<Broadcast<S, ShapeOf<B>>, 'bool'>
    matmul<B extends Tensor<Shape, D>>(right: B & CheckMatmul<S, B>): Tensor<Matmul<S, ShapeOf<B>>, D>
    negate(): Tensor<S, D>
    abs(): Tensor<S, D>
    exp(): Tensor<S, D>
    log(): Tensor<S, D>
    sqrt(): Tensor<S, D>
    square(): Tensor<S, D>
    tanh(): Tensor<S, D>
    sigmoid(): Tensor<S, D>
    relu(): Tensor<S, D>
    softmax(): Tensor<S, D>
    convert<E extends DType>(dtype: E): Tensor<S, E>
    sum(dims?: Dims, options?: ReduceOptions): Tensor<Shape, D>
    mean(dims?: Dims, options?: ReduceOptions): Tensor<Shape, D>
    max(dims?: Dims, options?: ReduceOptions): Tensor<Shape, D>
    min(dims?: Dims, options?: ReduceOptions): Tensor<Shape, D>
    argmax(dim?: number): Tensor<Shape, 'i32'>
    reshape<const R extends Shape>(shape: R): ReturnType<typeof movement.reshape<R, D>>
    transpose(permutation?: readonly number[]): Tensor<Shape, D>
    swapDims(first: number, second: number): Tensor<Shape, D>
    flatten(from?: number): Tensor<Shape, D>
    expandDim(dim: number): Tensor<Shape, D>
    squeezeDim(dim: number): Tensor<Shape, D>
    split(numParts: number, dim?: number): Tensor<Shape, D>[]
    broadcastTo<const R extends Shape>(shape: R): Tensor<R, D>
    takeRows(indices: Tensor<Shape, 'i32'>): Tensor<Shape, D>
  }
}

type Method = (self: AnyTensor, ...rest: never[]) => unknown

const { add, subtract, multiply, divide, power, maximum, minimum, equal, less, greater } = elementwise
const { negate, abs, exp, log, sqrt, square, tanh, sigmoid, relu, convert } = elementwise
const { sum, mean, max, min, argmax } = reductions
const { reshape, transpose, swapDims, flatten, expandDim, squeezeDim, split, broadcastTo } = movement

const methods = {
  add, subtract, multiply, divide, power, maximum, minimum, equal, less, greater,
  matmul: products.matmul,
  negate, abs, exp, log, sqrt, square, tanh, sigmoid, relu, softmax, convert,
  sum, mean, max, min, argmax,
  reshape, transpose, swapDims, flatten, expandDim, squeezeDim, split, broadcastTo,
  takeRows: indexing.takeRows,
} // prettier-ignore

for (const [name, method] of Object.entries(methods) as [string, Method][]) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: AnyTensor, ...rest: never[]) {
      return method(this, ...rest)
    },
    configurable: true,
    writable: true,
  })
}
