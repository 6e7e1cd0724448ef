/**
 * Small graphs with inputs, some for every operation: an exhaustive table, so that an operation without a check does
 * not compile. Shapes have odd sizes, ones and zeros; numbers come from Philox by the case's name, so they never change.
 */
import { dtypes, isFloat, toBFloat16Bits, type DType } from '../../src/core/dtype.js'
import {
  binaryOperations,
  unaryOperations,
  type BinaryOperation,
  type ConvolutionAttributes,
  type OperationAttributes,
  type OperationName,
  type ReductionKind,
  type UnaryOperation,
} from '../../src/core/operations.js'
import { hashString, philoxBits } from '../../src/core/random.js'
import { numElements, tensorData, tensorType, type Shape, type TensorData } from '../../src/core/shape.js'
import { GraphBuilder, type Graph, type Value } from '../../src/graph/index.js'

export interface Case {
  readonly name: string
  readonly graph: Graph
  /** A row of inputs for each worker. */
  readonly inputs: readonly (readonly TensorData[])[]
}

/** What an input's numbers are: uniform in a range (both ends reached by integers), or as given. */
export interface InputSpec {
  readonly dtype: DType
  readonly shape: Shape
  readonly low?: number
  readonly high?: number
  readonly values?: readonly number[]
}

/** An input; f32 from -2 to 2 unless said otherwise. */
export function input(shape: Shape, dtype: DType = 'f32', low = isFloat(dtype) ? -2 : 0, high = dtype === 'bool' ? 1 : isFloat(dtype) ? 2 : 9): InputSpec {
  return { dtype, shape, low, high }
}

export function randomData(spec: InputSpec, seed: string): TensorData {
  const { dtype, shape, low = -2, high = 2, values } = spec
  const size = numElements(shape)
  const bits = philoxBits([hashString(seed), 0, 0, 0], size)
  const uniform = (index: number): number => bits[index] / 2 ** 32
  const draw = (index: number): number => {
    if (values !== undefined) return values[index]
    return isFloat(dtype) ? low + (high - low) * uniform(index) : low + Math.floor((high - low + 1) * uniform(index))
  }
  const numbers = Array.from({ length: size }, (_, index) => (dtype === 'bf16' ? toBFloat16Bits(draw(index)) : draw(index)))
  return tensorData(dtype, shape, numbers)
}

/** A case made by building a graph; every value that `body` returns is a result. */
export function makeCase(
  name: string,
  specs: readonly InputSpec[],
  body: (builder: GraphBuilder, inputs: readonly Value[]) => readonly Value[],
  numWorkers = 1,
): Case {
  const builder = new GraphBuilder(name)
  const parameters = specs.map(({ dtype, shape }, index) => builder.parameter(`input${index}`, tensorType(dtype, shape)))
  const results = body(builder, parameters).map((value, index) => ({ name: `output${index}`, value }))
  const row = (worker: number): TensorData[] => specs.map((spec, index) => randomData(spec, `${name}/${worker}/${index}`))
  return { name, graph: builder.build(results), inputs: Array.from({ length: numWorkers }, (_, worker) => row(worker)) }
}

/** A case of one operation. */
function single<O extends OperationName>(
  operation: O,
  note: string,
  attributes: OperationAttributes[O],
  specs: readonly InputSpec[],
  numWorkers = 1,
): Case {
  return makeCase(`${operation} ${note}`, specs, (builder, inputs) => builder.add(operation, inputs, attributes), numWorkers)
}

const elementwiseShapes: readonly Shape[] = [[], [7], [2, 1, 5], [0, 3]]
const special = [0, -0, 1, -1, Infinity, -Infinity, NaN, 0.5, -2.5, 1.5]

