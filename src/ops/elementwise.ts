/** Arithmetic, functions of one number, comparisons and choices: elementwise, with NumPy's broadcasting. */
import type { DType } from '../core/dtype.js'
import type { BinaryOperation, ComparisonDirection, UnaryOperation } from '../core/operations.js'
import type { Shape } from '../core/shape.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { apply, broadcastTo, full, matchOperands } from './lift.js'
import { broadcastShapes } from '../core/shape.js'
import { shapeMismatch } from '../graph/inference/failures.js'
import type { Broadcast, CheckBroadcast, DTypeOf, Operand, ShapeOf } from './types.js'

type PlainUnary = Exclude<UnaryOperation, 'convert' | 'bitcastConvert' | 'isFinite'>
type Arithmetic = Exclude<BinaryOperation, 'compare'>

/** A function of one operand of any floating-point or integer type that gives the same type. */
function unary(operation: PlainUnary) {
  return <S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> => apply(operation, [x], {} as never)
}

type Result<A, B> = Tensor<Broadcast<ShapeOf<A>, ShapeOf<B>>, DTypeOf<A> | DTypeOf<B>>

function binary(operation: Arithmetic) {
  return <A extends Operand, B extends Operand>(left: A, right: B & CheckBroadcast<ShapeOf<A>, B>): Result<A, B> =>
    apply(operation, matchOperands(operation, left, right), {} as never)
}

function comparison(direction: ComparisonDirection) {
  return <A extends Operand, B extends Operand>(
    left: A,
    right: B & CheckBroadcast<ShapeOf<A>, B>,
  ): Tensor<Broadcast<ShapeOf<A>, ShapeOf<B>>, 'bool'> =>
    apply('compare', matchOperands('compare', left, right), { direction })
}

export const add = binary('add')
export const subtract = binary('subtract')
export const multiply = binary('multiply')
export const divide = binary('divide')
export const remainder = binary('remainder')
export const power = binary('power')
/** The larger of two; NaN where either is. */
export const maximum = binary('maximum')
export const minimum = binary('minimum')
export const atan2 = binary('atan2')
export const and = binary('and')
export const or = binary('or')
export const xor = binary('xor')
export const shiftLeft = binary('shiftLeft')
export const shiftRightLogical = binary('shiftRightLogical')
export const shiftRightArithmetic = binary('shiftRightArithmetic')

export const equal = comparison('EQ')
export const notEqual = comparison('NE')
export const less = comparison('LT')
export const lessEqual = comparison('LE')
export const greater = comparison('GT')
export const greaterEqual = comparison('GE')

export const negate = unary('negate')
export const abs = unary('abs')
export const sign = unary('sign')
export const exp = unary('exponential')
export const expm1 = unary('exponentialMinusOne')
export const log = unary('log')
export const log1p = unary('logPlusOne')
export const sqrt = unary('sqrt')
export const rsqrt = unary('rsqrt')
export const cbrt = unary('cbrt')
export const tanh = unary('tanh')
/** 1 / (1 + exp(-x)) */
export const sigmoid = unary('logistic')
export const sin = unary('sine')
export const cos = unary('cosine')
export const floor = unary('floor')
export const ceil = unary('ceil')
/** To the nearest integer, halves to the even one. */
export const round = unary('roundNearestEven')
export const not = unary('not')

export function isFinite<S extends Shape>(x: Tensor<S>): Tensor<S, 'bool'> {
  return apply('isFinite', [x], {})
}

export function convert<S extends Shape, D extends DType>(x: Tensor<S>, dtype: D): Tensor<S, D> {
  return x.dtype === (dtype as DType) ? (x as Tensor<S, DType> as Tensor<S, D>) : apply('convert', [x], { dtype })
}

/** The same bits read as another element type of the same size. */
export function bitcast<S extends Shape, D extends DType>(x: Tensor<S>, dtype: D): Tensor<S, D> {
  return apply('bitcastConvert', [x], { dtype })
}

/** Where `predicate` holds, `whenTrue`, else `whenFalse`; all three are broadcast together. */
export function where(predicate: Tensor<Shape, 'bool'>, whenTrue: Operand, whenFalse: Operand): AnyTensor {
  const [a, b] = matchOperands('where', whenTrue, whenFalse)
  const shape = broadcastShapes(predicate.shape, a.shape)
  if (shape === undefined)
    throw shapeMismatch('where', "the predicate doesn't broadcast with the values", [predicate.type, a.type, b.type])
  return apply('select', [broadcastTo(predicate, shape), broadcastTo(a, shape), broadcastTo(b, shape)], {})
}

export function square<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return apply('multiply', [x, x], {})
}

/** max(x, 0), whose derivative at 0 is 0. */
export function relu<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return apply('maximum', [x, full(x.shape, 0, x.dtype)], {})
}

/** x * sigmoid(x), also called swish. */
export function silu<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return apply('multiply', [x, sigmoid(x)], {})
}

/**
 * log(1 + exp(x)), without overflow: max(x, 0) + log1p(exp(-|x|)), with -|x| as min(-x, x). At 0 the derivatives of max
 * and min are those of 0 and x, which make 0 + 1/2; that of |x| would leave nothing.
 */
export function softplus<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return apply('add', [relu(x), log1p(exp(apply('minimum', [negate(x), x], {})))], {})
}

export function clamp(x: AnyTensor, low: Operand, high: Operand): AnyTensor {
  return minimum(maximum(x, low), high)
}
