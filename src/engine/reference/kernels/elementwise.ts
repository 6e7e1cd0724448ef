/**
 * Elementwise operations: for each, what it does to one element, first for floats, then for integers.
 *
 * Where StableHLO leaves the result to the implementation, it is what XLA gives: integers divided by zero give all bits
 * set, with the dividend as remainder; a float converted to an integer that doesn't reach so far gives the nearest
 * there is, and NaN gives 0.
 */
import { dtypes, isFloat, type DType } from '../../../core/dtype.js'
import type {
  BinaryOperation,
  ComparisonDirection,
  ElementwiseOperation,
  UnaryOperation,
} from '../../../core/operations.js'
import { tensorData, type TensorType } from '../../../core/shape.js'
import { fromHost, numbersOf, roundTo, toHost, type Numbers, type ReferenceTensor } from '../tensor.js'
import type { Kernel, Kernels } from './kernel.js'

type OfOne = (x: number) => number
type OfTwo = (x: number, y: number) => number

const floatOfOne = {
  negate: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  exponential: Math.exp,
  exponentialMinusOne: Math.expm1,
  log: Math.log,
  logPlusOne: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  cbrt: Math.cbrt,
  tanh: Math.tanh,
  logistic: (x) => 1 / (1 + Math.exp(-x)),
  sine: Math.sin,
  cosine: Math.cos,
  floor: Math.floor,
  ceil: Math.ceil,
  roundNearestEven: (x) => {
    const halfUp = Math.round(x)
    return halfUp - x === 0.5 && halfUp % 2 !== 0 ? halfUp - 1 : halfUp
  },
  isFinite: (x) => Number(Number.isFinite(x)),
} satisfies { readonly [O in UnaryOperation]?: OfOne }

/** `negate`, `abs` and `sign` are the same for i32, since a store wraps; -0 doesn't survive one. */
const numberKernels = Object.fromEntries(
  Object.entries(floatOfOne).map(([operation, f]): [string, Kernel<'negate'>] => [
    operation,
    ([operand], _, [type]) => mapOne(operand, type, f),
  ]),
) as unknown as Kernels<keyof typeof floatOfOne>

const not: Kernel<'not'> = ([operand], _, [type]) =>
  mapOne(operand, type, type.dtype === 'bool' ? (x) => 1 - x : (x) => ~x)

const convert: Kernel<'convert'> = ([operand], _, [type]) =>
  mapOne(operand, type, conversion(operand.dtype, type.dtype))

/** Integers of other types wrap when they are stored, so there is something to do only for bool and floats. */
function conversion(from: DType, to: DType): OfOne {
  if (to === 'bool') return (x) => Number(x !== 0)
  if (to === 'bf16') return (x) => roundTo('bf16', x)
  if (!isFloat(from) || isFloat(to)) return (x) => x
  const [least, most] = integerRange[to as keyof typeof integerRange]
  return (x) => (Number.isNaN(x) ? 0 : Math.trunc(Math.min(Math.max(x, least), most)))
}

/** Least and most of each integer type. */
export const integerRange = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  u8: [0, 255],
  bool: [0, 1],
} as const

/** The same bits under another type of the same size. */
const bitcastConvert: Kernel<'bitcastConvert'> = ([operand], _, [type]) => {
  const before = tensorData(operand.dtype, operand.shape)
  toHost(operand.data, before, 0)
  const after = tensorData(type.dtype, type.shape)
  new Uint8Array(after.data.buffer).set(new Uint8Array(before.data.buffer))
  return [fromHost(after, 0, after.data.length)]
}

const floatOfTwo: { readonly [O in Exclude<BinaryOperation, BitOperation | 'compare'>]: OfTwo } = {
  add: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
  divide: (x, y) => x / y,
  /** Has the sign of the dividend. */
  remainder: (x, y) => x % y,
  /** IEEE's pow, where 1 to any power is 1, and so is -1 to an infinite one; JavaScript has NaN there. */
  power: (x, y) => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y),
  /** NaN if either is; +0 is more than -0. */
  maximum: Math.max,
  minimum: Math.min,
  atan2: Math.atan2,
}

