/** Products, convolutions and reductions, by hand. */
import type {
  ConvolutionAttributes,
  DotGeneralAttributes,
  OperationAttributes,
  ReduceWindowAttributes,
  ReductionKind,
} from '../../../src/core/operations.js'
import type { Shape, TensorData } from '../../../src/core/shape.js'
import { bf16, bool, f32, f64, i32, u32, u8 } from '../support/data.js'
import type { KnownCase, KnownCases } from './known.js'

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

const product: DotGeneralAttributes = {
  leftBatch: [],
  rightBatch: [],
  leftContracting: [1],
  rightContracting: [0],
  dtype: 'f32',
}

const matrix = f32([1, 2, 3, 4, 5, 6], [2, 3])
const rows = f32([1, 2, 3, 4, 5, 6], [3, 2])

/** Sequences [batch, length, features] by a kernel [length, features, results]. */
const sequence: ConvolutionAttributes = {
  strides: [1],
  padding: [[0, 0]],
  inputDilation: [1],
  kernelDilation: [1],
  featureGroups: 1,
  batchGroups: 1,
  reversal: [false],
  dimensions: {
    inputBatch: 0,
    inputSpatial: [1],
    inputFeature: 2,
    kernelSpatial: [0],
    kernelInputFeature: 1,
    kernelOutputFeature: 2,
    outputBatch: 0,
    outputSpatial: [1],
    outputFeature: 2,
  },
  dtype: 'f32',
}

/** The sequence 1, 2, 3, 4 under the kernel 10, 1. */
function convolved(
  what: string,
  changes: Partial<ConvolutionAttributes>,
  values: number[],
): KnownCase<ConvolutionAttributes> {
  return {
    what,
    operands: [f32([1, 2, 3, 4], [1, 4, 1]), f32([10, 1], [2, 1, 1])],
    attributes: { ...sequence, ...changes },
    result: f32(values, [1, values.length, 1]),
  }
}

const images: ConvolutionAttributes = {
  ...sequence,
  strides: [1, 1],
  padding: [[0, 0], [0, 0]], // prettier-ignore
  inputDilation: [1, 1],
  kernelDilation: [1, 1],
  reversal: [false, false],
  dimensions: {
    inputBatch: 0,
    inputSpatial: [1, 2],
    inputFeature: 3,
    kernelSpatial: [0, 1],
    kernelInputFeature: 2,
    kernelOutputFeature: 3,
    outputBatch: 0,
    outputSpatial: [1, 2],
    outputFeature: 3,
  },
}

const channelsFirst: ConvolutionAttributes['dimensions'] = {
  inputBatch: 0,
  inputFeature: 1,
  inputSpatial: [2, 3],
  kernelOutputFeature: 0,
  kernelInputFeature: 1,
  kernelSpatial: [2, 3],
  outputBatch: 0,
  outputFeature: 1,
  outputSpatial: [2, 3],
}

function reduced(
  what: string,
  kind: ReductionKind,
  dims: readonly number[],
  operand: TensorData,
  result: TensorData,
): KnownCase<OperationAttributes['reduce']> {
  return { what: `${kind}: ${what}`, operands: [operand], attributes: { kind, dims }, result }
}

function windowed(
  what: string,
  kind: ReductionKind,
  window: Shape,
  changes: Partial<ReduceWindowAttributes>,
  operand: TensorData,
  result: TensorData,
): KnownCase<ReduceWindowAttributes> {
  const ones = window.map(() => 1)
  const attributes: ReduceWindowAttributes = {
    kind,
    window,
    strides: ones,
    padding: window.map(() => [0, 0]),
    baseDilation: ones,
    windowDilation: ones,
    ...changes,
  }
  return { what: `${kind}: ${what}`, operands: [operand], attributes, result }
}

