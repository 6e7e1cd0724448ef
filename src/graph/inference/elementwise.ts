/** Types of elementwise operations: one shape throughout; what differs is which element types each accepts. */
import { dtypes, isFloat, type DType } from '../../core/dtype.js'
import type { BinaryOperation, OperationAttributes, UnaryOperation } from '../../core/operations.js'
import { sameShape, tensorType, type TensorType } from '../../core/shape.js'
import { dtypeMismatch, shapeMismatch } from './failures.js'

type Accepts = 'float' | 'number' | 'signedNumber' | 'bits' | 'integer' | 'any'

const accepted: { readonly [A in Accepts]: { readonly test: (dtype: DType) => boolean; readonly what: string } } = {
  float: { test: isFloat, what: 'floating-point elements' },
  number: { test: (dtype) => dtype !== 'bool', what: 'numbers' },
  signedNumber: { test: (dtype) => isFloat(dtype) || dtype === 'i32', what: 'signed numbers' },
  bits: { test: (dtype) => !isFloat(dtype), what: 'integers or booleans' },
  integer: { test: (dtype) => !isFloat(dtype) && dtype !== 'bool', what: 'integers' },
  any: { test: () => true, what: 'anything' },
}

const unaryAccepts: { readonly [O in UnaryOperation]: Accepts } = {
  negate: 'signedNumber',
  abs: 'signedNumber',
  sign: 'signedNumber',
  exponential: 'float',
  exponentialMinusOne: 'float',
  log: 'float',
  logPlusOne: 'float',
  sqrt: 'float',
  rsqrt: 'float',
  cbrt: 'float',
  tanh: 'float',
  logistic: 'float',
  sine: 'float',
  cosine: 'float',
  floor: 'float',
  ceil: 'float',
  roundNearestEven: 'float',
  isFinite: 'float',
  not: 'bits',
  convert: 'any',
  bitcastConvert: 'number',
}

const binaryAccepts: { readonly [O in BinaryOperation]: Accepts } = {
  add: 'number',
  subtract: 'number',
  multiply: 'number',
  divide: 'number',
  remainder: 'number',
  power: 'float',
  maximum: 'any',
  minimum: 'any',
  atan2: 'float',
  and: 'bits',
  or: 'bits',
  xor: 'bits',
  shiftLeft: 'integer',
  shiftRightLogical: 'integer',
  shiftRightArithmetic: 'integer',
  compare: 'any',
}

export function inferUnary<O extends UnaryOperation>(
  operation: O,
  [operand]: readonly TensorType[],
  attributes: OperationAttributes[O],
): TensorType[] {
  const { test, what } = accepted[unaryAccepts[operation]]
  if (!test(operand.dtype))
    throw dtypeMismatch(operation, `takes ${what}, not ${operand.dtype}`, [operand], `convert the operand first`)
  if (operation === 'isFinite') return [tensorType('bool', operand.shape)]
  if (operation !== 'convert' && operation !== 'bitcastConvert') return [operand]
  const { dtype } = attributes as OperationAttributes['convert']
  if (operation === 'bitcastConvert' && dtypes[dtype].sizeBytes !== dtypes[operand.dtype].sizeBytes) {
    throw dtypeMismatch(operation, `sizes differ: ${operand.dtype} and ${dtype}`, [operand])
  }
  return [tensorType(dtype, operand.shape)]
}

export function inferBinary(operation: BinaryOperation, types: readonly TensorType[]): TensorType[] {
  const [left, right] = types
  if (left.dtype !== right.dtype) {
    throw dtypeMismatch(
      operation,
      `element types differ: ${left.dtype} and ${right.dtype}`,
      types,
      'convert one of them',
    )
  }
  const { test, what } = accepted[binaryAccepts[operation]]
  if (!test(left.dtype))
    throw dtypeMismatch(operation, `takes ${what}, not ${left.dtype}`, types, 'convert the operands first')
  if (!sameShape(left.shape, right.shape))
    throw shapeMismatch(operation, 'shapes differ', types, 'broadcast one of them')
  return [operation === 'compare' ? tensorType('bool', left.shape) : left]
}

export function inferSelect(types: readonly TensorType[]): TensorType[] {
  const [predicate, whenTrue, whenFalse] = types
  if (predicate.dtype !== 'bool') throw dtypeMismatch('select', `the predicate is ${predicate.dtype}, not bool`, types)
  if (whenTrue.dtype !== whenFalse.dtype) {
    throw dtypeMismatch(
      'select',
      `element types differ: ${whenTrue.dtype} and ${whenFalse.dtype}`,
      types,
      'convert one of them',
    )
  }
  if (!sameShape(whenTrue.shape, whenFalse.shape) || !sameShape(predicate.shape, whenTrue.shape)) {
    throw shapeMismatch('select', 'shapes differ', types, 'broadcast the operands to one shape')
  }
  return [whenTrue]
}
