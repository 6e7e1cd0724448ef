/** Random cases of elementwise operations: sizes around a vector's width and a block's, and none at all. */
import { dtypes, isFloat, type DType } from '../../../src/core/dtype.js'
import type {
  BinaryOperation,
  ComparisonDirection,
  NoAttributes,
  UnaryOperation,
} from '../../../src/core/operations.js'
import type { Shape } from '../../../src/core/shape.js'
import { ranges, type Range } from '../support/data.js'
import { all, draw, everyBit, floats, integers, numbers, type RandomCase, type RandomCases } from './random.js'

const shapes: readonly Shape[] = [[], [0], [1], [17], [3, 5], [2, 1, 129], [4099]]

interface Domain {
  readonly dtypes: readonly DType[]
  readonly range?: Range
  /** Of the second operand, where that is another. */
  readonly second?: Range
}

const signed: readonly DType[] = [...floats, 'i32']
const bits: readonly DType[] = [...integers, 'bool']
const wide: Range = { least: -20, most: 20 }

const unaryDomains: { readonly [O in Exclude<UnaryOperation, 'convert' | 'bitcastConvert'>]: Domain } = {
  negate: { dtypes: signed },
  abs: { dtypes: signed },
  sign: { dtypes: signed },
  exponential: { dtypes: floats, range: wide },
  exponentialMinusOne: { dtypes: floats },
  log: { dtypes: floats, range: ranges.positive },
  logPlusOne: { dtypes: floats, range: ranges.unit },
  sqrt: { dtypes: floats, range: ranges.positive },
  rsqrt: { dtypes: floats, range: ranges.positive },
  cbrt: { dtypes: floats },
  tanh: { dtypes: floats, range: wide },
  logistic: { dtypes: floats, range: wide },
  sine: { dtypes: floats, range: wide },
  cosine: { dtypes: floats, range: wide },
  floor: { dtypes: floats },
  ceil: { dtypes: floats },
  roundNearestEven: { dtypes: floats },
  isFinite: { dtypes: floats },
  not: { dtypes: bits },
}

const shift: Domain = { dtypes: integers, second: { least: 0, most: 40 } }

const binaryDomains: { readonly [O in Exclude<BinaryOperation, 'compare'>]: Domain } = {
  add: { dtypes: numbers },
  subtract: { dtypes: numbers },
  multiply: { dtypes: numbers },
  divide: { dtypes: numbers, second: ranges.positive },
  remainder: { dtypes: numbers, range: wide, second: { least: 1, most: 3 } },
  power: { dtypes: floats, range: ranges.positive },
  maximum: { dtypes: all },
  minimum: { dtypes: all },
  atan2: { dtypes: floats },
  and: { dtypes: bits },
  or: { dtypes: bits },
  xor: { dtypes: bits },
  shiftLeft: shift,
  shiftRightLogical: shift,
  shiftRightArithmetic: shift,
}

function rangeFor(dtype: DType, range: Range | undefined): Range | undefined {
  return isFloat(dtype) ? range : everyBit[dtype]
}

function unaryCases(
  operation: string,
  { dtypes: accepted, range }: Domain,
): (dtype: DType) => RandomCase<NoAttributes>[] {
  return (dtype) =>
    accepted.includes(dtype)
      ? shapes.map((shape) => ({
          what: `[${shape}]`,
          operands: [draw(operation, dtype, shape, rangeFor(dtype, range))],
          attributes: {},
        }))
      : []
}

function binaryCases(
  operation: string,
  { dtypes: accepted, range, second }: Domain,
): (dtype: DType) => RandomCase<NoAttributes>[] {
  return (dtype) =>
    accepted.includes(dtype)
      ? shapes.map((shape) => ({
          what: `[${shape}]`,
          operands: [
            draw(`${operation} left`, dtype, shape, rangeFor(dtype, range)),
            draw(`${operation} right`, dtype, shape, second ?? rangeFor(dtype, range)),
          ],
          attributes: {},
        }))
      : []
}

/** Small enough for every element type to reach, and for some whole numbers to be equal. */
const few: Range = { least: -3, most: 4 }

const directions: readonly ComparisonDirection[] = ['EQ', 'NE', 'LT', 'LE', 'GT', 'GE']

export const randomElementwise: RandomCases<UnaryOperation | BinaryOperation | 'select'> = {
  ...(Object.fromEntries(
    Object.entries(unaryDomains).map(([operation, domain]) => [operation, unaryCases(operation, domain)]),
  ) as unknown as RandomCases<keyof typeof unaryDomains>),
  ...(Object.fromEntries(
    Object.entries(binaryDomains).map(([operation, domain]) => [operation, binaryCases(operation, domain)]),
  ) as unknown as RandomCases<keyof typeof binaryDomains>),
  convert: (dtype) =>
    all.flatMap((to) =>
      [[], [0], [33], [4, 1025]].map((shape) => ({
        what: `[${shape}] to ${to}`,
        operands: [draw('convert', dtype, shape, rangeFor(dtype, { least: -90, most: 200 }))],
        attributes: { dtype: to },
      })),
    ),
  bitcastConvert: (dtype) =>
    (['f32', 'i32', 'u32'] as const)
      .filter((to) => dtype !== 'bool' && dtypes[to].sizeBytes === dtypes[dtype].sizeBytes)
      .map((to) => ({
        what: `to ${to}`,
        operands: [draw('bitcast', dtype, [3, 11], { least: 1, most: 2 ** 30 })],
        attributes: { dtype: to },
      })),
  compare: (dtype) =>
    directions.flatMap((direction) =>
      [[], [0], [35], [3, 700]].map((shape) => ({
        what: `${direction} [${shape}]`,
        operands: [draw('compare left', dtype, shape, few), draw('compare right', dtype, shape, few)],
        attributes: { direction },
      })),
    ),
  select: (dtype) =>
    shapes.map((shape) => ({
      what: `[${shape}]`,
      operands: [draw('select', 'bool', shape), draw('select true', dtype, shape), draw('select false', dtype, shape)],
      attributes: {},
    })),
}