export const knownSums: KnownCases<'dotGeneral' | 'convolution' | 'reduce' | 'reduceWindow'> = {
  dotGeneral: [
    { what: 'matrices', operands: [matrix, rows], attributes: product, result: f32([22, 28, 49, 64], [2, 2]) },
    {
      what: 'the right one transposed',
      operands: [matrix, matrix],
      attributes: { ...product, rightContracting: [1] },
      result: f32([14, 32, 32, 77], [2, 2]),
    },
    {
      what: 'the left one transposed',
      operands: [matrix, f32([1, 10], [2, 1])],
      attributes: { ...product, leftContracting: [0] },
      result: f32([41, 52, 63], [3, 1]),
    },
    {
      what: 'matrix by matrix in a batch',
      operands: [f32([1, 2, 3, 4], [2, 1, 2]), f32([5, 6, 7, 8], [2, 2, 1])],
      attributes: { ...product, leftBatch: [0], rightBatch: [0], leftContracting: [2], rightContracting: [1] },
      result: f32([17, 53], [2, 1, 1]),
    },
    {
      what: 'a batch that is not in front',
      operands: [f32([1, 2, 3, 4], [2, 2]), f32([5, 6, 7, 8], [2, 2])],
      attributes: { ...product, leftBatch: [1], rightBatch: [1], leftContracting: [0] },
      result: f32([26, 44]),
    },
    {
      what: 'two vectors',
      operands: [f32([1, 2, 3]), f32([4, 5, 6])],
      attributes: { ...product, leftContracting: [0] },
      result: f32([32], []),
    },
    {
      what: 'nothing contracted',
      operands: [f32([1, 2]), f32([3, 4, 5])],
      attributes: { ...product, leftContracting: [], rightContracting: [] },
      result: f32([3, 4, 5, 6, 8, 10], [2, 3]),
    },
    {
      what: 'two dimensions contracted',
      operands: [matrix, matrix],
      attributes: { ...product, leftContracting: [0, 1], rightContracting: [0, 1] },
      result: f32([91], []),
    },
    {
      what: 'a contraction of no elements gives zeros',
      operands: [f32([], [2, 0]), f32([], [0, 3])],
      attributes: product,
      result: f32([0, 0, 0, 0, 0, 0], [2, 3]),
    },
    {
      what: 'f64',
      operands: [f64([1, 1e-12], [1, 2]), f64([1, 1], [2, 1])],
      attributes: { ...product, dtype: 'f64' },
      result: f64([1.000000000001], [1, 1]),
    },
    {
      what: 'i32',
      operands: [i32([1, -2, 3, 4], [2, 2]), i32([5, 6], [2, 1])],
      attributes: { ...product, dtype: 'i32' },
      result: i32([-7, 39], [2, 1]),
    },
    {
      what: 'bf16 summed in f32',
      operands: [bf16([256, 1], [1, 2]), bf16([1, 1], [2, 1])],
      attributes: product,
      result: f32([257], [1, 1]),
    },
    {
      what: 'bf16 to bf16',
      operands: [bf16([1.5, 2], [1, 2]), bf16([2, 3], [2, 1])],
      attributes: { ...product, dtype: 'bf16' },
      result: bf16([9], [1, 1]),
    },
  ],
  convolution: [
    convolved('only where the kernel fits', {}, [12, 23, 34]),
    convolved('a reversed kernel', { reversal: [true] }, [21, 32, 43]),
    convolved('padding', { padding: [[1, 1]] }, [1, 12, 23, 34, 40]),
    convolved('negative padding cuts', { padding: [[-1, 0]] }, [23, 34]),
    convolved('strides', { strides: [2] }, [12, 34]),
    convolved('a dilated input', { inputDilation: [2] }, [10, 2, 20, 3, 30, 4]),
    convolved('a dilated kernel', { kernelDilation: [2] }, [13, 24]),
    convolved('a transposed convolution: dilated, padded, reversed', { inputDilation: [2], padding: [[1, 1]], reversal: [true] }, [10, 1, 20, 2, 30, 3, 40, 4]), // prettier-ignore
    {
      what: 'sums over features',
      operands: [f32([1, 2, 3, 4], [1, 2, 2]), f32([10, 1, 100, 2], [1, 2, 2])],
      attributes: sequence,
      result: f32([210, 5, 430, 11], [1, 2, 2]),
    },
    {
      what: 'feature groups',
      operands: [f32([1, 2, 3, 4], [1, 2, 2]), f32([10, 100], [1, 1, 2])],
      attributes: { ...sequence, featureGroups: 2 },
      result: f32([10, 200, 30, 400], [1, 2, 2]),
    },
    {
      what: 'batch groups',
      operands: [f32([1, 2, 3, 4], [2, 2, 1]), f32([10, 100], [1, 1, 2])],
      attributes: { ...sequence, batchGroups: 2 },
      result: f32([10, 300, 20, 400], [1, 2, 2]),
    },
    {
      what: 'an image',
      operands: [f32([1, 2, 3, 4, 5, 6], [1, 2, 3, 1]), f32([1, 10, 100, 1000], [2, 2, 1, 1])],
      attributes: images,
      result: f32([5421, 6532], [1, 1, 2, 1]),
    },
    {
      what: 'channels first',
      operands: [f32([1, 2, 3, 4], [1, 1, 2, 2]), f32([1, 10, 100, 1000], [1, 1, 2, 2])],
      attributes: { ...images, dimensions: channelsFirst },
      result: f32([4321], [1, 1, 1, 1]),
    },
    {
      what: 'bf16 summed in f32',
      operands: [bf16([256, 1], [1, 2, 1]), bf16([1, 1], [2, 1, 1])],
      attributes: sequence,
      result: f32([257], [1, 1, 1]),
    },
    {
      what: 'a kernel larger than the input',
      operands: [f32([1], [1, 1, 1]), f32([10, 1], [2, 1, 1])],
      attributes: sequence,
      result: f32([], [1, 0, 1]),
    },
  ],
  reduce: [
    reduced('rows', 'add', [1], matrix, f32([6, 15])),
    reduced('columns', 'add', [0], matrix, f32([5, 7, 9])),
    reduced('everything', 'add', [0, 1], matrix, f32([21], [])),
    reduced('the middle dimension', 'add', [1], f32([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]), f32([4, 6, 12, 14], [2, 2])),
    reduced('no dimension', 'add', [], f32([1, 2]), f32([1, 2])),
    reduced('no element gives 0', 'add', [1], f32([], [2, 0]), f32([0, 0])),
    reduced('i32 wraps', 'add', [0], i32([2147483647, 1]), i32([-2147483648], [])),
    reduced('u8 wraps', 'add', [0], u8([200, 100]), u8([44], [])),
    reduced('products', 'multiply', [0], f32([2, 3, 4]), f32([24], [])),
    reduced('no element gives 1', 'multiply', [0], f32([]), f32([1], [])),
    reduced('negative numbers', 'maximum', [1], f32([-3, -1, -2, -9], [2, 2]), f32([-1, -2])),
    reduced('NaN wins', 'maximum', [0], f32([1, nan, 3]), f32([nan], [])),
    reduced('no element gives minus infinity', 'maximum', [0], f32([]), f32([-inf], [])),
    reduced('no element gives the least i32', 'maximum', [0], i32([]), i32([-2147483648], [])),
    reduced('u32 is not signed', 'maximum', [0], u32([1, 4294967295]), u32([4294967295], [])),
    reduced('numbers', 'minimum', [0], f32([3, -1, 2]), f32([-1], [])),
    reduced('no element gives infinity', 'minimum', [0], f32([]), f32([inf], [])),
    reduced('booleans', 'and', [1], bool([1, 1, 1, 0], [2, 2]), bool([1, 0])),
    reduced('no element gives true', 'and', [0], bool([]), bool([1], [])),
    reduced('booleans', 'or', [1], bool([0, 0, 1, 0], [2, 2]), bool([0, 1])),
  ],
  reduceWindow: [
    windowed('what is left over is not used', 'maximum', [2], { strides: [2] }, f32([1, 5, 3, 2, 4]), f32([5, 3])),
    windowed('padding counts 0', 'add', [3], { padding: [[1, 1]] }, f32([1, 2, 3]), f32([3, 6, 5])),
    windowed('padding counts minus infinity', 'maximum', [2], { padding: [[1, 0]] }, f32([-3, -2]), f32([-3, -2])),
    windowed('a window of padding alone', 'maximum', [1], { padding: [[2, 0]] }, f32([1]), f32([-inf, -inf, 1])),
    windowed('negative padding cuts', 'add', [2], { padding: [[-1, -1]] }, f32([1, 2, 3, 4, 5]), f32([5, 7])),
    windowed('padding counts 1', 'multiply', [2], { padding: [[0, 1]] }, f32([2, 3]), f32([6, 3])),
    windowed('a dilated operand', 'add', [2], { baseDilation: [2] }, f32([1, 2, 3]), f32([1, 2, 2, 3])),
    windowed('a dilated window', 'add', [2], { windowDilation: [2] }, f32([1, 2, 3, 4]), f32([4, 6])),
    windowed('NaN wins', 'maximum', [2], {}, f32([1, nan, 2, 3]), f32([nan, nan, 3])),
    windowed('two dimensions', 'add', [2, 2], {}, matrix, f32([12, 16], [1, 2])),
    windowed('integers', 'minimum', [2], {}, i32([3, -1, 2]), i32([-1, -1])),
    windowed('images', 'maximum', [1, 2, 2, 1], { strides: [1, 2, 2, 1] }, f32([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 4, 1]), f32([6, 8], [1, 1, 2, 1])), // prettier-ignore
    windowed('booleans', 'or', [2], {}, bool([0, 0, 1]), bool([0, 1])),
  ],
}
