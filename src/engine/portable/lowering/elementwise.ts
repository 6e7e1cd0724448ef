/**
 * Elementwise operations. Where StableHLO leaves a result to the implementation it is what the reference engine gives:
 * integers divided by zero give all bits set, with the dividend as remainder.
 */
import { isFloat } from '../../../core/dtype.js'
import type { ComparisonDirection, ElementwiseOperation } from '../../../core/operations.js'
import {
  arcTangent2,
  cosine,
  cubeRoot,
  divide,
  exactProduct,
  exponential,
  exponentialMinusOne,
  hyperbolicTangent,
  inDoubles,
  logarithm,
  logarithmOfOnePlus,
  logisticFunction,
  power,
  sine,
  type Accuracy,
} from '../functions.js'
import type { Term } from '../term.js'
import { integerDivide, integerRemainder, lowBits, shiftBy, shiftRightArithmetic } from './integers.js'
import type { Rule, Rules } from './rule.js'

type OfOne = (x: Term) => Term
type OfTwo = (x: Term, y: Term) => Term
/** A rule that needs no attributes. */
type Plain = (operands: readonly Term[]) => Term

const rounded =
  (f: (x: Term, accuracy: Accuracy) => Term): Plain =>
  ([x]) =>
    inDoubles(x, f)

const unary =
  (f: OfOne): Plain =>
  ([x]) =>
    f(x)

const binary =
  (f: OfTwo): Plain =>
  ([x, y]) =>
    f(x, y)

const arithmetic = (f: OfTwo): Plain => binary((x, y) => lowBits(f(x, y)))

/** x > 0, x < 0, or x itself: 0, -0 and NaN. */
function sign(x: Term): Term {
  return x.greaterThan(0).choose(1, x.lessThan(0).choose(-1, x))
}

/** The nearest whole number; of two as near the even one. */
function roundNearestEven(x: Term): Term {
  const below = x.floor()
  const rest = x.subtract(below)
  const half = below.multiply(0.5)
  const isOdd = half.notEquals(half.floor())
  const roundsUp = rest.greaterThan(0.5).or(rest.equals(0.5).and(isOdd))
  // A whole x is itself: -0 stays, and infinities have no rest.
  return x.equals(below).choose(x, roundsUp.choose(below.add(1), below))
}

/**
 * By bits, since jax-js drops comparisons that its bounds decide (a sine is below infinity) and forgets NaN there. In f64,
 * which it can't look into, x - x is 0 or NaN.
 */
function isFinite(x: Term): Term {
  const exponent = 0x7f800000
  if (x.dtype === 'f32') return x.bits('i32').and(exponent).notEquals(exponent)
  return x.subtract(x).as('f32').bits('i32').and(0x7fffffff).equals(0)
}

function not(x: Term): Term {
  return x.dtype === 'bool' ? x.xor(1) : lowBits(x.xor(x.dtype === 'i32' ? -1 : 0xffffffff))
}

/** Floats go to the nearest integer there is, integers keep their low bits. */
const convert: Rule<'convert'> = ([x], { dtype }) => {
  if (dtype === 'bf16') return x // never here: the engine takes no bf16
  if (dtype === 'u8' && isFloat(x.dtype)) return x.as('u32').minimum(255).as('u8')
  return lowBits(x.as(dtype))
}

/**
 * x - trunc(x / y) y, the product in two parts, and put right where the quotient was rounded across a whole number. Exact
 * for quotients below 2^52; larger ones have no exact whole part.
 */
function floatRemainder(x: Term, y: Term): Term {
  const quotient = divide(x, y)
  const whole = quotient.lessThan(0).choose(quotient.ceil(), quotient.floor())
  const size = y.abs()
  const { product, error } = exactProduct(whole, y)
  const rest = whole.equals(0).choose(x, x.subtract(product).subtract(error))
  const step = x.lessThan(0).choose(size.negate(), size)
  const isTooMuch = rest.abs().lessThan(size).xor(1).and(size.lessThan(Infinity))
  const isBeyond = rest.multiply(step).lessThan(0)
  return isTooMuch.choose(rest.subtract(step), isBeyond.choose(rest.add(step), rest))
}

