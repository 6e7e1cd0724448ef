/**
 * Shapes in types: what the compiler can tell about an operation before anything runs.
 *
 * Each rule has two halves: what the result's shape is, and a check that gives `unknown` where the operands fit and
 * `{ error: '…' }` where they can't, to be intersected with the parameter's type, so that the editor shows the reason.
 * A size that isn't known is `number`, and an unknown rank is `Shape`; both pass, and are checked while tracing.
 */
import type { DType } from '../core/dtype.js'
import type { Shape } from '../core/shape.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'

/** What arithmetic takes: a tensor, or a number that becomes a constant of the other operand's element type. */
export type Operand<D extends DType = DType> = Tensor<Shape, D> | number

export type ShapeOf<T> = T extends Tensor<infer S, DType> ? S : readonly []
export type DTypeOf<T> = T extends Tensor<Shape, infer D> ? D : never

type IsUnknownRank<S extends Shape> = number extends S['length'] ? true : false

/** Whether two sizes may be equal as far as types can tell. */
type MayEqual<A extends number, B extends number> = number extends A
  ? true
  : number extends B
    ? true
    : A extends B
      ? true
      : false

type BroadcastSize<A extends number, B extends number> = A extends 1
  ? number extends A
    ? number extends B ? number : B extends 1 ? number : B // prettier-ignore
    : B
  : number extends A
    ? B extends 1 ? number : B // prettier-ignore
    : A

type BroadcastTuples<A extends Shape, B extends Shape> = A extends readonly [
  ...infer RestA extends Shape,
  infer LastA extends number,
]
  ? B extends readonly [...infer RestB extends Shape, infer LastB extends number]
    ? readonly [...BroadcastTuples<RestA, RestB>, BroadcastSize<LastA, LastB>]
    : A
  : B

/** The shape of an elementwise result (NumPy's broadcasting). */
export type Broadcast<A extends Shape, B extends Shape> =
  IsUnknownRank<A> extends true ? Shape : IsUnknownRank<B> extends true ? Shape : BroadcastTuples<A, B>

type SizesClash<A extends number, B extends number> =
  MayEqual<A, B> extends true ? false : A extends 1 ? false : B extends 1 ? false : true

type FindClash<A extends Shape, B extends Shape> = A extends readonly [
  ...infer RestA extends Shape,
  infer LastA extends number,
]
  ? B extends readonly [...infer RestB extends Shape, infer LastB extends number]
    ? SizesClash<LastA, LastB> extends true
      ? { readonly error: `sizes differ: ${LastA} and ${LastB}` }
      : FindClash<RestA, RestB>
    : unknown
  : unknown

/** `unknown` where the operand may be broadcast with `S`. */
export type CheckBroadcast<S extends Shape, Other> = Other extends AnyTensor
  ? IsUnknownRank<S> extends true
    ? unknown
    : IsUnknownRank<ShapeOf<Other>> extends true
      ? unknown
      : FindClash<S, ShapeOf<Other>>
  : unknown

type Last<S extends Shape> = S extends readonly [...Shape, infer L extends number] ? L : number
type SecondLast<S extends Shape> = S extends readonly [...Shape, infer L extends number, number] ? L : S extends readonly [infer Only extends number] ? Only : number // prettier-ignore
type WithoutLast<S extends Shape> = S extends readonly [...infer Rest extends Shape, number] ? Rest : readonly []
type WithoutLastTwo<S extends Shape> = WithoutLast<WithoutLast<S>>

/** `unknown` where `left` (shape `S`) may be multiplied by `Right`. */
export type CheckMatmul<S extends Shape, Right extends AnyTensor> =
  IsUnknownRank<S> extends true
    ? unknown
    : IsUnknownRank<ShapeOf<Right>> extends true
      ? unknown
      : MayEqual<Last<S>, SecondLast<ShapeOf<Right>>> extends true
        ? unknown
        : { readonly error: `inner dimensions differ: ${Last<S>} and ${SecondLast<ShapeOf<Right>>}` }

/** The shape of a product: [..., M, K] x [..., K, N] -> [..., M, N]; a vector loses its dimension. */
export type Matmul<A extends Shape, B extends Shape> =
  IsUnknownRank<A> extends true
    ? Shape
    : IsUnknownRank<B> extends true
      ? Shape
      : B extends readonly [number]
        ? WithoutLast<A>
        : A extends readonly [number]
          ? readonly [...WithoutLastTwo<B>, Last<B>]
          : readonly [...Broadcast<WithoutLastTwo<A>, WithoutLastTwo<B>>, SecondLast<A>, Last<B>]
