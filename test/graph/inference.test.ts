/**
 * The type of every operation's results, and what it refuses: one exhaustive table. The engines' tests show that the
 * types are those of the numbers; here are the limits.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DType } from '../../src/core/dtype.js'
import { TalwegError, type ErrorCode } from '../../src/core/errors.js'
import type {
  ConvolutionAttributes,
  NoAttributes,
  OperationAttributes,
  OperationName,
} from '../../src/core/operations.js'
import { formatType, tensorData, tensorType, type TensorType } from '../../src/core/shape.js'
import { GraphBuilder, inferTypes } from '../../src/graph/index.js'

/** `f32[8,64]` as a type. */
function parse(text: string): TensorType {
  const match = /^(\w+)\[([\d,]*)\]$/.exec(text)
  assert.ok(match, text)
  return tensorType(match[1] as DType, match[2] === '' ? [] : match[2].split(',').map(Number))
}

/** @typeParam A the operation's attributes */
interface Rule<A> {
  readonly attributes: A
  /** Operands and the result: `f32[2,3] f32[2,3]` gives `f32[2,3]`. */
  readonly gives?: Readonly<Record<string, string>>
  /** Operands that don't fit, and what the message says. */
  readonly refuses?: Readonly<Record<string, readonly [ErrorCode, RegExp]>>
}

type Rules = { readonly [O in Exclude<OperationName, 'composite'>]: readonly Rule<OperationAttributes[O]>[] }

const shape = 'SHAPE_MISMATCH'
const dtype = 'DTYPE_MISMATCH'

