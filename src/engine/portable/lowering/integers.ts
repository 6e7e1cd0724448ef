/** Integers where WebAssembly does other things than StableHLO asks: division by zero traps, shifts count modulo 32. */
import { dtypes } from '../../../core/dtype.js'
import type { Term } from '../term.js'

/** Cuts u8, which is kept in 32 bits, to its own 8; leaves all else. */
export function lowBits(x: Term): Term {
  return x.dtype === 'u8' ? x.and(0xff) : x
}

/** By zero it gives all bits set; the least i32 by -1 stays itself. Neither is divided, since both trap. */
export function integerDivide(x: Term, y: Term): Term {
  const byZero = y.equals(0)
  if (x.dtype !== 'i32') return byZero.choose(0xffffffff, x.integerQuotient(byZero.choose(1, y)))
  const byMinusOne = y.equals(-1)
  const quotient = x.integerQuotient(byZero.or(byMinusOne).choose(1, y))
  return byZero.choose(-1, byMinusOne.choose(x.negate(), quotient))
}

/** By zero it gives the dividend. */
export function integerRemainder(x: Term, y: Term): Term {
  const byZero = y.equals(0)
  return byZero.choose(x, x.integerRemainder(byZero.choose(1, y)))
}

/** 0 where the amount, which is unsigned, is not below the type's width. */
export function shiftBy(x: Term, amount: Term, shift: (amount: Term) => Term): Term {
  const unsigned = amount.as('u32')
  return unsigned.lessThan(numBits(x)).choose(shift(unsigned.minimum(31)), 0)
}

/** Repeats the top bit, also that of an unsigned type: jax-js has the logical shift alone. */
export function shiftRightArithmetic(x: Term, amount: Term): Term {
  const width = numBits(x)
  const distance = amount
    .as('u32')
    .minimum(width - 1)
    .add(32 - width)
  const atTop = x.as('i32').shiftLeft(32 - width)
  const isNegative = atTop.lessThan(0)
  const magnitude = isNegative.choose(atTop.xor(-1), atTop).shiftRight(distance)
  const shifted = isNegative.choose(magnitude.xor(-1), magnitude)
  return x.dtype === 'u8' ? lowBits(shifted.as('u8')) : shifted.as(x.dtype)
}

function numBits({ dtype }: Term): number {
  return dtypes[dtype].sizeBytes * 8
}
