/** Random cases of products, convolutions and reductions: each form that derivatives give rise to. */
import { isFloat, type DType } from '../../../src/core/dtype.js'
import type {
  ConvolutionAttributes,
  ConvolutionDimensions,
  DotGeneralAttributes,
  ReduceWindowAttributes,
  ReductionKind,
} from '../../../src/core/operations.js'
import type { Shape } from '../../../src/core/shape.js'
import { ranges, type Range } from '../support/data.js'
import { draw, type RandomCases } from './random.js'

/** Whose products and sums stay exact in every integer type that has the room. */
const small: Range = { least: -4, most: 5 }

interface Product {
  readonly left: Shape
  readonly right: Shape
  readonly batch?: readonly [left: readonly number[], right: readonly number[]]
  readonly contracting: readonly [left: readonly number[], right: readonly number[]]
}

const products: readonly Product[] = [
  { left: [1, 1], right: [1, 1], contracting: [[1], [0]] },
  { left: [3, 5], right: [5, 7], contracting: [[1], [0]] },
  { left: [33, 17], right: [17, 65], contracting: [[1], [0]] },
  { left: [0, 3], right: [3, 2], contracting: [[1], [0]] },
  { left: [2, 0], right: [0, 3], contracting: [[1], [0]] },
  { left: [96, 64], right: [64, 80], contracting: [[1], [0]] },
  { left: [9, 12], right: [7, 12], contracting: [[1], [1]] },
  { left: [12, 9], right: [12, 7], contracting: [[0], [0]] },
  { left: [12, 9], right: [7, 12], contracting: [[0], [1]] },
  { left: [9], right: [9], contracting: [[0], [0]] },
  { left: [9], right: [9, 4], contracting: [[0], [0]] },
  { left: [6, 9], right: [9], contracting: [[1], [0]] },
  { left: [3], right: [4], contracting: [[], []] },
  { left: [2, 5, 6], right: [6, 7], contracting: [[2], [0]] },
  { left: [2, 5, 6], right: [2, 5, 7], contracting: [[0, 1], [0, 1]] }, // prettier-ignore
  { left: [3, 5, 4], right: [3, 4, 6], batch: [[0], [0]], contracting: [[2], [1]] },
  { left: [3, 5, 4], right: [3, 6, 4], batch: [[0], [0]], contracting: [[2], [2]] },
  { left: [1, 5, 4], right: [1, 4, 1], batch: [[0], [0]], contracting: [[2], [1]] },
  { left: [2, 3, 5, 4], right: [2, 3, 6, 4], batch: [[0, 1], [0, 1]], contracting: [[3], [3]] }, // prettier-ignore
  { left: [2, 5, 3, 4], right: [2, 6, 3, 4], batch: [[0, 2], [0, 2]], contracting: [[3], [3]] }, // prettier-ignore
  { left: [5, 3], right: [3, 5], batch: [[0], [1]], contracting: [[1], [0]] },
]

function dotAttributes({ batch = [[], []], contracting }: Product, dtype: DType): DotGeneralAttributes {
  return { leftBatch: batch[0], rightBatch: batch[1], leftContracting: contracting[0], rightContracting: contracting[1], dtype } // prettier-ignore
}

const channelsLast: ConvolutionDimensions = {
  inputBatch: 0, inputSpatial: [1, 2], inputFeature: 3,
  kernelSpatial: [0, 1], kernelInputFeature: 2, kernelOutputFeature: 3,
  outputBatch: 0, outputSpatial: [1, 2], outputFeature: 3,
} // prettier-ignore

const channelsFirst: ConvolutionDimensions = {
  inputBatch: 0, inputFeature: 1, inputSpatial: [2, 3],
  kernelOutputFeature: 0, kernelInputFeature: 1, kernelSpatial: [2, 3],
  outputBatch: 0, outputFeature: 1, outputSpatial: [2, 3],
} // prettier-ignore

/** The kernel's gradient: samples are contracted, features of the input are the batch. */
const kernelGradient: ConvolutionDimensions = {
  inputBatch: 3, inputSpatial: [1, 2], inputFeature: 0,
  kernelSpatial: [1, 2], kernelInputFeature: 0, kernelOutputFeature: 3,
  outputBatch: 2, outputSpatial: [0, 1], outputFeature: 3,
} // prettier-ignore

/** The input's gradient: the kernel's features change places. */
const inputGradient: ConvolutionDimensions = { ...channelsLast, kernelInputFeature: 3, kernelOutputFeature: 2 }

interface Convolution extends Partial<ConvolutionAttributes> {
  readonly what: string
  readonly input: Shape
  readonly kernel: Shape
}

const same = { padding: [[1, 1], [1, 1]] } as const // prettier-ignore

