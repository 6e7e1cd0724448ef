/**
 * Exponentials, logarithms and trigonometry, composed of sums and products of doubles.
 *
 * jax-js' own are in f32 even for f64 operands, lose up to 1e-6 (its exponential reduces its argument in one step) and
 * lack most of the functions. WebAssembly computes doubles as fast as floats and jax-js vectorises neither its
 * exponential nor its division, so these run on doubles for f32 too, with fewer terms, and are rounded once at the end.
 *
 * Sources of the reductions: Cody and Waite, "Software Manual for the Elementary Functions", 1980; the series are
 * Taylor's on the reduced ranges, with as many terms as leave less than half a unit in the last place.
 */
import type { FloatDType } from '../../core/dtype.js'
import type { Operand, Term } from './term.js'

/** Which of the two types' accuracy is wanted; terms are f64 in either case. */
export type Accuracy = Exclude<FloatDType, 'bf16'>

/** Runs a function on doubles and rounds its result to the operand's type. */
export function inDoubles(x: Term, f: (x: Term, accuracy: Accuracy) => Term): Term {
  return f(x.as('f64'), x.dtype === 'f64' ? 'f64' : 'f32').as(x.dtype)
}

/** x / y, by y's reciprocal: for f32 in doubles, which makes it the nearest f32 in all but 1 of 10^8 cases. */
export function divide(x: Term, y: Operand): Term {
  return x.multiply(typeof y === 'number' ? 1 / y : y.reciprocal())
}

/** The high 26 bits of a double, and the rest (Veltkamp, 1968). */
function halves(x: Term): { high: Term; low: Term } {
  const scaled = x.multiply(2 ** 27 + 1)
  const high = scaled.subtract(scaled.subtract(x))
  return { high, low: x.subtract(high) }
}

/** x y as the nearest double and what that lacks (Dekker, 1971). For magnitudes below 10^300. */
export function exactProduct(x: Term, y: Term): { product: Term; error: Term } {
  const product = x.multiply(y)
  const [a, b] = [halves(x), halves(y)]
  const cross = a.high.multiply(b.low).add(a.low.multiply(b.high))
  const error = a.high.multiply(b.high).subtract(product).add(cross).add(a.low.multiply(b.low))
  return { product, error }
}

/** c[0] + c[1] x + c[2] x² + …, by Horner's rule. */
function polynomial(x: Term, coefficients: readonly number[]): Term {
  const [last, ...others] = coefficients.toReversed()
  const [second, ...rest] = others
  return rest.reduce((sum, coefficient) => sum.multiply(x).add(coefficient), x.multiply(last).add(second))
}

const factorials = Array.from({ length: 24 }, (_, n) => Array.from({ length: n }, (__, i) => i + 1).reduce((a, b) => a * b, 1)) // prettier-ignore

/** 1/n! for `count` n from `first` on. */
function inverseFactorials(first: number, count: number): number[] {
  return factorials.slice(first, first + count).map((factorial) => 1 / factorial)
}

/** ln 2 in two parts, of which the first has 20 trailing zero bits: its product with an exponent is exact. */
const ln2High = 6.9314718036912381649e-1
const ln2Low = 1.90821492927058770002e-10

/** 2^k for whole k from -126 to 127: the bits of an f32 whose exponent is k. */
function powerOfTwo(k: Term): Term {
  return k.as('i32').add(127).shiftLeft(23).bits('f32').as('f64')
}

/** x = k ln 2 + r with whole k, |r| <= ln 2 / 2. */
function reduceByLn2(x: Term): { k: Term; r: Term } {
  const k = x.multiply(Math.LOG2E).add(0.5).floor()
  const r = x.subtract(k.multiply(ln2High)).subtract(k.multiply(ln2Low))
  return { k, r }
}

/** x · 2^k in steps that neither overflow nor underflow where the result doesn't. */
function scale(x: Term, k: Term, accuracy: Accuracy): Term {
  if (accuracy === 'f32') {
    const half = k.multiply(0.5).floor()
    const root = powerOfTwo(half)
    return x
      .multiply(k.subtract(half.multiply(2)).add(1))
      .multiply(root)
      .multiply(root)
  }
  const sixteenth = k.multiply(1 / 16).floor()
  const rest = powerOfTwo(k.subtract(sixteenth.multiply(16)))
  const t2 = powerOfTwo(sixteenth).multiply(powerOfTwo(sixteenth))
  const t4 = t2.multiply(t2)
  const t8 = t4.multiply(t4)
  return x.multiply(rest).multiply(t8).multiply(t8)
}

/** e^x = 2^k e^r. Outside the range in which the result is neither 0 nor infinite, x is clamped. */
export function exponential(x: Term, accuracy: Accuracy): Term {
  const [least, most] = accuracy === 'f32' ? [-170, 170] : [-746, 710]
  const { k, r } = reduceByLn2(x.maximum(least).minimum(most))
  const numTerms = accuracy === 'f32' ? 9 : 14
  return scale(polynomial(r, inverseFactorials(0, numTerms)), k, accuracy) // prettier-ignore
}

