/** Derivatives of elementwise operations; y is the result, dy its cotangent. */
import { isFloat } from '../../core/dtype.js'
import type { ElementwiseOperation } from '../../core/operations.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import type { Shape } from '../../core/shape.js'
import {
  abs, add, and, convert, cos, divide, equal, floor, greater, log, multiply, negate, power, sign, sin, square, subtract, where,
} from '../../ops/elementwise.js' // prettier-ignore
import { simple, zeroDerivative, type Rule } from './rule.js'

/** Ties go to the right operand: so the derivative of relu, max(x, 0), is 0 at 0, as PyTorch has it. */
function chooseBetween(leftWins: AnyTensor, dy: AnyTensor): AnyTensor[] {
  const predicate = leftWins as Tensor<Shape, 'bool'>
  return [where(predicate, dy, 0), where(predicate, 0, dy)]
}

function truncate(x: AnyTensor): AnyTensor {
  return multiply(sign(x), floor(abs(x)))
}

export const elementwiseRules: { readonly [O in ElementwiseOperation]: Rule<O> } = {
  // y = -x: -dy
  negate: simple(({ dy }) => [negate(dy)]),
  // y = |x|: dy sign(x)
  abs: simple(({ dy, x }) => [multiply(dy, sign(x))]),
  sign: zeroDerivative,
  // y = exp(x): dy y
  exponential: simple(({ dy, y }) => [multiply(dy, y)]),
  // y = exp(x) - 1: dy (y + 1)
  exponentialMinusOne: simple(({ dy, y }) => [multiply(dy, add(y, 1))]),
  // y = log(x): dy / x
  log: simple(({ dy, x }) => [divide(dy, x)]),
  // y = log(1 + x): dy / (1 + x)
  logPlusOne: simple(({ dy, x }) => [divide(dy, add(x, 1))]),
  // y = √x: dy / (2 y)
  sqrt: simple(({ dy, y }) => [divide(multiply(dy, 0.5), y)]),
  // y = 1/√x: -dy y³ / 2
  rsqrt: simple(({ dy, y }) => [multiply(multiply(dy, -0.5), multiply(y, square(y)))]),
  // y = ∛x: dy / (3 y²)
  cbrt: simple(({ dy, y }) => [divide(dy, multiply(square(y), 3))]),
  // y = tanh(x): dy (1 - y²)
  tanh: simple(({ dy, y }) => [multiply(dy, subtract(1, square(y)))]),
  // y = 1 / (1 + exp(-x)): dy y (1 - y)
  logistic: simple(({ dy, y }) => [multiply(dy, multiply(y, subtract(1, y)))]),
  // y = sin(x): dy cos(x)
  sine: simple(({ dy, x }) => [multiply(dy, cos(x))]),
  // y = cos(x): -dy sin(x)
  cosine: simple(({ dy, x }) => [negate(multiply(dy, sin(x)))]),
  floor: zeroDerivative,
  ceil: zeroDerivative,
  roundNearestEven: zeroDerivative,
  isFinite: zeroDerivative,
  not: zeroDerivative,
  // y = x in another element type: dy in x's
  convert: simple(({ dy, x }) => [isFloat(x.dtype) ? convert(dy, x.dtype) : undefined]),
  bitcastConvert: zeroDerivative,

  // y = a + b: dy, dy
  add: simple(({ dy }) => [dy, dy]),
  // y = a - b: dy, -dy
  subtract: simple(({ dy, wants }) => [dy, wants(1) ? negate(dy) : undefined]),
  // y = a b: dy b, dy a
  multiply: simple(({ dy, inputs: [a, b], wants }) => [
    wants(0) ? multiply(dy, b) : undefined,
    wants(1) ? multiply(dy, a) : undefined,
  ]),
  // y = a / b: dy / b, -dy y / b
  divide: simple(({ dy, y, inputs: [, b], wants }) => {
    const quotient = divide(dy, b)
    return [quotient, wants(1) ? negate(multiply(quotient, y)) : undefined]
  }),
  // y = a - b trunc(a / b): dy, -dy trunc(a / b)
  remainder: simple(({ dy, inputs: [a, b], wants }) => [
    dy,
    wants(1) ? negate(multiply(dy, truncate(divide(a, b)))) : undefined,
  ]),
  // y = a^b: dy b a^(b-1) (0 where a and b are 0), dy y log(a) (0 where a is not positive)
  power: simple(({ dy, y, inputs: [a, b], wants }) => [
    wants(0) ? multiply(dy, multiply(b, power(a, where(areZero(a, b), 1, subtract(b, 1))))) : undefined,
    wants(1) ? multiply(dy, multiply(y, log(where(isPositive(a), a, 1)))) : undefined,
  ]),
  // y = max(a, b): dy to the larger
  maximum: simple(({ dy, inputs: [a, b] }) => chooseBetween(greater(a, b), dy)),
  // y = min(a, b): dy to the smaller
  minimum: simple(({ dy, inputs: [a, b] }) => chooseBetween(greater(b, a), dy)),
  // y = atan2(a, b): dy b / (a² + b²), -dy a / (a² + b²)
  atan2: simple(({ dy, inputs: [a, b] }) => {
    const scaled = divide(dy, add(square(a), square(b)))
    return [multiply(scaled, b), negate(multiply(scaled, a))]
  }),
  and: zeroDerivative,
  or: zeroDerivative,
  xor: zeroDerivative,
  shiftLeft: zeroDerivative,
  shiftRightLogical: zeroDerivative,
  shiftRightArithmetic: zeroDerivative,
  compare: zeroDerivative,
  // y = p ? a : b: none, p ? dy : 0, p ? 0 : dy
  select: simple(({ dy, inputs: [predicate] }) => [undefined, ...chooseBetween(predicate, dy)]),
}

/** Where a^(b-1) is infinite and the derivative by a, of a constant 1, all the same 0. */
function areZero(a: AnyTensor, b: AnyTensor): Tensor<Shape, 'bool'> {
  return and(equal(a, 0), equal(b, 0)) as Tensor<Shape, 'bool'>
}

function isPositive(x: AnyTensor): Tensor<Shape, 'bool'> {
  return greater(x, 0) as Tensor<Shape, 'bool'>
}