/** A pair of rules: for floats, computed on doubles, and for integers. */
const byKind = (ofFloats: OfTwo, ofIntegers: OfTwo): Plain =>
  binary((x, y) => (isFloat(x.dtype) ? ofFloats(x.as('f64'), y.as('f64')).as(x.dtype) : lowBits(ofIntegers(x, y))))

const onDoubles =
  (f: (x: Term, y: Term, accuracy: Accuracy) => Term): Plain =>
  ([x, y]) =>
    f(x.as('f64'), y.as('f64'), x.dtype === 'f64' ? 'f64' : 'f32').as(x.dtype)

/** `x <= y` is `x < y or x = y`, since the negation of `y < x` holds for NaN. jax-js can't order booleans. */
const comparisons: { readonly [D in ComparisonDirection]: OfTwo } = {
  EQ: (x, y) => x.equals(y),
  NE: (x, y) => x.notEquals(y),
  LT: (x, y) => x.lessThan(y),
  LE: (x, y) => x.lessThan(y).or(x.equals(y)),
  GT: (x, y) => x.greaterThan(y),
  GE: (x, y) => x.greaterThan(y).or(x.equals(y)),
}

const compare: Rule<'compare'> = ([x, y], { direction }) => {
  const ordered = (term: Term): Term => (term.dtype === 'bool' ? term.as('i32') : term)
  return comparisons[direction](ordered(x), ordered(y))
}

export const elementwiseRules: Rules<ElementwiseOperation> = {
  negate: unary((x) => x.negate()),
  abs: unary((x) => x.abs()),
  sign: unary(sign),
  exponential: rounded(exponential),
  exponentialMinusOne: rounded(exponentialMinusOne),
  log: rounded(logarithm),
  logPlusOne: rounded(logarithmOfOnePlus),
  sqrt: unary((x) => x.sqrt()),
  rsqrt: rounded((x) => x.sqrt().reciprocal()),
  cbrt: rounded(cubeRoot),
  tanh: rounded(hyperbolicTangent),
  logistic: rounded(logisticFunction),
  sine: rounded(sine),
  cosine: rounded(cosine),
  floor: unary((x) => x.floor()),
  ceil: unary((x) => x.ceil()),
  roundNearestEven: unary(roundNearestEven),
  isFinite: unary(isFinite),
  not: unary(not),
  convert,
  bitcastConvert: ([x], { dtype }) => (dtype === 'bf16' ? x : x.bits(dtype)),
  add: arithmetic((x, y) => x.add(y)),
  subtract: arithmetic((x, y) => x.subtract(y)),
  multiply: arithmetic((x, y) => x.multiply(y)),
  divide: byKind(divide, integerDivide),
  remainder: byKind(floatRemainder, integerRemainder),
  power: onDoubles(power),
  atan2: onDoubles(arcTangent2),
  maximum: binary((x, y) => (x.dtype === 'bool' ? x.or(y) : x.maximum(y))),
  minimum: binary((x, y) => (x.dtype === 'bool' ? x.and(y) : x.minimum(y))),
  and: binary((x, y) => x.and(y)),
  or: binary((x, y) => x.or(y)),
  xor: binary((x, y) => x.xor(y)),
  shiftLeft: binary((x, y) => lowBits(shiftBy(x, y, (amount) => x.shiftLeft(amount)))),
  shiftRightLogical: binary((x, y) => shiftBy(x, y, (amount) => x.shiftRight(amount))),
  shiftRightArithmetic: binary(shiftRightArithmetic),
  compare,
  select: ([predicate, whenTrue, whenFalse]) => predicate.choose(whenTrue, whenFalse),
}