/** e^x - 1: near 0 the series without its 1. */
export function exponentialMinusOne(x: Term, accuracy: Accuracy): Term {
  const numTerms = accuracy === 'f32' ? 9 : 14
  const near = x.maximum(-0.35).minimum(0.35)
  const series = polynomial(near, inverseFactorials(1, numTerms)).multiply(near) // prettier-ignore
  return x.abs().lessThan(0.35).choose(series, exponential(x, accuracy).add(-1))
}

/** x = m · 2^e with m from 1/√2 to √2, for positive finite x. */
function splitExponent(x: Term, accuracy: Accuracy): { m: Term; e: Term } {
  const { inRange, shift } = intoFloatRange(x, accuracy)
  const exponent = inRange.as('f32').bits('i32').shiftRight(23).add(-127).as('f64')
  const mantissa = inRange.multiply(powerOfTwo(exponent.negate()))
  const isLarge = mantissa.greaterThan(Math.SQRT2)
  return {
    m: isLarge.choose(mantissa.multiply(0.5), mantissa),
    e: exponent.add(shift).add(isLarge.as('f64')),
  }
}

/** Multiplies x by 2^-shift, such that f32 has its exponent. */
function intoFloatRange(x: Term, accuracy: Accuracy): { inRange: Term; shift: Term } {
  let inRange = x
  let shift = x.scope.full([], 0, 'f64')
  for (const power of accuracy === 'f32' ? [64] : [512, 256, 128, 64]) {
    const isSmall = inRange.lessThan(2 ** -64)
    const isLarge = inRange.greaterThan(2 ** power)
    shift = isSmall.choose(shift.add(-power), isLarge.choose(shift.add(power), shift))
    inRange = isSmall.choose(inRange.multiply(2 ** power), isLarge.choose(inRange.multiply(2 ** -power), inRange))
  }
  return { inRange, shift }
}

/** 2 artanh(s) = 2 (s + s³/3 + s⁵/5 + …) for |s| <= 0.172. */
function doubleArtanh(s: Term, accuracy: Accuracy): Term {
  const numTerms = accuracy === 'f32' ? 6 : 11
  return polynomial(s.multiply(s), Array.from({ length: numTerms }, (_, n) => 2 / (2 * n + 1))).multiply(s) // prettier-ignore
}

/** ln x = e ln 2 + 2 artanh((m - 1) / (m + 1)). */
export function logarithm(x: Term, accuracy: Accuracy): Term {
  const { m, e } = splitExponent(x, accuracy)
  const ofMantissa = doubleArtanh(divide(m.add(-1), m.add(1)), accuracy)
  const ofPositive = e.multiply(ln2High).add(ofMantissa.add(e.multiply(ln2Low)))
  const finite = x.equals(0).choose(-Infinity, x.lessThan(0).choose(NaN, ofPositive))
  return x.lessThan(Infinity).choose(finite, x)
}

/** ln(1 + x): near 0 it is 2 artanh(x / (2 + x)). */
export function logarithmOfOnePlus(x: Term, accuracy: Accuracy): Term {
  const near = x.maximum(-0.29).minimum(0.4)
  const series = doubleArtanh(divide(near, near.add(2)), accuracy)
  return x.equals(near).choose(series, logarithm(x.add(1), accuracy))
}

/**
 * With t = e^(2|x|) - 1: tanh |x| = t / (t + 2). For f32 it is 1 - 2 / (e^2x + 1), whose error in doubles is far below an
 * f32's last place except next to 0, where tanh x is x.
 */
export function hyperbolicTangent(x: Term, accuracy: Accuracy): Term {
  if (accuracy === 'f32') {
    const { k, r } = reduceByLn2(x.maximum(-10).minimum(10).multiply(2))
    const power = polynomial(r, inverseFactorials(0, 13)).multiply(powerOfTwo(k))
    const ordinary = power.add(1).reciprocal().multiply(-2).add(1)
    return x.abs().lessThan(1e-4).choose(x, ordinary)
  }
  const t = exponentialMinusOne(x.abs().minimum(22).multiply(2), accuracy)
  const magnitude = divide(t, t.add(2))
  return x.lessThan(0).choose(magnitude.negate(), magnitude)
}

/** 1 / (1 + e^-x). */
export function logisticFunction(x: Term, accuracy: Accuracy): Term {
  return exponential(x.negate(), accuracy).add(1).reciprocal()
}

