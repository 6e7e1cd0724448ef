/** Operations on one operand, by hand. Constants such as e are written out, to more digits than f32 has. */
import type { UnaryOperation } from '../../../src/core/operations.js'
import { bf16, bool, f32, i32, u32, u8 } from '../support/data.js'
import { plain, type KnownCases } from './known.js'

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

export const knownUnary: KnownCases<UnaryOperation> = {
  negate: [
    plain('floats, zero and infinities', [f32([1.5, -2, 0, inf])], f32([-1.5, 2, -0, -inf])),
    plain('the least i32 stays itself', [i32([5, -7, 0, -2147483648])], i32([-5, 7, 0, -2147483648])),
  ],
  abs: [
    plain('floats', [f32([-1.5, 2, -0, -inf, nan])], f32([1.5, 2, 0, inf, nan])),
    plain('the least i32 stays itself', [i32([-5, 7, -2147483648])], i32([5, 7, -2147483648])),
  ],
  sign: [
    plain('of NaN is NaN', [f32([-1.5, 2, 0, nan, -inf])], f32([-1, 1, 0, nan, -1])),
    plain('integers', [i32([-5, 0, 7])], i32([-1, 0, 1])),
  ],
  exponential: [
    plain('0, 1, -1, minus infinity', [f32([0, 1, -1, -inf])], f32([1, Math.E, 0.36787944117144233, 0])),
    plain('bf16 rounds the result', [bf16([1, 2])], bf16([2.71875, 7.375])),
  ],
  exponentialMinusOne: [
    plain('is exact near 0', [f32([0, 1e-6, 1, -inf])], f32([0, 1.0000005e-6, 1.718281828459045, -1])),
  ],
  log: [plain('0, below 0', [f32([1, Math.E, 0, -1, 10])], f32([0, 1, -inf, nan, Math.LN10]))],
  logPlusOne: [plain('is exact near 0', [f32([0, 1e-6, 1, -1])], f32([0, 9.999995e-7, Math.LN2, -inf]))],
  sqrt: [plain('below 0', [f32([4, 2, 0, -1, inf])], f32([2, Math.SQRT2, 0, nan, inf]))],
  rsqrt: [plain('0 and infinity', [f32([4, 2, 0, inf])], f32([0.5, Math.SQRT1_2, inf, 0]))],
  cbrt: [plain('of negative numbers', [f32([27, -8, 0, 2])], f32([3, -2, 0, 1.2599210498948732]))],
  tanh: [plain('saturates', [f32([0, 0.5, -1, 20, -inf])], f32([0, 0.46211715726001, -0.7615941559557649, 1, -1]))],
  logistic: [
    plain('saturates', [f32([0, 2, -2, -inf, 40])], f32([0.5, 0.8807970779778823, 0.11920292202211755, 0, 1])),
  ],
  sine: [plain('0, pi/6, pi/2', [f32([0, Math.PI / 6, Math.PI / 2])], f32([0, 0.5, 1]))],
  cosine: [plain('0, pi/3, pi', [f32([0, Math.PI / 3, Math.PI])], f32([1, 0.5, -1]))],
  floor: [plain('towards minus infinity', [f32([1.7, -1.2, 2, -0.5])], f32([1, -2, 2, -1]))],
  ceil: [plain('towards infinity', [f32([1.2, -1.7, 2, 0.5])], f32([2, -1, 2, 1]))],
  roundNearestEven: [
    plain(
      'halves go to the even one',
      [f32([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.7, -0.7])],
      f32([0, 2, 2, 0, -2, -2, 1, -1]),
    ),
  ],
  isFinite: [plain('infinities and NaN are not', [f32([1, inf, -inf, nan])], bool([1, 0, 0, 0]))],
  not: [
    plain('booleans', [bool([1, 0])], bool([0, 1])),
    plain('all bits of integers', [i32([0, 5, -1])], i32([-1, -6, 0])),
    plain('all bits of u8', [u8([0, 5, 255])], u8([255, 250, 0])),
  ],
  convert: [
    {
      what: 'floats towards zero',
      operands: [f32([1.9, -1.9, 0.5])],
      attributes: { dtype: 'i32' },
      result: i32([1, -1, 0]),
    },
    {
      what: 'a float outside to the nearest integer there is, NaN to 0',
      operands: [f32([1e20, -1e20, nan, -inf])],
      attributes: { dtype: 'i32' },
      result: i32([2147483647, -2147483648, 0, -2147483648]),
    },
    {
      what: 'a negative float to u32',
      operands: [f32([-3, 3e9, inf])],
      attributes: { dtype: 'u32' },
      result: u32([0, 3e9, 4294967295]),
    },
    {
      what: 'a float to u8',
      operands: [f32([-1, 254.9, 300])],
      attributes: { dtype: 'u8' },
      result: u8([0, 254, 255]),
    },
    {
      what: 'i32 to u8 keeps the low bits',
      operands: [i32([256, -1, 300])],
      attributes: { dtype: 'u8' },
      result: u8([0, 255, 44]),
    },
    {
      what: 'i32 to u32 keeps the bits',
      operands: [i32([-1, 7])],
      attributes: { dtype: 'u32' },
      result: u32([4294967295, 7]),
    },
    {
      what: 'u32 to i32 keeps the bits',
      operands: [u32([4294967295, 7])],
      attributes: { dtype: 'i32' },
      result: i32([-1, 7]),
    },
    {
      what: 'whatever is not 0 is true',
      operands: [f32([0, -0, 0.1, nan])],
      attributes: { dtype: 'bool' },
      result: bool([0, 0, 1, 1]),
    },
    {
      what: 'integers other than 0 are true',
      operands: [i32([0, 256, -1])],
      attributes: { dtype: 'bool' },
      result: bool([0, 1, 1]),
    },
    { what: 'booleans are 0 and 1', operands: [bool([0, 1])], attributes: { dtype: 'f32' }, result: f32([0, 1]) },
    {
      what: 'u32 to f32 is not negative',
      operands: [u32([3000000000])],
      attributes: { dtype: 'f32' },
      result: f32([3000000000]),
    },
    {
      what: 'to bf16: to the nearest, ties to even',
      operands: [f32([1.00390625, 1.01171875, 1.0078125, -1.005])],
      attributes: { dtype: 'bf16' },
      result: bf16([1, 1.015625, 1.0078125, -1.0078125]),
    },
    {
      what: 'from bf16 is exact',
      operands: [bf16([1.0078125, -0.5])],
      attributes: { dtype: 'f32' },
      result: f32([1.0078125, -0.5]),
    },
  ],
  bitcastConvert: [
    {
      what: 'f32 to its bits',
      operands: [f32([1, -2, 0])],
      attributes: { dtype: 'u32' },
      result: u32([0x3f800000, 0xc0000000, 0]),
    },
    {
      what: 'bits to f32',
      operands: [i32([0x40490fdb, 0x7f800000])],
      attributes: { dtype: 'f32' },
      result: f32([3.141592741012573, inf]),
    },
    { what: 'i32 to u32', operands: [i32([-1])], attributes: { dtype: 'u32' }, result: u32([4294967295]) },
  ],
}