type BitOperation = 'and' | 'or' | 'xor' | 'shiftLeft' | 'shiftRightLogical' | 'shiftRightArithmetic'

/** For i32, u32, u8 and bool; what is stored is the low bits. */
const integerOfTwo: {
  readonly [O in Exclude<BinaryOperation, 'power' | 'atan2' | 'compare'>]: (dtype: DType) => OfTwo
} = {
  add: () => floatOfTwo.add,
  subtract: () => floatOfTwo.subtract,
  multiply: () => Math.imul,
  divide: () => (x, y) => (y === 0 ? -1 : Math.trunc(x / y)),
  remainder: () => (x, y) => (y === 0 ? x : x % y),
  maximum: () => Math.max,
  minimum: () => Math.min,
  and: () => (x, y) => x & y,
  or: () => (x, y) => x | y,
  xor: () => (x, y) => x ^ y,
  shiftLeft: (dtype) => (x, y) => (inWidth(dtype, y) ? x << y : 0),
  shiftRightLogical: (dtype) => (x, y) => (inWidth(dtype, y) ? x >>> y : 0),
  /** Repeats the top bit, also that of an unsigned type. */
  shiftRightArithmetic: (dtype) => {
    const unused = 32 - numBits(dtype)
    return (x, y) => ((x << unused) >> unused) >> (inWidth(dtype, y) ? y : 31)
  },
}

function numBits(dtype: DType): number {
  return dtypes[dtype].sizeBytes * 8
}

/** A shift is by an unsigned amount: a negative one is beyond the width too. */
function inWidth(dtype: DType, amount: number): boolean {
  return amount >= 0 && amount < numBits(dtype)
}

/** What an operation of two operands does to elements of a type. */
export function elementFunction(operation: Exclude<BinaryOperation, 'compare'>, dtype: DType): OfTwo {
  return isFloat(dtype)
    ? floatOfTwo[operation as keyof typeof floatOfTwo]
    : integerOfTwo[operation as keyof typeof integerOfTwo](dtype)
}

const arithmeticKernels = Object.fromEntries(
  [...new Set([...Object.keys(floatOfTwo), ...Object.keys(integerOfTwo)])].map((operation): [string, Kernel<'add'>] => [
    operation,
    ([left, right], _, [type]) => mapTwo(left, right, type, elementFunction(operation as 'add', type.dtype)),
  ]),
) as unknown as Kernels<Exclude<BinaryOperation, 'compare'>>

const comparisons: { readonly [D in ComparisonDirection]: (x: number, y: number) => boolean } = {
  EQ: (x, y) => x === y,
  NE: (x, y) => x !== y,
  LT: (x, y) => x < y,
  LE: (x, y) => x <= y,
  GT: (x, y) => x > y,
  GE: (x, y) => x >= y,
}

const compare: Kernel<'compare'> = ([left, right], { direction }, [type]) => {
  const holds = comparisons[direction]
  return mapTwo(left, right, type, (x, y) => Number(holds(x, y)))
}

const select: Kernel<'select'> = ([predicate, whenTrue, whenFalse], _, [type]) => {
  const result = numbersOf(type)
  for (let i = 0; i < result.length; i++) result[i] = predicate.data[i] !== 0 ? whenTrue.data[i] : whenFalse.data[i]
  return [result]
}

export const elementwiseKernels: Kernels<ElementwiseOperation> = {
  ...numberKernels,
  not,
  convert,
  bitcastConvert,
  ...arithmeticKernels,
  compare,
  select,
}

function mapOne(operand: ReferenceTensor, type: TensorType, f: OfOne): Numbers[] {
  const result = numbersOf(type)
  for (let i = 0; i < result.length; i++) result[i] = f(operand.data[i])
  return [result]
}

function mapTwo(left: ReferenceTensor, right: ReferenceTensor, type: TensorType, f: OfTwo): Numbers[] {
  const result = numbersOf(type)
  for (let i = 0; i < result.length; i++) result[i] = f(left.data[i], right.data[i])
  return [result]
}