/** |x|^(1/3) by its logarithm, and one step of Newton's method. */
export function cubeRoot(x: Term, accuracy: Accuracy): Term {
  const magnitude = x.abs()
  const guess = exponential(logarithm(magnitude, accuracy).multiply(1 / 3), accuracy)
  const better = guess.subtract(guess.subtract(divide(magnitude, guess.multiply(guess))).multiply(1 / 3))
  const isOrdinary = magnitude.greaterThan(0).and(magnitude.lessThan(Infinity))
  return isOrdinary.choose(x.lessThan(0).choose(better.negate(), better), x)
}

/**
 * x^y = e^(y ln |x|), with the sign of an odd power of a negative number. The logarithm is as accurate as doubles go:
 * its error counts y-fold.
 */
export function power(x: Term, y: Term, accuracy: Accuracy): Term {
  const magnitude = exponential(y.multiply(logarithm(x.abs(), 'f64')), accuracy)
  const isWhole = y.equals(y.floor())
  const half = y.multiply(0.5)
  const isOdd = isWhole.and(half.notEquals(half.floor()))
  // Also a zero or an infinity has a sign that odd powers keep; 1 / x tells -0 from 0.
  const isNegative = x.lessThan(0).or(x.equals(0).and(x.reciprocal().lessThan(0)))
  const signed = isNegative.and(isOdd).choose(magnitude.negate(), magnitude)
  const real = x.lessThan(0).and(isWhole.xor(1)).and(x.greaterThan(-Infinity)).choose(NaN, signed)
  const isOne = y
    .equals(0)
    .or(x.equals(1))
    .or(x.equals(-1).and(y.abs().equals(Infinity)))
  return isOne.choose(1, real)
}

/** π/2 in three parts of 33 bits each and what is left: products with whole numbers below 2^20 are exact. */
const halfPi = [
  1.57079632673412561417, 6.0771005063039659766e-11, 2.0222662487111664558e-21, 8.47842766036889956997e-32,
]

/** The sine of x + turns · π/2. Accurate for |x| up to about 10^6; there is no reduction of larger ones. */
function sineAfter(x: Term, turns: number, accuracy: Accuracy): Term {
  const n = x
    .multiply(2 / Math.PI)
    .add(0.5)
    .floor()
  const r = halfPi.reduce((rest, part) => rest.subtract(n.multiply(part)), x)
  const square = r.multiply(r)
  const alternating = (first: number): number[] =>
    Array.from({ length: accuracy === 'f32' ? 6 : 9 }, (_, i) => (i % 2 === 0 ? 1 : -1) / factorials[2 * i + first])
  const sine = polynomial(square, alternating(1)).multiply(r)
  const cosine = polynomial(square, alternating(0))
  const quarters = n.add(turns)
  const quadrant = quarters.subtract(quarters.multiply(0.25).floor().multiply(4))
  const isOdd = quadrant.equals(1).or(quadrant.equals(3))
  const magnitude = isOdd.choose(cosine, sine)
  return quadrant.greaterThan(1).choose(magnitude.negate(), magnitude)
}

export function sine(x: Term, accuracy: Accuracy): Term {
  return sineAfter(x, 0, accuracy)
}

export function cosine(x: Term, accuracy: Accuracy): Term {
  return sineAfter(x, 1, accuracy)
}

/** The arc tangent for t from 0 to 1: above tan(π/8) it is π/4 + arctan((t - 1) / (t + 1)). */
function arcTangent(t: Term, accuracy: Accuracy): Term {
  const isLarge = t.greaterThan(Math.SQRT2 - 1)
  const u = isLarge.choose(divide(t.add(-1), t.add(1)), t)
  const numTerms = accuracy === 'f32' ? 11 : 21
  const series = polynomial(u.multiply(u), Array.from({ length: numTerms }, (_, n) => (n % 2 === 0 ? 1 : -1) / (2 * n + 1))) // prettier-ignore
  const angle = series.multiply(u)
  return isLarge.choose(angle.add(Math.PI / 4), angle)
}

/** The angle of the point (x, y), from -π to π. */
export function arcTangent2(y: Term, x: Term, accuracy: Accuracy): Term {
  const [height, width] = [y.abs(), x.abs()]
  const ratio = divide(height.minimum(width), height.maximum(width))
  const bothZero = height.maximum(width).equals(0)
  const bothInfinite = height.minimum(width).equals(Infinity)
  const slope = bothZero.choose(0, bothInfinite.choose(1, ratio))
  const octant = arcTangent(slope, accuracy)
  const quadrant = height.greaterThan(width).choose(octant.negate().add(Math.PI / 2), octant)
  const angle = isMinus(x).choose(quadrant.negate().add(Math.PI), quadrant)
  const signed = isMinus(y).choose(angle.negate(), angle)
  return x.notEquals(x).or(y.notEquals(y)).choose(NaN, signed)
}

/** Below zero, or minus zero. */
function isMinus(x: Term): Term {
  return x.lessThan(0).or(x.equals(0).and(x.reciprocal().lessThan(0)))
}