/** Operations on one operand of a kind of element type that keep the type. */
function unary(takes: string, refused: string): readonly Rule<NoAttributes>[] {
  const gives = Object.fromEntries([takes, takes.replace(/\[.*/, '[]')].map((type) => [type, type]))
  return [{ attributes: {}, gives, refuses: { [refused]: [dtype, new RegExp(`not ${refused.split('[')[0]}`)] } }]
}

const float = unary('f32[2,3]', 'i32[2]')
const signed = unary('i32[2,3]', 'u32[2]')

function binary(takes: string, refused: string): readonly Rule<NoAttributes>[] {
  const [element] = takes.split('[')
  const other = element === 'f32' ? 'f64' : 'f32'
  return [
    {
      attributes: {},
      gives: { [`${takes} ${takes}`]: takes },
      refuses: {
        [`${takes} ${other}[2,3]`]: [dtype, new RegExp(`element types differ: ${element} and ${other}`)],
        [`${takes} ${element}[3,2]`]: [shape, /shapes differ .*\[2,3\], right .*\[3,2\]/],
        [`${refused} ${refused}`]: [dtype, new RegExp(`not ${refused.split('[')[0]}`)],
      },
    },
  ]
}

const number = binary('f32[2,3]', 'bool[2]')
const bits = binary('i32[2,3]', 'f32[2]')
const integer = binary('u32[2,3]', 'bool[2]')
const anything: readonly Rule<NoAttributes>[] = [
  {
    attributes: {},
    gives: { 'bool[2] bool[2]': 'bool[2]', 'f64[] f64[]': 'f64[]' },
    refuses: { 'f32[2] f32[1]': [shape, /shapes differ/], 'f32[2] bf16[2]': [dtype, /f32 and bf16/] },
  },
]

const images: ConvolutionAttributes = {
  strides: [2, 1],
  padding: [[1, 1], [0, 0]], // prettier-ignore
  inputDilation: [1, 1],
  kernelDilation: [1, 2],
  featureGroups: 1,
  batchGroups: 1,
  reversal: [false, false],
  dimensions: {
    inputBatch: 0, inputSpatial: [1, 2], inputFeature: 3,
    kernelSpatial: [0, 1], kernelInputFeature: 2, kernelOutputFeature: 3,
    outputBatch: 0, outputSpatial: [1, 2], outputFeature: 3,
  }, // prettier-ignore
  dtype: 'f32',
}

const takeRows = { offsetDims: [1], collapsedSliceDims: [0], startIndexMap: [0], indexVectorDim: 1, sliceSizes: [1, 5] }
const putRows = {
  updateWindowDims: [1],
  insertedWindowDims: [0],
  scatterDimsToOperandDims: [0],
  indexVectorDim: 1,
  kind: 'add',
} as const
const among = { axis: 'data', size: 4 }

const rules: Rules = {
  parameter: [{ attributes: { name: 'x', type: parse('f32[2]') }, gives: { '': 'f32[2]' } }],
  constant: [{ attributes: { value: tensorData('i32', [2], [1, 2]) }, gives: { '': 'i32[2]' } }],
  iota: [{ attributes: { type: parse('i32[2,3]'), dim: 1 }, gives: { '': 'i32[2,3]' } }],
  rngBitGenerator: [
    {
      attributes: { shape: [5, 2] },
      gives: { 'u32[4]': 'u32[5,2]' },
      refuses: { 'i32[4]': [dtype, /not u32\[4\]/], 'u32[2]': [dtype, /not u32\[4\] \(operand u32\[2\]\)/] },
    },
  ],
  negate: signed,
  abs: signed,
  sign: signed,
  exponential: float,
  exponentialMinusOne: float,
  log: float,
  logPlusOne: float,
  sqrt: float,
  rsqrt: float,
  cbrt: float,
  tanh: float,
  logistic: float,
  sine: float,
  cosine: float,
  floor: float,
  ceil: float,
  roundNearestEven: float,
  isFinite: [{ attributes: {}, gives: { 'bf16[2]': 'bool[2]' }, refuses: { 'i32[2]': [dtype, /floating-point/] } }],
  not: unary('bool[2,3]', 'f32[2]'),
  convert: [{ attributes: { dtype: 'bf16' }, gives: { 'f64[2]': 'bf16[2]', 'bool[]': 'bf16[]' } }],
  bitcastConvert: [
    {
      attributes: { dtype: 'u32' },
      gives: { 'f32[2,1]': 'u32[2,1]' },
      refuses: { 'f64[2]': [dtype, /sizes differ: f64 and u32/], 'bool[2]': [dtype, /not bool/] },
    },
  ],
  add: number,
  subtract: number,
  multiply: number,
  divide: number,
  remainder: number,
  power: binary('f32[2,3]', 'i32[2]'),
  maximum: anything,
  minimum: anything,
  atan2: binary('f32[2,3]', 'i32[2]'),
  and: bits,
  or: bits,
  xor: bits,
  shiftLeft: integer,
  shiftRightLogical: integer,
  shiftRightArithmetic: integer,
  compare: [
    {
      attributes: { direction: 'LT' },
      gives: { 'f32[2] f32[2]': 'bool[2]', 'bool[] bool[]': 'bool[]' },
      refuses: { 'f32[2] f32[3]': [shape, /shapes differ/], 'f32[2] i32[2]': [dtype, /f32 and i32/] },
    },
  ],
  select: [
    {
      attributes: {},
      gives: { 'bool[2] i32[2] i32[2]': 'i32[2]' },
      refuses: {
        'i32[2] i32[2] i32[2]': [dtype, /predicate is i32, not bool/],
        'bool[2] i32[2] f32[2]': [dtype, /i32 and f32/],
        'bool[1] i32[2] i32[2]': [shape, /operands bool\[1\], i32\[2\], i32\[2\]/],
      },
    },
  ],
  broadcastInDim: [
    {
      attributes: { shape: [2, 3], dims: [1] },
      gives: { 'f32[3]': 'f32[2,3]', 'f32[1]': 'f32[2,3]' },
      refuses: { 'f32[2]': [shape, /cannot become \[2,3\] by dimensions \[1\]/], 'f32[3,1]': [shape, /\[3,1\]/] },
    },
    { attributes: { shape: [2, 3], dims: [2] }, refuses: { 'f32[3]': [shape, /dimensions \[2\]/] } },
    { attributes: { shape: [2, 2], dims: [1, 1] }, refuses: { 'f32[2,2]': [shape, /dimensions \[1,1\]/] } },
  ],
  reshape: [
    {
      attributes: { shape: [4, 3] },
      gives: { 'f32[12]': 'f32[4,3]', 'i32[2,3,2]': 'i32[4,3]' },
      refuses: { 'f32[13]': [shape, /13 elements cannot become \[4,3\], which has 12/] },
    },
    { attributes: { shape: [-1, -12] }, refuses: { 'f32[12]': [shape, /-1,-12/] } },
    { attributes: { shape: [0, 7] }, gives: { 'f32[3,0]': 'f32[0,7]' } },
  ],
  transpose: [
    {
      attributes: { permutation: [2, 0, 1] },
      gives: { 'f32[2,3,4]': 'f32[4,2,3]' },
      refuses: { 'f32[2,3]': [shape, /\[2,0,1\] is no permutation of 2 dimensions/] },
    },
    { attributes: { permutation: [0, 0] }, refuses: { 'f32[2,3]': [shape, /no permutation/] } },
  ],
  slice: [
    {
      attributes: { starts: [1, 0], limits: [4, 3], strides: [2, 1] },
      gives: { 'f32[4,3]': 'f32[2,3]', 'f32[9,9]': 'f32[2,3]' },
      refuses: { 'f32[3,3]': [shape, /not inside/], 'f32[4]': [shape, /operand f32\[4\]/] },
    },
    { attributes: { starts: [2], limits: [1], strides: [1] }, refuses: { 'f32[4]': [shape, /not inside/] } },
    { attributes: { starts: [0], limits: [4], strides: [0] }, refuses: { 'f32[4]': [shape, /not inside/] } },
    { attributes: { starts: [4], limits: [4], strides: [1] }, gives: { 'f32[4]': 'f32[0]' } },
  ],
  concatenate: [
    {
      attributes: { dim: 1 },
      gives: { 'f32[2,3] f32[2,0] f32[2,1]': 'f32[2,4]' },
      refuses: {
        'f32[2,3] f32[3,3]': [shape, /outside dimension 1/],
        'f32[2,3] f32[2]': [shape, /outside dimension 1/],
        'f32[2,3] f64[2,3]': [dtype, /f32 and f64/],
        'f32[2] f32[2]': [shape, /dimension 1/],
        '': [shape, /nothing to join/],
      },
    },
  ],
  pad: [
    {
      attributes: { low: [1, -1], high: [0, 2], interior: [2, 0] },
      gives: { 'f32[3,4] f32[]': 'f32[8,5]', 'f32[0,4] f32[]': 'f32[1,5]' },
      refuses: {
        'f32[3,4] f32[1]': [shape, /not a scalar/],
        'f32[3,4] i32[]': [dtype, /f32 and i32/],
        'f32[3] f32[]': [shape, /don't fit/],
      },
    },
    { attributes: { low: [-3], high: [-3], interior: [0] }, refuses: { 'f32[5] f32[]': [shape, /don't fit/] } },
  ],
  reverse: [
    {
      attributes: { dims: [1] },
      gives: { 'f32[2,3]': 'f32[2,3]' },
      refuses: { 'f32[2]': [shape, /dimensions \[1\] are not all there/] },
    },
  ],
  gather: [
    {
      attributes: takeRows,
      gives: { 'f32[9,5] i32[7]': 'f32[7,5]' },
      refuses: {
        'f32[9,5] f32[7]': [dtype, /starts are f32, not i32/],
        'f32[9,4] i32[7]': [shape, /slices of \[1,5\] don't fit/],
        'f32[9,5] i32[7,2]': [shape, /index vectors have 2 entries, not 1/],
      },
    },
    { attributes: { ...takeRows, offsetDims: [2], indexVectorDim: 2 }, gives: { 'bf16[9,5] i32[7,4]': 'bf16[7,4,5]' } },
    { attributes: { ...takeRows, offsetDims: [0] }, gives: { 'f32[9,5] i32[7]': 'f32[5,7]' } },
    {
      attributes: { ...takeRows, offsetDims: [] },
      refuses: { 'f32[9,5] i32[7]': [shape, /0 offset dimensions for 1/] },
    },
  ],
  scatter: [
    {
      attributes: putRows,
      gives: { 'f32[9,5] i32[7] f32[7,5]': 'f32[9,5]' },
      refuses: {
        'f32[9,5] u32[7] f32[7,5]': [dtype, /starts are u32/],
        'f32[9,5] i32[7] f32[6,5]': [shape, /updates don't fit/],
        'f32[9,5] i32[7] f32[7,6]': [shape, /updates don't fit/],
        'f32[9,5] i32[7] bf16[7,5]': [dtype, /f32 and bf16/],
      },
    },
  ],
  dotGeneral: [
    {
      attributes: { leftBatch: [], rightBatch: [], leftContracting: [1], rightContracting: [0], dtype: 'f32' },
      gives: { 'f32[8,64] f32[64,16]': 'f32[8,16]', 'bf16[8,64] bf16[64]': 'f32[8]', 'f32[2,0] f32[0,3]': 'f32[2,3]' },
      refuses: {
        'f32[8,64] f32[32,16]': [shape, /contracting sizes differ: left dimension 1 is 64, right dimension 0 is 32/],
        'f32[8,64] bf16[64,16]': [dtype, /f32 and bf16/],
        'f32[64] f32[64,16]': [shape, /contracting dimensions 1 and 0 are not both there/],
      },
    },
    {
      attributes: { leftBatch: [0], rightBatch: [1], leftContracting: [2], rightContracting: [0], dtype: 'bf16' },
      gives: { 'bf16[3,8,64] bf16[64,3,16]': 'bf16[3,8,16]' },
      refuses: {
        'bf16[3,8,64] bf16[64,4,16]': [shape, /batch sizes differ: left dimension 0 is 3, right dimension 1 is 4/],
      },
    },
  ],
  convolution: [
    {
      attributes: images,
      gives: { 'f32[2,9,8,3] f32[3,2,3,5]': 'f32[2,5,6,5]', 'f32[2,1,2,3] f32[3,2,3,5]': 'f32[2,1,0,5]' },
      refuses: {
        'f32[2,9,8,4] f32[3,2,3,5]': [shape, /features differ: the input has 4, the kernel 3 in each of 1 groups/],
        'f32[9,8,3] f32[3,2,3,5]': [shape, /operands of 4 dimensions/],
        'f32[2,9,8,3] bf16[3,2,3,5]': [dtype, /f32 and bf16/],
      },
    },
    {
      attributes: { ...images, featureGroups: 2 },
      gives: { 'f32[2,9,8,6] f32[3,2,3,4]': 'f32[2,5,6,4]' },
      refuses: { 'f32[2,9,8,6] f32[3,2,3,5]': [shape, /not divisible by 2 feature and 1 batch/] },
    },
    {
      attributes: { ...images, batchGroups: 2 },
      gives: { 'f32[4,9,8,3] f32[3,2,3,4]': 'f32[2,5,6,4]' },
      refuses: { 'f32[3,9,8,3] f32[3,2,3,4]': [shape, /not divisible by 1 feature and 2 batch/] },
    },
    { attributes: { ...images, inputDilation: [3, 1] }, gives: { 'f32[2,3,8,3] f32[3,2,3,5]': 'f32[2,4,6,5]' } },
  ],
  reduce: [
    {
      attributes: { kind: 'add', dims: [0, 2] },
      gives: { 'f32[2,3,4]': 'f32[3]', 'i32[2,0,4]': 'i32[0]' },
      refuses: { 'f32[2,3]': [shape, /dimensions \[0,2\]/], 'bool[2,3,4]': [dtype, /add does not reduce bool/] },
    },
    {
      attributes: { kind: 'or', dims: [0] },
      gives: { 'bool[2,3]': 'bool[3]' },
      refuses: { 'f32[2]': [dtype, /or does not reduce f32/] },
    },
    { attributes: { kind: 'add', dims: [0, 0] }, refuses: { 'f32[2,3]': [shape, /\[0,0\]/] } },
  ],
  reduceWindow: [
    {
      attributes: {
        kind: 'maximum',
        window: [1, 3],
        strides: [1, 2],
        padding: [[0, 0], [1, 0]], // prettier-ignore
        baseDilation: [1, 1],
        windowDilation: [1, 1],
      },
      gives: { 'f32[2,8]': 'f32[2,4]', 'f32[2,1]': 'f32[2,0]' },
      refuses: { 'f32[2,3,4]': [shape, /the window has 2 dimensions/], 'bool[2,3]': [dtype, /does not reduce bool/] },
    },
  ],
  optimizationBarrier: [{ attributes: {}, gives: { 'f32[2]': 'f32[2]' } }],
  allReduce: [{ attributes: { ...among, kind: 'add' }, gives: { 'f32[2]': 'f32[2]' } }],
  allGather: [{ attributes: { ...among, dim: 1 }, gives: { 'f32[2,3]': 'f32[2,12]' } }],
  reduceScatter: [
    {
      attributes: { ...among, kind: 'add', dim: 0 },
      gives: { 'f32[8,3]': 'f32[2,3]' },
      refuses: { 'f32[7,3]': [shape, /dimension 0 is not divisible by 4/] },
    },
  ],
  collectivePermute: [{ attributes: { ...among, pairs: [[0, 1]] }, gives: { 'f32[2]': 'f32[2]' } }],
}

function operandsOf(text: string): TensorType[] {
  return text === '' ? [] : text.split(' ').map(parse)
}

describe('types', () => {
  for (const [name, list] of Object.entries(rules)) {
    const operation = name as keyof Rules
    for (const { attributes, gives = {}, refuses = {} } of list as readonly Rule<NoAttributes>[]) {
      for (const [operands, result] of Object.entries(gives)) {
        test(`${operation}(${operands}) is ${result}`, () => {
          const [type] = inferTypes(operation, operandsOf(operands), attributes, undefined)
          assert.equal(formatType(type), result)
        })
      }
      for (const [operands, [code, message]] of Object.entries(refuses)) {
        test(`${operation} refuses (${operands})`, () => {
          const builder = new GraphBuilder('test')
          const inputs = operandsOf(operands).map((type, index) => builder.parameter(`x${index}`, type))
          assert.throws(
            () => builder.add(operation, inputs, attributes),
            (error) => error instanceof TalwegError && error.code === code && message.test(error.message),
          )
        })
      }
    }
  }
})