/** Where each operation on one operand is tried; elsewhere its value is undefined or infinite. */
const unaryDomain: { readonly [O in UnaryOperation]?: readonly [low: number, high: number] } = {
  log: [0.1, 5],
  logPlusOne: [-0.9, 5],
  sqrt: [0, 5],
  rsqrt: [0.1, 5],
}
const unaryDtypes: { readonly [O in UnaryOperation]: readonly DType[] } = {
  ...(Object.fromEntries(unaryOperations.map((operation) => [operation, ['f32', 'f64', 'bf16']])) as Record<UnaryOperation, DType[]>),
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
  return takesFloats ? [...cases, single(operation, 'special', {}, [{ dtype: 'f32', shape: [special.length], values: special }])] : cases
}

const allDtypes = Object.keys(dtypes) as DType[]

function convertCases(): Case[] {
  return allDtypes.flatMap((from) =>
    allDtypes.map((to) => {
      // Out of the target's range, what a conversion gives is not defined.
      const spec = isFloat(from) && !isFloat(to) ? input([3, 4], from, 0, 200) : input([3, 4], from)
      return single('convert', `${from} to ${to}`, { dtype: to }, [spec])
    }),
  )
}

function bitcastCases(): Case[] {
  const pairs: [DType, DType][] = [['f32', 'u32'], ['f32', 'i32'], ['i32', 'u32'], ['u32', 'f32']] // prettier-ignore
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
    const left = operation === 'power' ? input(shape, dtype, 0.1, 3) : dtype === 'i32' ? input(shape, dtype, -40, 40) : input(shape, dtype)
    const right = operation === 'divide' || operation === 'remainder' ? input(shape, dtype, 1, 7) : input(shape, dtype)
    return [left, right]
  }
  const cases = binaryDtypes[operation].flatMap((dtype) =>
    elementwiseShapes.map((shape) => single(operation, `${dtype}[${shape}]`, {}, operands(shape, dtype))),
  )
  if (!binaryDtypes[operation].includes('f32')) return cases
  const pairs = special.flatMap((left) => special.map((right) => [left, right]))
  const side = (which: number): InputSpec => ({ dtype: 'f32', shape: [pairs.length], values: pairs.map((pair) => pair[which]) })
  return [...cases, single(operation, 'special', {}, [side(0), side(1)])]
}

function compareCases(): Case[] {
  const directions = ['EQ', 'NE', 'LT', 'LE', 'GT', 'GE'] as const
  return directions.flatMap((direction) => [
    ...(['f32', 'bf16', 'i32', 'u32', 'bool'] as const).map((dtype) =>
      single('compare', `${direction} ${dtype}`, { direction }, [input([4, 5], dtype, 0, isFloat(dtype) ? 2 : 1), input([4, 5], dtype, 0, isFloat(dtype) ? 2 : 1)]),
    ),
    single('compare', `${direction} special`, { direction }, [
      { dtype: 'f32', shape: [4], values: [NaN, 0, Infinity, NaN] },
      { dtype: 'f32', shape: [4], values: [NaN, -0, Infinity, 1] },
    ]),
  ])
}

const reductionKinds: readonly ReductionKind[] = ['add', 'multiply', 'maximum', 'minimum', 'and', 'or']
const numericKinds: readonly ReductionKind[] = ['add', 'multiply', 'maximum', 'minimum']
const dtypeOf = (kind: ReductionKind): DType => (kind === 'and' || kind === 'or' ? 'bool' : 'f32')

function reduceCases(): Case[] {
  const byKind = reductionKinds.flatMap((kind) => [
    single('reduce', `${kind} [1]`, { kind, dims: [1] }, [input([3, 5], dtypeOf(kind))]),
    single('reduce', `${kind} all`, { kind, dims: [0, 1, 2] }, [input([2, 3, 5], dtypeOf(kind))]),
    single('reduce', `${kind} of nothing`, { kind, dims: [0] }, [input([0, 3], dtypeOf(kind))]),
    single('reduce', `${kind} no dimensions`, { kind, dims: [] }, [input([2, 3], dtypeOf(kind))]),
  ])
  const others = numericKinds.flatMap((kind) =>
    (['f64', 'bf16', 'i32', 'u32'] as const).map((dtype) => single('reduce', `${kind} ${dtype}`, { kind, dims: [0, 2] }, [input([2, 3, 4], dtype)])),
  )
  return [...byKind, ...others]
}

