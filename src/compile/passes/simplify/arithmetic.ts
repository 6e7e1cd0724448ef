/**
 * Arithmetic that can be left out or done cheaper, with the very same result for every operand: NaN, infinities and
 * -0 included (the sign and payload of a NaN apart). So `x + 0` stays, which turns -0 into 0, but `x + -0` and `x - 0`
 * go; and nothing is associated differently.
 */
import { dtypes, isFloat, type DType } from '../../../core/dtype.js'
import type { BinaryOperation } from '../../../core/operations.js'
import { producedBy, type Value } from '../../../graph/index.js'
import { splatNumber } from '../constants.js'
import type { Rule, RuleTable } from '../peephole.js'

/** x + -0 = x; for integers x + 0 = x; x + -y = x - y. */
const add: Rule<'add'> = ({ inputs: [x, y] }, emitter) => {
  if (isNeutralForAdd(y)) return x
  if (isNeutralForAdd(x)) return y
  const negatedRight = producedBy(y, 'negate')
  if (negatedRight) return emitter.emit('subtract', [x, negatedRight.inputs[0]], {})
  const negatedLeft = producedBy(x, 'negate')
  return negatedLeft && emitter.emit('subtract', [y, negatedLeft.inputs[0]], {})
}

function isNeutralForAdd(value: Value): boolean {
  const number = splatNumber(value)
  return isFloat(value.type.dtype) ? Object.is(number, -0) : number === 0
}

/** x - 0 = x; x - -y = x + y. */
const subtract: Rule<'subtract'> = ({ inputs: [x, y] }, emitter) => {
  const number = splatNumber(y)
  if (isFloat(y.type.dtype) ? Object.is(number, 0) : number === 0) return x
  const negated = producedBy(y, 'negate')
  return negated && emitter.emit('add', [x, negated.inputs[0]], {})
}

/** x 1 = x; x (-1) = -x; for integers x 0 = 0; (-x) (-y) = x y. */
const multiply: Rule<'multiply'> = ({ inputs: [x, y] }, emitter) => {
  for (const [value, other] of [
    [x, y],
    [y, x],
  ]) {
    // prettier-ignore
    const number = splatNumber(value)
    if (number === 1) return other
    if (number === -1) return emitter.emit('negate', [other], {})
    if (number === 0 && !isFloat(value.type.dtype)) return value
  }
  const [left, right] = [producedBy(x, 'negate'), producedBy(y, 'negate')]
  return left && right && emitter.emit('multiply', [left.inputs[0], right.inputs[0]], {})
}

/** x / 1 = x; x / 2ⁿ = x 2⁻ⁿ, which is exact. */
const divide: Rule<'divide'> = ({ inputs: [x, y] }, emitter) => {
  const number = splatNumber(y)
  if (number === 1) return x
  if (number === undefined || !isFloat(y.type.dtype) || !isInvertible(number)) return undefined
  return emitter.emit('multiply', [x, emitter.splat(y.type, 1 / number)], {})
}

/** A power of two whose inverse is a normal number in every float type but bf16's and f32's last few. */
function isInvertible(number: number): boolean {
  const exponent = Math.log2(Math.abs(number))
  return Number.isInteger(exponent) && Math.abs(exponent) <= 126
}

/** x¹ = x; x² = x x; x⁻¹ = 1 / x; x⁰ = 1, also for NaN. */
const power: Rule<'power'> = ({ inputs: [x, y] }, emitter) => {
  switch (splatNumber(y)) {
    case 1:
      return x
    case 2:
      return emitter.emit('multiply', [x, x], {})
    case -1:
      return emitter.emit('divide', [emitter.splat(x.type, 1), x], {})
    case 0:
      return emitter.splat(x.type, 1)
    default:
      return undefined
  }
}

/** f(x, x) = x */
const idempotent: Rule<BinaryOperation> = ({ inputs: [x, y] }) => (x === y ? x : undefined)

/** p ∧ true = p; p ∧ false = false; and the reverse for or. */
function logical(neutral: 0 | 1): Rule<'and' | 'or'> {
  return ({ inputs: [x, y] }) => {
    if (x.type.dtype !== 'bool') return undefined
    for (const [value, other] of [
      [x, y],
      [y, x],
    ]) {
      // prettier-ignore
      const number = splatNumber(value)
      if (number !== undefined) return number === neutral ? other : value
    }
    return undefined
  }
}

/** f(f(x)) = x */
function involution<O extends 'negate' | 'not'>(operation: O): Rule<O> {
  return ({ inputs: [x] }) => producedBy(x, operation)?.inputs[0]
}

/** |-x| = |x|; ||x|| = |x| */
const abs: Rule<'abs'> = ({ inputs: [x] }, emitter) => {
  if (producedBy(x, 'abs')) return x
  const negated = producedBy(x, 'negate')
  return negated && emitter.emit('abs', [negated.inputs[0]], {})
}

/** A known predicate chooses now; equal values leave no choice; a negated predicate exchanges them. */
const select: Rule<'select'> = ({ inputs: [predicate, whenTrue, whenFalse] }, emitter) => {
  if (whenTrue === whenFalse) return whenTrue
  const number = splatNumber(predicate)
  if (number !== undefined) return number === 0 ? whenFalse : whenTrue
  const negated = producedBy(predicate, 'not')
  return negated && emitter.emit('select', [negated.inputs[0], whenFalse, whenTrue], {})
}

/**
 * A conversion to the same type is none; one through a type that holds every number of the first is direct. Rounding
 * goes before a reshape, to where the value comes from (and widening after it: see `movement.ts`).
 */
const convert: Rule<'convert'> = ({ inputs: [x], attributes: { dtype } }, emitter) => {
  if (x.type.dtype === dtype) return x
  const reshaped = producedBy(x, 'reshape')
  if (reshaped && dtypes[dtype].sizeBytes < dtypes[x.type.dtype].sizeBytes) {
    return emitter.emit('reshape', [emitter.emit('convert', reshaped.inputs, { dtype })], { shape: x.type.shape })
  }
  const inner = producedBy(x, 'convert')
  if (inner === undefined || !holds(x.type.dtype, inner.inputs[0].type.dtype)) return undefined
  return emitter.emit('convert', inner.inputs, { dtype })
}

/** Element types whose every number each type has too. */
const held: { readonly [D in DType]: ReadonlySet<DType> } = {
  f64: new Set<DType>(['f64', 'f32', 'bf16', 'i32', 'u32', 'u8', 'bool']),
  f32: new Set<DType>(['f32', 'bf16', 'u8', 'bool']),
  bf16: new Set<DType>(['bf16', 'u8', 'bool']),
  i32: new Set<DType>(['i32', 'u8', 'bool']),
  u32: new Set<DType>(['u32', 'u8', 'bool']),
  u8: new Set<DType>(['u8', 'bool']),
  bool: new Set<DType>(['bool']),
}

function holds(dtype: DType, other: DType): boolean {
  return held[dtype].has(other) && dtypes[dtype].sizeBytes >= dtypes[other].sizeBytes
}

export const arithmeticRules: RuleTable = {
  add: [add],
  subtract: [subtract],
  multiply: [multiply],
  divide: [divide],
  power: [power],
  maximum: [idempotent],
  minimum: [idempotent],
  and: [idempotent, logical(1)],
  or: [idempotent, logical(0)],
  negate: [involution('negate')],
  not: [involution('not')],
  abs: [abs],
  select: [select],
  convert: [convert],
}
