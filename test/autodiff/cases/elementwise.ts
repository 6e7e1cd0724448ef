/** Gradients of elementwise operations. */
import type { BinaryOperation, ElementwiseOperation, UnaryOperation } from '../../../src/core/operations.js'
import type { Shape } from '../../../src/core/shape.js'
import type { AnyTensor, Tensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { apply } from '../../../src/ops/lift.js'
import { f64, randomTensor, ranges, type Range } from '../../engines/support/data.js'
import { applied, random, real, zero, type Derivative, type Derivatives } from '../support/cases.js'
import type { GradientCase } from '../support/gradients.js'

const shapes: readonly Shape[] = [[], [0], [1], [7], [3, 5]]

function unary(operation: UnaryOperation & 'abs', range?: Range): GradientCase[] {
  return shapes.map((shape) => applied(operation, `[${shape}]`, [random(operation, shape, range)], {}))
}

function binary(operation: BinaryOperation & 'add', range?: Range, second = range): GradientCase[] {
  return shapes.map((shape) => {
    const operands = [random(`${operation} left`, shape, range), random(`${operation} right`, shape, second)]
    return applied(operation, `[${shape}]`, operands, {})
  })
}

type Plain<O> = Exclude<O, 'convert' | 'bitcastConvert' | 'compare'>

const smooth = (operation: Plain<UnaryOperation>, range?: Range): Derivative => real(unary(operation as 'abs', range))

const smoothBinary = (operation: Plain<BinaryOperation>, range?: Range, second?: Range): Derivative =>
  real(binary(operation as 'add', range, second))

const stepped = (operation: Plain<UnaryOperation>): Derivative => zero(...unary(operation as 'abs'))

/** A function of the whole numbers below the operands. */
function ofIntegers(operation: Plain<BinaryOperation>): Derivative {
  const operands = [
    random(`${operation} left`, [7], { least: 1, most: 9 }),
    random('shift', [7], { least: 1, most: 4 }),
  ]
  return zero({
    what: 'of whole numbers',
    operands,
    body: (a, b) => {
      const whole = apply(operation as 'add', [ops.convert(a, 'i32'), ops.convert(b, 'i32')], {})
      return ops.convert(whole, 'f64') as AnyTensor
    },
  })
}

/** Broadcasting in every form: the cotangent is summed back to each operand's shape. */
const broadcastCases = (
  [[[3, 5], [5]], [[3, 1], [1, 5]], [[], [2, 3]], [[1], [0]], [[2, 1, 3], [4, 1]], [[0, 3], [1, 3]]] as const
).map(
  ([left, right]): GradientCase => ({
    what: `broadcasting [${left}] with [${right}]`,
    operands: [random('broadcast left', left), random('broadcast right', right)],
    body: (a, b) => ops.multiply(a, b) as AnyTensor,
  }),
) // prettier-ignore

const powerCases: GradientCase[] = [
  {
    what: 'whole exponents of 0 and of negative numbers',
    operands: [f64([0, 0, 0, 0, -1.5, -1.5, -1.5, -1.5]), f64([0, 1, 2, 3, 0, 1, 2, -3])],
    body: (a, b) => ops.power(a, b) as AnyTensor,
    fixed: [1],
  },
  {
    what: 'an exponent of 0 and of 1',
    operands: [f64([0.5, 2, 0.5, 3]), f64([0, 0, 1, 1])],
    body: (a, b) => ops.power(a, b) as AnyTensor,
  },
]

const selectCases = shapes.map((shape) =>
  applied('select', `[${shape}]`, [randomTensor('predicate', { dtype: 'bool', shape }), random('true', shape), random('false', shape)], {}),
) // prettier-ignore

export const elementwiseDerivatives: Derivatives<ElementwiseOperation> = {
  negate: smooth('negate'),
  abs: smooth('abs'),
  sign: stepped('sign'),
  exponential: smooth('exponential'),
  exponentialMinusOne: smooth('exponentialMinusOne'),
  log: smooth('log', ranges.positive),
  logPlusOne: smooth('logPlusOne', { least: -0.7, most: 2 }),
  sqrt: smooth('sqrt', ranges.positive),
  rsqrt: smooth('rsqrt', { least: 0.4, most: 4 }),
  cbrt: smooth('cbrt', ranges.positive),
  tanh: smooth('tanh'),
  logistic: smooth('logistic'),
  sine: smooth('sine'),
  cosine: smooth('cosine'),
  floor: stepped('floor'),
  ceil: stepped('ceil'),
  roundNearestEven: stepped('roundNearestEven'),
  isFinite: zero({
    what: 'as a number',
    operands: [random('isFinite', [5])],
    body: (x) => ops.convert(ops.isFinite(x) as AnyTensor, 'f64') as AnyTensor,
  }),
  not: zero({
    what: 'of whole numbers',
    operands: [random('not', [5])],
    body: (x) => ops.convert(apply('not', [ops.convert(x, 'i32')], {}), 'f64') as AnyTensor,
  }),
  convert: real([
    applied('convert', 'to the same type', [random('convert', [3, 2])], { dtype: 'f64' }),
    {
      // In f32 and back: the reference engine's floats are doubles within a step.
      what: 'to f32 and back',
      operands: [random('convert', [5])],
      body: (x) => ops.convert(ops.square(ops.convert(x, 'f32')) as AnyTensor, 'f64') as AnyTensor,
    },
    {
      what: 'next to an integer, through which nothing passes',
      operands: [random('convert', [5])],
      body: (x) => ops.multiply(x, ops.convert(ops.convert(x, 'i32'), 'f64')) as AnyTensor,
    },
  ]),
  bitcastConvert: zero({
    what: 'to whole numbers',
    operands: [f64([1.5, -2.5, 0.6])],
    body: (x) => {
      const bits = apply('bitcastConvert', [ops.convert(x, 'f32')], { dtype: 'i32' })
      return ops.convert(apply('shiftRightLogical', [bits, ops.full([3], 24, 'i32')], {}), 'f64') as AnyTensor
    },
  }),
  add: real([...binary('add'), ...broadcastCases]),
  subtract: smoothBinary('subtract'),
  multiply: smoothBinary('multiply'),
  divide: smoothBinary('divide', ranges.signed, { least: 0.4, most: 3 }),
  remainder: smoothBinary('remainder', { least: -9, most: 9 }, { least: 1, most: 3 }),
  power: real([...binary('power' as 'add', { least: 0.3, most: 2 }), ...powerCases]),
  maximum: smoothBinary('maximum'),
  minimum: smoothBinary('minimum'),
  atan2: smoothBinary('atan2', { least: 0.3, most: 2 }),
  and: ofIntegers('and'),
  or: ofIntegers('or'),
  xor: ofIntegers('xor'),
  shiftLeft: ofIntegers('shiftLeft'),
  shiftRightLogical: ofIntegers('shiftRightLogical'),
  shiftRightArithmetic: ofIntegers('shiftRightArithmetic'),
  compare: zero({
    what: 'as a number',
    operands: [random('compare left', [7]), random('compare right', [7])],
    body: (a, b) => ops.convert(ops.less(a, b) as Tensor<Shape, 'bool'>, 'f64') as AnyTensor,
  }),
  select: real(selectCases),
}