function reduceWindowCases(): Case[] {
  const pool = { window: [1, 3, 3, 1], strides: [1, 2, 2, 1], padding: [[0, 0], [1, 1], [1, 1], [0, 0]], baseDilation: [1, 1, 1, 1], windowDilation: [1, 1, 1, 1] } as const // prettier-ignore
  const dilated = { window: [2, 2], strides: [1, 1], padding: [[1, 0], [0, 2]], baseDilation: [2, 1], windowDilation: [1, 2] } as const
  return reductionKinds.flatMap((kind) => [
    single('reduceWindow', `${kind} pool`, { kind, ...pool }, [input([2, 7, 6, 3], dtypeOf(kind))]),
    single('reduceWindow', `${kind} dilated`, { kind, ...dilated }, [input([4, 5], dtypeOf(kind))]),
  ])
}

const rows = { offsetDims: [1], collapsedSliceDims: [0], startIndexMap: [0], indexVectorDim: 1, sliceSizes: [1, 4] }

function gatherCases(): Case[] {
  const blocks = { offsetDims: [0, 2], collapsedSliceDims: [], startIndexMap: [1, 0], indexVectorDim: 1, sliceSizes: [2, 3] }
  return [
    single('gather', 'rows', rows, [input([6, 4]), input([5], 'i32', 0, 5)]),
    single('gather', 'rows clamped', rows, [input([6, 4]), input([7], 'i32', -4, 12)]),
    single('gather', 'rows by a matrix', { ...rows, offsetDims: [2], indexVectorDim: 2 }, [input([6, 4]), input([2, 3], 'i32', 0, 5)]),
    single('gather', 'blocks', blocks, [input([5, 6]), input([4, 2], 'i32', 0, 3)]),
    single('gather', 'no rows', rows, [input([6, 4]), input([0], 'i32')]),
  ]
}

function scatterCases(): Case[] {
  const intoRows = { updateWindowDims: [1], insertedWindowDims: [0], scatterDimsToOperandDims: [0], indexVectorDim: 1 }
  const blocks = { updateWindowDims: [1, 2], insertedWindowDims: [], scatterDimsToOperandDims: [0, 1], indexVectorDim: 1 }
  const kinds = numericKinds.flatMap((kind) => [
    single('scatter', `${kind} rows`, { ...intoRows, kind }, [input([6, 4]), input([9], 'i32', 0, 5), input([9, 4])]),
    single('scatter', `${kind} rows, some outside`, { ...intoRows, kind }, [input([6, 4]), input([9], 'i32', -3, 9), input([9, 4])]),
    single('scatter', `${kind} blocks`, { ...blocks, kind }, [input([5, 6]), input([3, 2], 'i32', 0, 4), input([3, 2, 3])]),
  ])
  // Which of two updates of one place is last is not defined, so a replacement has its places once each.
  const places: InputSpec = { dtype: 'i32', shape: [4], values: [3, 0, 5, 7] }
  return [...kinds, single('scatter', 'replace rows', { ...intoRows, kind: 'replace' }, [input([6, 4]), places, input([4, 4])])]
}