const convolutions: readonly Convolution[] = [
  { what: '1 x 1', input: [2, 4, 5, 3], kernel: [1, 1, 3, 6] },
  { what: '3 x 3', input: [2, 7, 6, 3], kernel: [3, 3, 3, 5] },
  { what: '3 x 3 of the same size', input: [2, 8, 8, 16], kernel: [3, 3, 16, 32], ...same },
  { what: '5 x 5 of one channel', input: [3, 12, 12, 1], kernel: [5, 5, 1, 8], padding: [[2, 2], [2, 2]] }, // prettier-ignore
  { what: 'no sample', input: [0, 4, 4, 2], kernel: [2, 2, 2, 3] },
  { what: 'strides', input: [2, 9, 8, 3], kernel: [3, 3, 3, 4], strides: [2, 2], padding: [[1, 1], [0, 1]] }, // prettier-ignore
  { what: 'negative padding', input: [1, 6, 7, 2], kernel: [2, 3, 2, 3], padding: [[-1, 1], [0, -2]] }, // prettier-ignore
  { what: 'a dilated kernel', input: [1, 9, 10, 2], kernel: [3, 2, 2, 3], kernelDilation: [2, 3] },
  { what: 'feature groups', input: [2, 5, 5, 6], kernel: [3, 3, 2, 9], featureGroups: 3, ...same },
  { what: 'each channel by itself', input: [2, 6, 6, 8], kernel: [3, 3, 1, 8], featureGroups: 8, ...same },
  { what: 'batch groups', input: [4, 5, 5, 3], kernel: [2, 2, 3, 6], batchGroups: 2 },
  { what: 'channels first', input: [2, 3, 6, 7], kernel: [5, 3, 2, 3], dimensions: channelsFirst },
  { what: "the input's gradient", input: [2, 5, 4, 6], kernel: [3, 3, 2, 6], dimensions: inputGradient, inputDilation: [2, 2], padding: [[2, 1], [1, 2]], reversal: [true, true] }, // prettier-ignore
  { what: "the kernel's gradient", input: [2, 7, 7, 3], kernel: [2, 3, 3, 5], dimensions: kernelGradient, kernelDilation: [2, 2], padding: [[1, 0], [0, 0]] }, // prettier-ignore
  {
    what: "a grouped kernel's gradient",
    input: [2, 6, 6, 4],
    kernel: [2, 6, 6, 8],
    dimensions: kernelGradient,
    batchGroups: 2,
    ...same,
  },
]

const reductions: readonly (readonly [shape: Shape, dims: readonly number[]])[] = [
  [[], []],
  [[1], [0]],
  [[0], [0]],
  [[77], [0]],
  [[3, 0], [1]],
  [[0, 3], [1]],
  [[5, 33], [1]],
  [[33, 5], [0]],
  [[3, 4, 5], [1]],
  [
    [3, 4, 5],
    [0, 2],
  ],
  [
    [2, 3, 2, 9],
    [0, 1, 2],
  ],
  [
    [6, 7],
    [0, 1],
  ],
  [[6, 7], []],
  [[130, 67], [0]],
]

interface Window extends Partial<ReduceWindowAttributes> {
  readonly shape: Shape
  readonly window: Shape
}

const windows: readonly Window[] = [
  { shape: [9], window: [3] },
  { shape: [2, 8, 8, 5], window: [1, 2, 2, 1], strides: [1, 2, 2, 1] },
  { shape: [2, 7, 9, 16], window: [1, 3, 3, 1], strides: [1, 2, 2, 1], padding: [[0, 0], [1, 1], [1, 1], [0, 0]] }, // prettier-ignore
  { shape: [6, 5], window: [2, 3], padding: [[1, 0], [0, 2]] }, // prettier-ignore
  { shape: [5, 6], window: [2, 2], baseDilation: [2, 1], windowDilation: [1, 2] },
  { shape: [3, 4], window: [5, 1] },
  { shape: [2, 10], window: [1, 10], padding: [[0, 0], [9, 0]] }, // prettier-ignore
]

function kindsFor(dtype: DType): readonly ReductionKind[] {
  return dtype === 'bool' ? ['and', 'or'] : ['add', 'multiply', 'maximum', 'minimum']
}

/** Factors near 1, so that products of many neither vanish nor overflow. */
function rangeFor(kind: ReductionKind, dtype: DType): Range | undefined {
  if (!isFloat(dtype)) return undefined
  return kind === 'multiply' ? { least: 0.8, most: 1.2 } : ranges.signed
}

/** bf16 is also summed into f32, as `--precision bf16` does it. */
function resultTypes(dtype: DType): readonly DType[] {
  return dtype === 'bf16' ? ['bf16', 'f32'] : [dtype]
}

export const randomSums: RandomCases<'dotGeneral' | 'convolution' | 'reduce' | 'reduceWindow'> = {
  dotGeneral: (dtype) =>
    isFloat(dtype) || dtype === 'i32'
      ? products.flatMap((product) =>
          resultTypes(dtype).map((result) => ({
            what: `[${product.left}] [${product.right}] over [${product.contracting.join('] [')}] to ${result}`,
            operands: [draw('dot left', dtype, product.left, small), draw('dot right', dtype, product.right, small)],
            attributes: dotAttributes(product, result),
          })),
        )
      : [],
  convolution: (dtype) =>
    isFloat(dtype)
      ? convolutions.flatMap(({ what, input, kernel, ...changes }) =>
          resultTypes(dtype).map((result) => ({
            what: `${what} to ${result}`,
            operands: [draw('image', dtype, input), draw('kernel', dtype, kernel)],
            attributes: {
              strides: [1, 1],
              padding: [[0, 0], [0, 0]], // prettier-ignore
              inputDilation: [1, 1],
              kernelDilation: [1, 1],
              featureGroups: 1,
              batchGroups: 1,
              reversal: [false, false],
              dimensions: channelsLast,
              ...changes,
              dtype: result,
            },
          })),
        )
      : [],
  reduce: (dtype) =>
    reductions.flatMap(([shape, dims]) =>
      kindsFor(dtype).map((kind) => ({
        what: `${kind} [${shape}] over [${dims}]`,
        operands: [draw('reduce', dtype, shape, rangeFor(kind, dtype))],
        attributes: { kind, dims },
      })),
    ),
  reduceWindow: (dtype) =>
    windows.flatMap(({ shape, window, ...changes }) =>
      kindsFor(dtype).map((kind) => {
        const ones = window.map(() => 1)
        const padding = window.map(() => [0, 0] as const)
        return {
          what: `${kind} [${shape}] by [${window}]`,
          operands: [draw('window', dtype, shape, rangeFor(kind, dtype))],
          attributes: { kind, window, strides: ones, padding, baseDilation: ones, windowDilation: ones, ...changes },
        }
      }),
    ),
}
