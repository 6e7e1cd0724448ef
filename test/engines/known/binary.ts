/** Operations on two operands and `select`, by hand. */
import type { BinaryOperation, ComparisonDirection, OperationAttributes } from '../../../src/core/operations.js'
import type { TensorData } from '../../../src/core/shape.js'
import { bf16, bool, f32, i32, u32, u8 } from '../support/data.js'
import { plain, type KnownCase, type KnownCases } from './known.js'

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

function comparison(
  what: string,
  direction: ComparisonDirection,
  [left, right]: readonly TensorData[],
  result: readonly number[],
): KnownCase<OperationAttributes['compare']> {
  return { what: `${direction} ${what}`, operands: [left, right], attributes: { direction }, result: bool(result) }
}

const ordered = [f32([1, 2, 3, nan, 1, nan]), f32([2, 2, 2, 1, nan, nan])]

export const knownBinary: KnownCases<BinaryOperation | 'select'> = {
  add: [
    plain('floats', [f32([1, 2.5, inf]), f32([2, -0.5, -inf])], f32([3, 2, nan])),
    plain('i32 wraps', [i32([2147483647, -5]), i32([1, 3])], i32([-2147483648, -2])),
    plain('u32 wraps', [u32([4294967295, 5]), u32([2, 3])], u32([1, 8])),
    plain('u8 wraps', [u8([250, 5]), u8([10, 3])], u8([4, 8])),
    plain('bf16 rounds the sum', [bf16([1, 256]), bf16([0.001953125, 1])], bf16([1, 256])),
  ],
  subtract: [
    plain('floats', [f32([1, 2.5]), f32([2, -0.5])], f32([-1, 3])),
    plain('u32 wraps', [u32([1]), u32([2])], u32([4294967295])),
    plain('u8 wraps', [u8([1]), u8([2])], u8([255])),
  ],
  multiply: [
    plain('floats', [f32([1.5, 0, -2]), f32([2, inf, 3])], f32([3, nan, -6])),
    plain(
      'i32 wraps to the low bits',
      [i32([65536, 123456789, -3]), i32([65536, 987654321, 5])],
      i32([0, -67153019, -15]),
    ),
    plain(
      'u32 wraps to the low bits',
      [u32([4294967295, 123456789]), u32([4294967295, 987654321])],
      u32([1, 4227814277]),
    ),
    plain('u8 wraps', [u8([20]), u8([20])], u8([144])),
  ],
  divide: [
    plain('floats, by zero', [f32([1, -1, 0, 7]), f32([0, 0, 0, 2])], f32([inf, -inf, nan, 3.5])),
    plain('i32 towards zero', [i32([7, -7, 7, -7]), i32([2, 2, -2, -2])], i32([3, -3, -3, 3])),
    plain('i32 by zero gives -1', [i32([7, 0]), i32([0, 0])], i32([-1, -1])),
    plain('the least i32 by -1 stays itself', [i32([-2147483648]), i32([-1])], i32([-2147483648])),
    plain('u32 is not signed', [u32([4294967295]), u32([2])], u32([2147483647])),
    plain('u32 by zero gives the most', [u32([7]), u32([0])], u32([4294967295])),
  ],
  remainder: [
    plain(
      'has the sign of the dividend',
      [f32([5.5, -5.5, 5.5, -5.5]), f32([2, 2, -2, -2])],
      f32([1.5, -1.5, 1.5, -1.5]),
    ),
    plain('i32 has it too', [i32([7, -7, 7, -7]), i32([3, 3, -3, -3])], i32([1, -1, 1, -1])),
    plain('by zero gives the dividend', [i32([7]), i32([0])], i32([7])),
    plain('the least i32 by -1 gives 0', [i32([-2147483648]), i32([-1])], i32([0])),
    plain('u32 is not signed', [u32([4294967295]), u32([10])], u32([5])),
  ],
  power: [
    plain('floats', [f32([2, 9, -2, -2, 0]), f32([10, 0.5, 3, 0.5, 0])], f32([1024, 3, -8, nan, 1])),
    plain('1 to any power, and any to 0', [f32([1, 1, nan, -1]), f32([nan, inf, 0, inf])], f32([1, 1, 1, 1])),
  ],
  maximum: [
    plain('NaN wins', [f32([1, nan, 3, -inf]), f32([2, 1, nan, 0])], f32([2, nan, nan, 0])),
    plain('i32 is signed', [i32([-1, 5]), i32([1, -9])], i32([1, 5])),
    plain('u32 is not', [u32([4294967295]), u32([1])], u32([4294967295])),
    plain('of booleans is or', [bool([0, 0, 1]), bool([0, 1, 1])], bool([0, 1, 1])),
  ],
  minimum: [
    plain('NaN wins', [f32([1, nan, 3, inf]), f32([2, 1, nan, 0])], f32([1, nan, nan, 0])),
    plain('i32 is signed', [i32([-1, 5]), i32([1, -9])], i32([-1, -9])),
    plain('u32 is not', [u32([4294967295]), u32([1])], u32([1])),
    plain('of booleans is and', [bool([0, 0, 1]), bool([0, 1, 1])], bool([0, 0, 1])),
  ],
  atan2: [
    plain(
      'in each quadrant',
      [f32([1, 1, -1, -1, 0]), f32([1, -1, 1, -1, -1])],
      f32([0.25 * Math.PI, 0.75 * Math.PI, -0.25 * Math.PI, -0.75 * Math.PI, Math.PI]),
    ),
  ],
  and: [
    plain('booleans', [bool([0, 0, 1, 1]), bool([0, 1, 0, 1])], bool([0, 0, 0, 1])),
    plain('bits', [i32([12, -1]), i32([10, 7])], i32([8, 7])),
    plain('bits of u32', [u32([4294967295]), u32([4026531840])], u32([4026531840])),
  ],
  or: [
    plain('booleans', [bool([0, 0, 1, 1]), bool([0, 1, 0, 1])], bool([0, 1, 1, 1])),
    plain('bits', [i32([12, 1]), i32([10, -2147483648])], i32([14, -2147483647])),
    plain('bits of u8', [u8([128]), u8([1])], u8([129])),
  ],
  xor: [
    plain('booleans', [bool([0, 0, 1, 1]), bool([0, 1, 0, 1])], bool([0, 1, 1, 0])),
    plain('bits', [u32([4294967295, 12]), u32([1, 10])], u32([4294967294, 6])),
  ],
  shiftLeft: [
    plain('beyond the width gives 0', [i32([1, 1, 3, 5]), i32([4, 31, 32, 40])], i32([16, -2147483648, 0, 0])),
    plain('by a negative amount is beyond the width', [i32([1]), i32([-1])], i32([0])),
    plain('u8 has 8 bits', [u8([255, 255]), u8([1, 8])], u8([254, 0])),
  ],
  shiftRightLogical: [
    plain('puts in zeros', [i32([-1, 16, -1]), i32([28, 2, 32])], i32([15, 4, 0])),
    plain('u32', [u32([4294967295, 4294967295]), u32([31, 32])], u32([1, 0])),
  ],
  shiftRightArithmetic: [
    plain(
      'repeats the sign, also beyond the width',
      [i32([-16, 16, -500, 500]), i32([2, 2, 33, 33])],
      i32([-4, 4, -1, 0]),
    ),
    plain('repeats the top bit of u32', [u32([2147483648]), u32([31])], u32([4294967295])),
  ],
  compare: [
    comparison('with NaN is false', 'EQ', ordered, [0, 1, 0, 0, 0, 0]),
    comparison('with NaN is true', 'NE', ordered, [1, 0, 1, 1, 1, 1]),
    comparison('with NaN is false', 'LT', ordered, [1, 0, 0, 0, 0, 0]),
    comparison('with NaN is false', 'LE', ordered, [1, 1, 0, 0, 0, 0]),
    comparison('with NaN is false', 'GT', ordered, [0, 0, 1, 0, 0, 0]),
    comparison('with NaN is false', 'GE', ordered, [0, 1, 1, 0, 0, 0]),
    comparison('i32 is signed', 'LT', [i32([-1, 1]), i32([1, -1])], [1, 0]),
    comparison('u32 is not', 'LT', [u32([4294967295, 1]), u32([1, 4294967295])], [0, 1]),
    comparison('booleans', 'GT', [bool([0, 1, 1]), bool([1, 0, 1])], [0, 1, 0]),
  ],
  select: [
    plain('by element', [bool([1, 0, 1]), f32([1, 2, 3]), f32([-1, -2, -3])], f32([1, -2, 3])),
    plain('does not spread what is not chosen', [bool([1, 0]), f32([1, nan]), f32([inf, 2])], f32([1, 2])),
    plain('integers', [bool([0, 1]), u32([4294967295, 1]), u32([7, 8])], u32([7, 1])),
  ],
}