function dotGeneralCases(): Case[] {
  const plain = { leftBatch: [], rightBatch: [], leftContracting: [1], rightContracting: [0], dtype: 'f32' } as const
  const batched = { leftBatch: [0, 1], rightBatch: [0, 1], leftContracting: [3], rightContracting: [3], dtype: 'f32' } as const
  return [
    single('dotGeneral', 'matrix', plain, [input([5, 7]), input([7, 3])]),
    single('dotGeneral', 'left transposed', { ...plain, leftContracting: [0] }, [input([7, 5]), input([7, 3])]),
    single('dotGeneral', 'matrix by vector', plain, [input([5, 7]), input([7])]),
    single('dotGeneral', 'inner', { ...plain, leftContracting: [0] }, [input([7]), input([7])]),
    single('dotGeneral', 'outer', { ...plain, leftContracting: [], rightContracting: [] }, [input([3]), input([4])]),
    single('dotGeneral', 'batched', batched, [input([2, 3, 4, 5]), input([2, 3, 6, 5])]),
    single('dotGeneral', 'batch last', { ...plain, leftBatch: [2], rightBatch: [1], leftContracting: [0], rightContracting: [0] }, [input([4, 3, 2]), input([4, 2, 5])]),
    single('dotGeneral', 'two contracted', { ...plain, leftContracting: [1, 2], rightContracting: [1, 0] }, [input([3, 4, 5]), input([5, 4, 2])]),
    single('dotGeneral', 'nothing contracted away', plain, [input([3, 0]), input([0, 4])]),
    single('dotGeneral', 'f64', { ...plain, dtype: 'f64' }, [input([5, 7], 'f64'), input([7, 3], 'f64')]),
    single('dotGeneral', 'bf16 to f32', plain, [input([5, 7], 'bf16'), input([7, 3], 'bf16')]),
    single('dotGeneral', 'bf16', { ...plain, dtype: 'bf16' }, [input([5, 7], 'bf16'), input([7, 3], 'bf16')]),
    single('dotGeneral', 'i32', { ...plain, dtype: 'i32' }, [input([5, 7], 'i32'), input([7, 3], 'i32')]),
  ] // prettier-ignore
}

function convolutionCases(): Case[] {
  const images: ConvolutionAttributes = {
    strides: [1, 1], padding: [[1, 1], [1, 1]], inputDilation: [1, 1], kernelDilation: [1, 1], featureGroups: 1, batchGroups: 1, reversal: [false, false], dtype: 'f32',
    dimensions: {
      inputBatch: 0, inputFeature: 3, inputSpatial: [1, 2], kernelInputFeature: 2, kernelOutputFeature: 3, kernelSpatial: [0, 1],
      outputBatch: 0, outputFeature: 3, outputSpatial: [1, 2],
    },
  } // prettier-ignore
  const line = { inputBatch: 0, inputFeature: 2, inputSpatial: [1], kernelInputFeature: 1, kernelOutputFeature: 2, kernelSpatial: [0], outputBatch: 0, outputFeature: 2, outputSpatial: [1] } // prettier-ignore
  const channelsFirst = { ...images.dimensions, inputFeature: 1, inputSpatial: [2, 3], outputFeature: 1, outputSpatial: [2, 3] }
  const operands = [input([2, 6, 7, 3]), input([3, 3, 3, 5])]
  return [
    single('convolution', 'images', images, operands),
    single('convolution', 'strided, padded unevenly', { ...images, strides: [2, 3], padding: [[0, 1], [2, 0]] }, operands),
    single('convolution', 'kernel dilated', { ...images, kernelDilation: [2, 1] }, operands),
    single('convolution', 'input dilated', { ...images, inputDilation: [2, 3] }, operands),
    single('convolution', 'reversed', { ...images, reversal: [true, true] }, operands),
    single('convolution', 'feature groups', { ...images, featureGroups: 2 }, [input([2, 5, 5, 4]), input([3, 3, 2, 6])]),
    single('convolution', 'batch groups', { ...images, batchGroups: 2 }, [input([4, 5, 5, 3]), input([3, 3, 3, 6])]),
    single('convolution', 'negative padding', { ...images, padding: [[-1, 1], [0, -1]] }, operands),
    single('convolution', 'channels first', { ...images, dimensions: channelsFirst }, [input([2, 3, 6, 7]), input([3, 3, 3, 5])]),
    single('convolution', 'one dimension', { ...images, strides: [1], padding: [[0, 0]], inputDilation: [1], kernelDilation: [1], reversal: [false], dimensions: line }, [input([2, 8, 3]), input([3, 3, 4])]),
    single('convolution', 'bf16', { ...images, dtype: 'bf16' }, [input([2, 6, 7, 3], 'bf16'), input([3, 3, 3, 5], 'bf16')]),
  ] // prettier-ignore
}

