/**
 * Shapes in types, checked by the compiler alone (`npm run check`, and `messages.test.ts`): nothing here is ever run.
 * Each `@ts-expect-error` is a product or a sum that must not compile.
 */
import type { DType, Shape, Tensor } from '../../src/index.js'
import { ops } from '../../src/index.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** A tensor's shape and element type; whether a tuple may be written to is of no interest. */
type Parts<T> = T extends Tensor<infer S, infer D> ? readonly [readonly [...S], D] : never

/** Compiles only where the tensor's type is exactly that. */
declare function is<S extends Shape, D extends DType>(): <Given>(
  tensor: Given & (Same<Parts<Given>, readonly [readonly [...S], D]> extends true ? unknown : never),
) => void

declare const images: Tensor<[number, 784]>
declare const weight: Tensor<[784, 10]>
declare const bias: Tensor<[10]>
declare const square: Tensor<[784, 784]>
declare const wide: Tensor<[512, 10]>
declare const heads: Tensor<[2, 3, 4, 8]>
declare const headWeight: Tensor<[8, 5]>
declare const vector: Tensor<[784]>
declare const column: Tensor<[784, 1]>
declare const unknownRank: Tensor
declare const unknownSizes: Tensor<[number, number]>
declare const halves: Tensor<[number, 784], 'bf16'>
declare const tokens: Tensor<[8, 64], 'i32'>

export function products(): void {
  // @ts-expect-error and this is how a wrong expectation is found
  is<[number, 10], DType>()(images)

  is<[number, 10], DType>()(ops.matmul(images, weight))
  is<[number, 10], DType>()(images.matmul(weight))
  is<[2, 3, 4, 5], DType>()(heads.matmul(headWeight))
  is<[number], DType>()(images.matmul(vector))
  is<[10], DType>()(vector.matmul(weight))
  is<[number, 10], DType>()(unknownSizes.matmul(weight))
  is<Shape, DType>()(unknownRank.matmul(weight))
  is<Shape, DType>()(weight.matmul(unknownRank))

  // @ts-expect-error inner dimensions differ: 784 and 512
  ops.matmul(images, wide)
  // @ts-expect-error inner dimensions differ: 784 and 512
  images.matmul(wide)
  // @ts-expect-error inner dimensions differ: 10 and 784
  weight.matmul(square)
  // @ts-expect-error inner dimensions differ: 8 and 784
  heads.matmul(weight)
  // @ts-expect-error inner dimensions differ: 10 and 784
  weight.matmul(vector)
  // @ts-expect-error what a product gives is known too: 10 and 784
  images.matmul(weight).matmul(square)
}

export function sums(): void {
  is<[number, 10], DType>()(images.matmul(weight).add(bias))
  is<[number, 784], DType>()(images.multiply(2))
  is<[784, 784], DType>()(column.add(vector))
  is<[number, 784], 'bool'>()(images.less(0.5))
  is<[number, 784], 'bool'>()(ops.less(images, vector))
  is<Shape, DType>()(images.add(unknownRank))

  // @ts-expect-error sizes differ: 784 and 10
  images.add(bias)
  // @ts-expect-error sizes differ: 784 and 10
  ops.subtract(square, wide)
  // @ts-expect-error sizes differ: 784 and 10
  images.less(bias)
}

export function elementTypes(): void {
  is<[number, 784], 'f32'>()(images.convert('f32'))
  is<[number, 784], 'bf16'>()(halves.tanh())

  // @ts-expect-error bf16 is not i32
  halves.add(tokens)
  // @ts-expect-error indices are i32
  unknownRank.takeRows(halves)
  // @ts-expect-error there is no such element type
  images.convert('f16')
}

export function shapes(): void {
  is<[28, 28], DType>()(vector.reshape([28, 28]))
  is<[3, 4], 'f32'>()(ops.zeros([3, 4]))
  is<[3], 'i32'>()(ops.zeros([3], 'i32'))

  // @ts-expect-error a reshaped tensor is of another type
  vector.reshape([28, 28]).matmul(vector)
  // @ts-expect-error a shape is a list of numbers
  vector.reshape(['28', 28])
}
