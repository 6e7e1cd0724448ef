/** Cases of the elementwise operations, special values included. */
import { isFloat, type DType } from '../../../src/core/dtype.js'
import {
  binaryOperations,
  unaryOperations,
  type BinaryOperation,
  type UnaryOperation,
} from '../../../src/core/operations.js'
import type { Shape } from '../../../src/core/shape.js'
import { allDtypes, elementwiseShapes, input, single, special, type Case, type InputSpec } from './case.js'

/** Where each operation on one operand is tried; elsewhere its value is undefined or infinite. */
const unaryDomain: { readonly [O in UnaryOperation]?: readonly [low: number, high: number] } = {
  log: [0.1, 5],
  logPlusOne: [-0.9, 5],
  sqrt: [0, 5],
  rsqrt: [0.1, 5],
}
const unaryDtypes: { readonly [O in UnaryOperation]: readonly DType[] } = {
  ...(Object.fromEntries(unaryOperations.map((operation) => [operation, ['f32', 'f64', 'bf16']])) as Record<
    UnaryOperation,
    DType[]
  >),
  negate: ['f32', 'f64', 'bf16', 'i32'],
  abs: ['f32', 'f64', 'bf16', 'i32'],
  sign: ['f32', 'f64', 'bf16', 'i32'],
  not: ['bool', 'i32', 'u32', 'u8'],
}

function unaryCases(operation: Exclude<UnaryOperation, 'convert' | 'bitcastConvert'>): Case[] {
  const [low, high] = unaryDomain[operation] ?? []
  const cases = unaryDtypes[operation].flatMap((dtype) =>
    elementwiseShapes.map((shape) => single(operation, `${dtype}[${shape}]`, {}, [input(shape, dtype, low, high)])),
  )
  const takesFloats = unaryDtypes[operation].includes('f32')
  return takesFloats
    ? [...cases, single(operation, 'special', {}, [{ dtype: 'f32', shape: [special.length], values: special }])]
    : cases
}

export function convertCases(): Case[] {
  return allDtypes.flatMap((from) =>
    allDtypes.map((to) => {
      // Out of the target's range, what a conversion gives is not defined.
      const spec = isFloat(from) && !isFloat(to) ? input([3, 4], from, 0, 200) : input([3, 4], from)
      return single('convert', `${from} to ${to}`, { dtype: to }, [spec])
    }),
  )
}

export function bitcastCases(): Case[] {
  const pairs: [DType, DType][] = [
    ['f32', 'u32'],
    ['f32', 'i32'],
    ['i32', 'u32'],
    ['u32', 'f32'],
  ]
  return pairs.map(([from, to]) => single('bitcastConvert', `${from} to ${to}`, { dtype: to }, [input([5], from)]))
}

const binaryDtypes: { readonly [O in Exclude<BinaryOperation, 'compare'>]: readonly DType[] } = {
  add: ['f32', 'f64', 'bf16', 'i32', 'u32', 'u8'],
  subtract: ['f32', 'f64', 'bf16', 'i32', 'u32'],
  multiply: ['f32', 'f64', 'bf16', 'i32', 'u32'],
  divide: ['f32', 'f64', 'bf16', 'i32', 'u32'],
  remainder: ['f32', 'f64', 'i32', 'u32'],
  power: ['f32', 'f64'],
  maximum: ['f32', 'f64', 'bf16', 'i32', 'u32', 'bool'],
  minimum: ['f32', 'f64', 'bf16', 'i32', 'u32', 'bool'],
  atan2: ['f32', 'f64'],
  and: ['bool', 'i32', 'u32', 'u8'],
  or: ['bool', 'i32', 'u32', 'u8'],
  xor: ['bool', 'i32', 'u32', 'u8'],
  shiftLeft: ['i32', 'u32'],
  shiftRightLogical: ['i32', 'u32'],
  shiftRightArithmetic: ['i32', 'u32'],
}

function binaryCases(operation: Exclude<BinaryOperation, 'compare'>): Case[] {
  const operands = (shape: Shape, dtype: DType): InputSpec[] => {
    const left =
      operation === 'power'
        ? input(shape, dtype, 0.1, 3)
        : dtype === 'i32'
          ? input(shape, dtype, -40, 40)
          : input(shape, dtype)
    const right = operation === 'divide' || operation === 'remainder' ? input(shape, dtype, 1, 7) : input(shape, dtype)
    return [left, right]
  }
  const cases = binaryDtypes[operation].flatMap((dtype) =>
    elementwiseShapes.map((shape) => single(operation, `${dtype}[${shape}]`, {}, operands(shape, dtype))),
  )
  if (!binaryDtypes[operation].includes('f32')) return cases
  const pairs = special.flatMap((left) => special.map((right) => [left, right]))
  const side = (which: number): InputSpec => ({
    dtype: 'f32',
    shape: [pairs.length],
    values: pairs.map((pair) => pair[which]),
  })
  return [...cases, single(operation, 'special', {}, [side(0), side(1)])]
}

export function compareCases(): Case[] {
  const directions = ['EQ', 'NE', 'LT', 'LE', 'GT', 'GE'] as const
  return directions.flatMap((direction) => [
    ...(['f32', 'bf16', 'i32', 'u32', 'bool'] as const).map((dtype) =>
      single('compare', `${direction} ${dtype}`, { direction }, [
        input([4, 5], dtype, 0, isFloat(dtype) ? 2 : 1),
        input([4, 5], dtype, 0, isFloat(dtype) ? 2 : 1),
      ]),
    ),
    single('compare', `${direction} special`, { direction }, [
      { dtype: 'f32', shape: [4], values: [NaN, 0, Infinity, NaN] },
      { dtype: 'f32', shape: [4], values: [NaN, -0, Infinity, 1] },
    ]),
  ])
}

export const unaryTable = Object.fromEntries(
  unaryOperations.map((operation) => [operation, () => unaryCases(operation as 'negate')]),
) as Record<UnaryOperation, () => Case[]>
export const binaryTable = Object.fromEntries(
  binaryOperations.map((operation) => [operation, () => binaryCases(operation as 'add')]),
) as Record<BinaryOperation, () => Case[]>