function constantCases(): Case[] {
  const of = (note: string, value: TensorData): Case => single('constant', note, { value }, [])
  const words = allDtypes.map((dtype) => of(`${dtype} in words`, randomData(input([3, 4], dtype), `constant ${dtype}`)))
  const bytes = allDtypes.map((dtype) => of(`${dtype} in bytes`, randomData(input([9, 11], dtype), `constant bytes ${dtype}`)))
  const splat = allDtypes.map((dtype) => of(`${dtype} all alike`, randomData(input([2, 3], dtype, 1, 1), `constant splat ${dtype}`)))
  const extreme = [...special, 1e-7, 1e-38, 3.4e38, 1e21, 123456789, 0.1, 1 / 3]
  const f32 = of('f32 special', tensorData('f32', [extreme.length], extreme))
  const f64 = of('f64 special', tensorData('f64', [extreme.length + 2], [...extreme, 1e-300, Number.MAX_VALUE]))
  const bf16 = of('bf16 special', tensorData('bf16', [extreme.length], extreme.map(toBFloat16Bits)))
  const i32 = of('i32 extremes', tensorData('i32', [3], [-0x80000000, 0x7fffffff, -1]))
  return [...words, ...bytes, ...splat, f32, f64, bf16, i32, of('nothing', tensorData('f32', [0, 3])), of('scalar', tensorData('f32', [], [0.1]))]
}

function randomBitsCases(): Case[] {
  const states = [[0, 0, 0, 0], [0x9abcdef0, 0x12345678, 0x87654321, 0x0fedcba9], [7, 0, 0xffffffff, 0xffffffff]] // prettier-ignore
  return states.flatMap((values, index) =>
    [[], [1], [4], [5], [2, 6], [3, 5, 7]].map((shape) =>
      single('rngBitGenerator', `state ${index} [${shape}]`, { shape }, [{ dtype: 'u32', shape: [4], values }]),
    ),
  )
}

const workers = { axis: 'data', size: 4 } as const

/** Exchanges along one axis of four workers, and along each axis of a mesh of two by two. */
function collectiveCases<O extends 'allReduce' | 'allGather' | 'reduceScatter' | 'collectivePermute'>(
  operation: O,
  others: readonly Omit<OperationAttributes[O], 'axis' | 'size'>[],
): Case[] {
  const specOf = (attributes: object): InputSpec => input([8, 3], 'kind' in attributes ? dtypeOf(attributes.kind as ReductionKind) : 'f32')
  const line = others.map((rest, index) =>
    single(operation, `of four, ${index}`, { ...rest, ...workers } as OperationAttributes[O], [specOf(rest)], 4),
  )
  const [first] = others
  const square = makeCase(
    `${operation} of two by two`,
    [specOf(first)],
    (builder, inputs) => {
      const settings = 'pairs' in first ? { pairs: [[0, 1]] } : first
      const along = (axis: string, value: Value): Value => builder.add(operation, [value], { ...settings, axis, size: 2 } as never)[0]
      return [along('data', inputs[0]), along('model', inputs[0])]
    },
    4,
  )
  return [...line, square]
}

const unaryTable = Object.fromEntries(
  unaryOperations.map((operation) => [operation, () => unaryCases(operation as 'negate')]),
) as Record<UnaryOperation, () => Case[]>
const binaryTable = Object.fromEntries(
  binaryOperations.map((operation) => [operation, () => binaryCases(operation as 'add')]),
) as Record<BinaryOperation, () => Case[]>

