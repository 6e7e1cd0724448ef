/** Gradients of products, convolutions and reductions, in every layout, with every kind of padding and dilation. */
import type { ConvolutionAttributes, ReduceWindowAttributes, ReductionKind } from '../../../src/core/operations.js'
import { numElements, type Shape } from '../../../src/core/shape.js'
import type { AnyTensor, Tensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { randomSums } from '../../engines/random/sums.js'
import { f64 } from '../../engines/support/data.js'
import { applied, random, real, type Derivatives } from '../support/cases.js'
import type { GradientCase } from '../support/gradients.js'

type Sum = keyof typeof randomSums

const isSmall = ({ operands }: { readonly operands: readonly { readonly shape: Shape }[] }): boolean =>
  operands.every(({ shape }) => numElements(shape) <= 160)

const products: GradientCase[] = [
  ...randomSums.dotGeneral('f64').filter(isSmall).map(({ what, operands, attributes }) => applied('dotGeneral', what, operands, attributes)),
  // Batch and contracting dimensions out of order, and in another order on each side.
  applied('dotGeneral', 'transposed layouts', [random('left', [3, 2, 4, 5]), random('right', [5, 6, 3, 2])], {
    leftBatch: [1, 0], rightBatch: [3, 2], leftContracting: [3], rightContracting: [0], dtype: 'f64',
  }),
  applied('dotGeneral', 'two contracting dimensions crossed', [random('left', [3, 2, 4]), random('right', [2, 5, 3])], {
    leftBatch: [], rightBatch: [], leftContracting: [1, 0], rightContracting: [0, 2], dtype: 'f64',
  }),
  applied('dotGeneral', 'three contracting dimensions in a cycle', [random('left', [2, 3, 4]), random('right', [4, 2, 3])], {
    leftBatch: [], rightBatch: [], leftContracting: [2, 0, 1], rightContracting: [0, 1, 2], dtype: 'f64',
  }),
  applied('dotGeneral', 'free dimensions around the contracting one', [random('left', [2, 3, 4]), random('right', [5, 3, 2, 2])], {
    leftBatch: [0], rightBatch: [3], leftContracting: [1], rightContracting: [1], dtype: 'f64',
  }),
  {
    what: 'of a tensor with itself',
    operands: [random('left', [3, 3])],
    body: (x) => ops.matmul(x, x) as AnyTensor,
  },
  {
    what: 'matmul that broadcasts its batch',
    operands: [random('left', [2, 1, 3, 4]), random('right', [5, 4, 2])],
    body: (a, b) => ops.matmul(a, b as never) as AnyTensor,
  },
] // prettier-ignore

interface Convolution extends Partial<ConvolutionAttributes> {
  readonly what: string
  readonly input?: Shape
  readonly kernel?: Shape
}

const channelsFirst: ConvolutionAttributes['dimensions'] = {
  inputBatch: 0, inputFeature: 1, inputSpatial: [2, 3],
  kernelOutputFeature: 0, kernelInputFeature: 1, kernelSpatial: [2, 3],
  outputBatch: 0, outputFeature: 1, outputSpatial: [2, 3],
} // prettier-ignore

/** No dimension where another operand has it, and the spatial ones crossed. */
const scrambled: ConvolutionAttributes['dimensions'] = {
  inputBatch: 2, inputFeature: 0, inputSpatial: [3, 1],
  kernelOutputFeature: 1, kernelInputFeature: 3, kernelSpatial: [0, 2],
  outputBatch: 3, outputFeature: 2, outputSpatial: [1, 0],
} // prettier-ignore

const convolutions: readonly Convolution[] = [
  { what: 'plain' },
  { what: '1 x 1', kernel: [1, 1, 2, 3] },
  { what: 'strides that leave elements over', strides: [2, 3] },
  { what: 'padding', padding: [[1, 2], [0, 3]] },
  { what: 'negative padding', padding: [[-1, 1], [0, -2]] },
  { what: 'negative padding on both sides, strides', padding: [[-1, -1], [-2, 0]], strides: [1, 2] },
  { what: 'padding wider than the kernel', padding: [[3, 4], [5, 2]], strides: [2, 2] },
  { what: 'a dilated kernel', kernelDilation: [2, 3] },
  { what: 'a dilated input', inputDilation: [2, 3] },
  { what: 'both dilated, strides, padding', inputDilation: [2, 2], kernelDilation: [2, 1], strides: [3, 2], padding: [[1, 2], [-1, 1]] },
  { what: 'feature groups', input: [2, 4, 4, 4], kernel: [2, 2, 2, 6], featureGroups: 2 },
  { what: 'each channel by itself', input: [1, 4, 4, 3], kernel: [2, 2, 1, 6], featureGroups: 3, strides: [2, 1], padding: [[1, 0], [0, 1]] },
  { what: 'batch groups', input: [4, 4, 3, 2], kernel: [2, 2, 2, 4], batchGroups: 2 },
  { what: 'batch groups with strides and padding', input: [3, 4, 4, 1], kernel: [2, 3, 1, 3], batchGroups: 3, strides: [2, 1], padding: [[0, 1], [1, 1]] },
  { what: 'a kernel reversed along both', reversal: [true, true] },
  { what: 'a kernel reversed along one, with all else', reversal: [true, false], strides: [2, 1], padding: [[1, 0], [-1, 2]], kernelDilation: [1, 2], inputDilation: [2, 1] },
  { what: 'channels first', input: [2, 2, 4, 3], kernel: [3, 2, 2, 2], dimensions: channelsFirst },
  { what: 'dimensions in another order', input: [2, 3, 2, 4], kernel: [2, 3, 2, 2], dimensions: scrambled, strides: [2, 1], padding: [[1, 1], [0, 1]] },
  { what: 'groups, dimensions in another order', input: [4, 3, 2, 4], kernel: [2, 6, 2, 2], dimensions: scrambled, featureGroups: 2 },
  { what: 'batch groups, dimensions in another order', input: [2, 3, 4, 4], kernel: [2, 6, 2, 2], dimensions: scrambled, batchGroups: 2 },
  { what: 'no sample', input: [0, 4, 4, 2] },
  { what: 'no place', input: [2, 1, 4, 2] },
  { what: 'no channel', input: [2, 4, 4, 0], kernel: [2, 2, 0, 3] },
] // prettier-ignore

function convolutionCase({ what, input = [2, 5, 4, 2], kernel = [2, 2, 2, 3], ...changes }: Convolution): GradientCase {
  return applied('convolution', what, [random('image', input), random('kernel', kernel)], {
    strides: [1, 1],
    padding: [[0, 0], [0, 0]], // prettier-ignore
    inputDilation: [1, 1],
    kernelDilation: [1, 1],
    featureGroups: 1,
    batchGroups: 1,
    reversal: [false, false],
    dimensions: ops.imageDimensions,
    dtype: 'f64',
    ...changes,
  })
}

/** As the engines', of which a product of nothing or an extreme of nothing is left out: it is no finite number. */
const reductions: GradientCase[] = randomSums
  .reduce('f64')
  .filter(
    (random) => isSmall(random) && (isFiniteOfNothing(random.attributes.kind) || !random.operands[0].shape.includes(0)),
  ) // prettier-ignore
  .map(({ what, operands, attributes }) => applied('reduce', what, operands, attributes))

function isFiniteOfNothing(kind: ReductionKind): boolean {
  return kind === 'add' || kind === 'multiply'
}

const productsWithZeros: GradientCase[] = [
  { what: 'one zero', data: [2, 0, -3, 0.5] },
  { what: 'two zeros', data: [2, 0, -3, 0] },
  { what: 'three zeros', data: [0, 0, 0, 1.5] },
  { what: 'an odd number of elements', data: [0, 2, 3, -1, 0.5] },
  { what: 'one element', data: [0] },
].map(({ what, data }) => applied('reduce', `multiply of ${what}`, [f64(data)], { kind: 'multiply', dims: [0] }))

const severalProducts = applied(
  'reduce',
  'multiply over dimensions apart, zeros in some rows',
  [f64([1, 0, 2, 3, -1, 0.5, 0, 0, 2, 1, 1, 3], [2, 3, 2])],
  { kind: 'multiply', dims: [2, 0] },
)

const ofTruths: GradientCase = {
  what: 'and, or: of no real number',
  operands: [random('truths', [2, 3])],
  body: (x) => {
    const isPositive = ops.greater(x, 0) as Tensor<Shape, 'bool'>
    return [ops.all(isPositive, 1), ops.any(isPositive, 1)].map((truth) => ops.convert(truth, 'f64') as AnyTensor)
  },
}

interface Window extends Partial<ReduceWindowAttributes> {
  readonly what: string
  readonly shape: Shape
  readonly window: Shape
}

const windows: readonly Window[] = [
  { what: 'one dimension', shape: [7], window: [3] },
  { what: 'one dimension with padding', shape: [5], window: [3], padding: [[1, 2]] },
  { what: 'windows side by side', shape: [1, 4, 5, 2], window: [1, 2, 2, 1], strides: [1, 2, 2, 1] },
  { what: 'windows that overlap, padding', shape: [1, 5, 4, 2], window: [1, 3, 3, 1], strides: [1, 2, 2, 1], padding: [[0, 0], [1, 1], [1, 0], [0, 0]] },
  { what: 'strides beyond the window', shape: [9], window: [2], strides: [4] },
  { what: 'negative padding', shape: [6, 5], window: [2, 2], padding: [[-1, 0], [1, -2]] },
  { what: 'a dilated window', shape: [7, 6], window: [2, 3], windowDilation: [3, 2], strides: [2, 1] },
  { what: 'a dilated base', shape: [4, 3], window: [3, 2], baseDilation: [2, 2] },
  { what: 'all at once', shape: [4, 4], window: [3, 3], baseDilation: [2, 1], windowDilation: [1, 2], strides: [2, 1], padding: [[1, 0], [0, 2]] },
  { what: 'one window over everything', shape: [3, 4], window: [3, 4] },
  { what: 'no window', shape: [2, 3], window: [3, 1] },
  { what: 'no element', shape: [0, 3], window: [1, 2] },
] // prettier-ignore

function windowCase(kind: ReductionKind, { what, shape, window, ...changes }: Window): GradientCase {
  const ones = window.map(() => 1)
  const padding = window.map(() => [0, 0] as const)
  const attributes = { kind, window, strides: ones, padding, baseDilation: ones, windowDilation: ones, ...changes }
  return applied('reduceWindow', `${kind}, ${what}`, [random(`window ${kind}`, shape)], attributes)
}

export const sumDerivatives: Derivatives<Sum> = {
  dotGeneral: real(products),
  convolution: real(convolutions.map(convolutionCase)),
  reduce: real([...reductions, ...productsWithZeros, severalProducts, ofTruths]),
  reduceWindow: real(
    (['add', 'maximum', 'minimum'] as const).flatMap((kind) => windows.map((window) => windowCase(kind, window))),
    [windowCase('multiply', windows[0]), windowCase('multiply', windows[7])],
  ),
}