export const operationCases: { readonly [O in OperationName]: () => Case[] } = {
  ...unaryTable,
  ...binaryTable,
  convert: convertCases,
  bitcastConvert: bitcastCases,
  compare: compareCases,
  parameter: () => allDtypes.map((dtype) => makeCase(`parameter ${dtype}`, [input([2, 3], dtype)], (_, inputs) => inputs)),
  constant: constantCases,
  iota: () =>
    allDtypes.flatMap((dtype) => [0, 1].map((dim) => single('iota', `${dtype} ${dim}`, { type: tensorType(dtype, [2, 2]), dim }, []))),
  rngBitGenerator: randomBitsCases,
  select: () =>
    allDtypes.map((dtype) => single('select', dtype, {}, [input([3, 5], 'bool'), input([3, 5], dtype), input([3, 5], dtype)])),
  broadcastInDim: () => [
    single('broadcastInDim', 'scalar', { shape: [2, 3], dims: [] }, [input([])]),
    single('broadcastInDim', 'row', { shape: [2, 3], dims: [1] }, [input([3])]),
    single('broadcastInDim', 'column', { shape: [2, 3], dims: [0] }, [input([2])]),
    single('broadcastInDim', 'ones', { shape: [4, 2, 3], dims: [0, 2] }, [input([1, 3])]),
    single('broadcastInDim', 'to nothing', { shape: [0, 3], dims: [1] }, [input([3])]),
  ],
  reshape: () => [
    single('reshape', 'split', { shape: [2, 3, 4] }, [input([6, 4])]),
    single('reshape', 'to scalar', { shape: [] }, [input([1, 1])]),
    single('reshape', 'nothing', { shape: [3, 0] }, [input([0, 7])]),
  ],
  transpose: () => [
    single('transpose', 'matrix', { permutation: [1, 0] }, [input([3, 5])]),
    single('transpose', 'heads', { permutation: [0, 2, 1, 3] }, [input([2, 3, 4, 5])]),
    single('transpose', 'scalar', { permutation: [] }, [input([])]),
  ],
  slice: () => [
    single('slice', 'inside', { starts: [1, 0], limits: [4, 3], strides: [1, 1] }, [input([5, 3])]),
    single('slice', 'strided', { starts: [0, 1], limits: [5, 7], strides: [2, 3] }, [input([5, 7])]),
    single('slice', 'to nothing', { starts: [2, 0], limits: [2, 3], strides: [1, 1] }, [input([5, 3])]),
  ],
  concatenate: () => [
    single('concatenate', 'three', { dim: 1 }, [input([2, 3]), input([2, 1]), input([2, 0])]),
    single('concatenate', 'one', { dim: 0 }, [input([2, 3], 'i32')]),
  ],
  pad: () => [
    single('pad', 'around', { low: [1, 0], high: [2, 3], interior: [0, 0] }, [input([3, 4]), input([])]),
    single('pad', 'inside', { low: [0, 1], high: [0, 0], interior: [2, 1] }, [input([3, 4]), input([])]),
    single('pad', 'cut', { low: [-1, 2], high: [1, -3], interior: [0, 0] }, [input([3, 4]), input([])]),
    single('pad', 'nothing', { low: [1], high: [1], interior: [1] }, [input([0], 'i32'), input([], 'i32')]),
  ],
  reverse: () => [
    single('reverse', 'both', { dims: [0, 2] }, [input([3, 2, 4])]),
    single('reverse', 'none', { dims: [] }, [input([3])]),
  ],
  gather: gatherCases,
  scatter: scatterCases,
  dotGeneral: dotGeneralCases,
  convolution: convolutionCases,
  reduce: reduceCases,
  reduceWindow: reduceWindowCases,
  optimizationBarrier: () => [
    single('optimizationBarrier', 'one', {}, [input([2, 3])]),
    single('optimizationBarrier', 'two', {}, [input([2, 3]), input([4], 'i32')]),
  ],
  // Each composite has cases of its own, in composites.ts.
  composite: () => [],
  allReduce: () => collectiveCases('allReduce', reductionKinds.map((kind) => ({ kind }))),
  allGather: () => collectiveCases('allGather', [{ dim: 0 }, { dim: 1 }]),
  reduceScatter: () => collectiveCases('reduceScatter', [{ kind: 'add', dim: 0 }, { kind: 'maximum', dim: 0 }]),
  collectivePermute: () => collectiveCases('collectivePermute', [{ pairs: [[0, 1], [1, 2], [2, 3], [3, 0]] }, { pairs: [[0, 2]] }]),
} // prettier-ignore
