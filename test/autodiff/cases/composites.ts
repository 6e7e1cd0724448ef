/**
 * Gradients of composites. Where one has several results, both by the first alone, for which most have a rule of their
 * own, and by all of them, which goes through the decomposition.
 */
import { remat } from '../../../src/autodiff/index.js'
import type { CompositeName, ReduceWindowAttributes } from '../../../src/core/operations.js'
import type { Shape, TensorData } from '../../../src/core/shape.js'
import { tensorOf, type AnyTensor, type Tensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { adamOf } from '../../engines/support/composites.js'
import { bool, i32, randomTensor } from '../../engines/support/data.js'
import { random, real, type Derivative, type Derivatives } from '../support/cases.js'
import type { Body, GradientCase } from '../support/gradients.js'

const shapes: readonly Shape[] = [[0, 4], [1, 1], [3, 5], [2, 1, 3]] // prettier-ignore
/** For those whose decompositions are long. */
const few: readonly Shape[] = [[0, 4], [3, 5]] // prettier-ignore
const epsilon = 0.01

/** Of an operand that is a variance or a reciprocal root. */
const positive = { least: 0.5, most: 2 }

/** All results of the composite, the last one made, that gives `result`. */
const allResults = (result: AnyTensor): AnyTensor[] => result.value.node.outputs.map(tensorOf)

type Single = (...operands: AnyTensor[]) => AnyTensor

/** By the first result alone, and by all of them. */
function ofBoth(what: string, operands: readonly TensorData[], body: Single): GradientCase[] {
  return [
    { what: `${what}, first result`, operands, body },
    { what: `${what}, all results`, operands, body: (...xs) => allResults(body(...xs)) },
  ]
}

interface RowShapes {
  readonly x: Shape
  readonly weight: Shape
  readonly perRow: Shape
}

/** Cases over rows of each shape; `operands` gives their shapes, `isPositive` those that are drawn so. */
function overRows(operands: (shapes: RowShapes) => readonly Shape[], body: Body, isPositive: readonly number[] = [], over = shapes): GradientCase[] {
  return over.map((x) => {
    const drawn = operands({ x, weight: x.slice(-1), perRow: x.slice(0, -1) })
    return {
      what: `[${x}]`,
      operands: drawn.map((shape, i) => random(`row ${i}`, shape, isPositive.includes(i) ? positive : undefined)),
      body,
    }
  })
} // prettier-ignore

const both = (cases: readonly GradientCase[]): GradientCase[] =>
  cases.flatMap(({ what, operands, body }) => ofBoth(what, operands, body as Single))

/** Statistics over no sample are no numbers. */
const withSamples = (cases: readonly GradientCase[]): GradientCase[] =>
  cases.filter(({ operands }) => operands[0].shape[0] > 0)

const geluForms = ['tanh', 'none'] as const

interface Entropy {
  readonly what: string
  readonly logits: TensorData
  readonly targets: TensorData
  readonly options: ops.CrossEntropyOptions
}

const entropies: Entropy[] = [0, 0.1].flatMap((labelSmoothing) =>
  ([null, -1] as const).map((ignoredTarget) => ({
    what: `smoothing ${labelSmoothing}, ignored ${ignoredTarget}`,
    logits: random('logits', [4, 5]),
    targets: i32([0, ignoredTarget ?? 2, 4, 4]),
    options: { labelSmoothing, ignoredTarget },
  })),
)
entropies.push(
  { what: 'no row', logits: random('logits', [0, 3]), targets: i32([]), options: { labelSmoothing: 0, ignoredTarget: null } },
  { what: 'one class', logits: random('logits', [2, 1]), targets: i32([0, 0]), options: { labelSmoothing: 0, ignoredTarget: null } },
) // prettier-ignore

interface Heads {
  readonly query: Shape
  readonly key: Shape
  readonly causal: boolean
  readonly mask?: TensorData
}

const headCases: readonly Heads[] = [
  { query: [1, 1, 1, 1], key: [1, 1, 1, 1], causal: false },
  { query: [2, 3, 2, 2], key: [2, 3, 2, 2], causal: true },
  { query: [1, 2, 4, 3], key: [1, 3, 2, 3], causal: false },
  { query: [1, 2, 2, 2], key: [1, 4, 1, 2], causal: true },
  { query: [1, 3, 2, 2], key: [1, 4, 2, 2], causal: false, mask: bool([1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1], [1, 1, 3, 4]) },
  { query: [1, 3, 2, 2], key: [1, 3, 1, 2], causal: true, mask: bool([1, 0, 1], [1, 1, 1, 3]) },
] // prettier-ignore

/** Rows that see nothing: their output is 0 whatever the operands; the log of their sum is no part of the contract. */
const blindCases: readonly Heads[] = [
  { query: [1, 4, 1, 2], key: [1, 2, 1, 2], causal: true },
  { query: [1, 2, 2, 2], key: [1, 3, 2, 2], causal: false, mask: bool([0, 0, 0, 1, 1, 0], [1, 1, 2, 3]) },
]

const whatOf = ({ query, key, causal, mask }: Heads): string =>
  `query [${query}], key [${key}]${causal ? ', causal' : ''}${mask === undefined ? '' : ', masked'}`

function headOperands({ query, key, mask }: Heads): TensorData[] {
  return [random('query', query), random('key', key), random('value', key), ...(mask === undefined ? [] : [mask])]
}

const attentionOf =
  ({ causal }: Heads): Single =>
  (q, k, v, mask) =>
    ops.attention(q, k, v, { causal, mask: mask as Tensor<Shape, 'bool'> | undefined })

function attentionGradientCase(heads: Heads): GradientCase {
  const { query, causal, mask } = heads
  const [batch, length, numHeads, width] = query
  const settings = { causal, scale: 1 / Math.sqrt(width) }
  const logSumExp = random('logSumExp', [batch, numHeads, length], positive)
  return {
    what: whatOf(heads),
    operands: [random('dout', query), ...headOperands(heads), random('out', query), logSumExp],
    body: (dout, q, k, v, ...rest) =>
      ops.attentionGradient({ dout, query: q, key: k, value: v, mask: mask && rest[0], out: rest.at(-2)!, logSumExp: rest.at(-1)! }, settings),
  }
} // prettier-ignore

type Pool = Omit<ReduceWindowAttributes, 'kind'>
const pools: readonly (Pool & { readonly shape: Shape })[] = [
  { shape: [6], window: [2], strides: [2], padding: [[0, 0]], baseDilation: [1], windowDilation: [1] },
  { shape: [4, 5], window: [3, 2], strides: [1, 2], padding: [[1, 0], [0, 1]], baseDilation: [1, 1], windowDilation: [1, 2] },
] // prettier-ignore

const poolGradients = pools.map(({ shape, ...pool }): GradientCase => {
  const size = (dim: number): number => {
    const [low, high] = pool.padding[dim]
    const reach = (pool.window[dim] - 1) * pool.windowDilation[dim] + 1
    return Math.floor((shape[dim] + low + high - reach) / pool.strides[dim]) + 1
  }
  return {
    what: `[${shape}] by [${pool.window}]`,
    operands: [random('pool dy', shape.map((_, dim) => size(dim))), random('pool', shape)], // prettier-ignore
    body: (dy, x) => ops.maxPoolGradient(dy, x, ops.reduceWindow(x, { ...pool, kind: 'maximum' }), pool),
  }
})

const groups = {
  elementwise: {
    what: 'two results, an operand used twice',
    operands: [random('grouped', [3, 2]), random('grouped other', [3, 2])],
    body: (a, b) => ops.composite('elementwise', {}, [a, b], (x, y) => [ops.tanh(ops.multiply(x, y) as AnyTensor), ops.multiply(x, x) as AnyTensor] as AnyTensor[]),
  },
  dotEpilogue: {
    what: 'a product with bias and activation',
    operands: [random('grouped', [2, 3]), random('weight', [3, 4]), random('bias', [4])],
    body: (x, w, b) => ops.composite('dotEpilogue', {}, [x, w, b], (left, right, shift) => [ops.tanh(ops.add(ops.matmul(left, right as never), shift) as AnyTensor) as AnyTensor]),
  },
  batchNormRelu: {
    what: 'pooled by 2 x 2',
    operands: [random('rectified', [2, 4, 2, 3]), random('weight', [3]), random('bias', [3])],
    body: (x, w, b) => ops.composite('batchNormRelu', { epsilon, window: [2, 2] }, [x, w, b], (operand, scale, shift) => [
      ops.maxPool2d(ops.relu(ops.batchNorm(operand, scale, shift, epsilon).output as Tensor<Shape, 'f32'>), 2),
    ]),
  },
  batchNormReluGradient: {
    what: 'not pooled',
    operands: [random('rectified dy', [4, 3]), random('rectified', [4, 3]), random('weight', [3]), random('bias', [3]), random('mean', [3]), random('variance', [3], positive)],
    body: (...operands) => ops.composite('batchNormReluGradient', { epsilon, window: [1, 1] }, operands, (dy, x, w, b, m, v) => {
      const normal = ops.multiply(ops.subtract(x, m), ops.rsqrt(ops.add(v, epsilon)))
      const isPositive = ops.greater(ops.add(ops.multiply(normal, w), b), 0) as Tensor<Shape, 'bool'>
      return ops.batchNormGradient(ops.where(isPositive, dy, 0), x, w, m, v, epsilon)
    }),
  },
  widenedReduce: {
    what: 'sums over rows',
    operands: [random('grouped', [3, 4])],
    body: (x) => ops.composite('widenedReduce', {}, [x], (rows) => [ops.sum(rows, 0) as AnyTensor]),
  },
} satisfies Record<string, GradientCase> // prettier-ignore

const recomputed: GradientCase = {
  what: 'a layer within a layer',
  operands: [random('input', [2, 3]), random('weight', [3, 3])],
  body: (x, w) => {
    const layer = remat((h: AnyTensor, weight: AnyTensor) => ops.tanh(ops.matmul(h, weight as never) as AnyTensor) as AnyTensor) // prettier-ignore
    return remat((h: AnyTensor, weight: AnyTensor) => layer(layer(h, weight), weight))(x, w)
  },
}

const stopped: Derivative = {
  kind: 'stopped',
  cases: [{ what: 'identity', operands: [random('stopped', [2, 3])], body: (x) => ops.stopGradient(x) }],
}

const linearModels = ['linear', 'logistic'] as const
const unit = { least: 0, most: 1 }

export const compositeDerivatives: Derivatives<Exclude<CompositeName, 'allReduceStart' | 'allReduceDone'>> = {
  stopGradient: stopped,
  remat: real([recomputed]),
  elementwise: real([groups.elementwise]),
  dotEpilogue: real([groups.dotEpilogue]),
  widenedReduce: real([groups.widenedReduce]),
  // From -5.2 to 5.2: each of the three ranges on both sides.
  erf: real([
    ...overRows(({ x }) => [x], (x) => ops.erf(x) as AnyTensor, [], few),
    { what: 'the three ranges', operands: [randomTensor('erf', { dtype: 'f64', shape: [40] }, { least: -5.2, most: 5.2 })], body: (x) => ops.erf(x) as AnyTensor },
  ]),
  gelu: real(geluForms.flatMap((form) => overRows(({ x }) => [x], (x) => ops.gelu(x, form) as AnyTensor, [], few))),
  geluGradient: real(geluForms.flatMap((form) => overRows(({ x }) => [x, x], (dy, x) => ops.geluGradient(dy, x, form), [], few))),
  softmax: real(overRows(({ x }) => [x], (x) => ops.softmax(x) as AnyTensor)),
  softmaxGradient: real(overRows(({ x }) => [x, x], (dy, y) => ops.softmaxGradient(dy, y))),
  layerNorm: real(both(overRows(({ x, weight }) => [x, weight, weight], (x, w, b) => ops.layerNorm(x, w, b, epsilon)))),
  layerNormGradient: real(overRows(({ x, weight, perRow }) => [x, x, weight, perRow, perRow], (dy, x, w, m, r) => ops.layerNormGradient(dy, x, w, m, r), [4])),
  rmsNorm: real(both(overRows(({ x, weight }) => [x, weight], (x, w) => ops.rmsNorm(x, w, epsilon)))),
  rmsNormGradient: real(overRows(({ x, weight, perRow }) => [x, x, weight, perRow], (dy, x, w, r) => ops.rmsNormGradient(dy, x, w, r), [3])),
  batchNorm: real(both(withSamples(overRows(({ x, weight }) => [x, weight, weight], (x, w, b) => ops.batchNorm(x, w, b, epsilon).output)))),
  batchNormGradient: real(withSamples(overRows(({ x, weight }) => [x, x, weight, weight, weight], (dy, x, w, m, v) => ops.batchNormGradient(dy, x, w, m, v, epsilon), [4]))),
  batchNormRelu: real([groups.batchNormRelu]),
  batchNormReluGradient: real([groups.batchNormReluGradient]),
  softmaxCrossEntropy: real(
    entropies.flatMap(({ what, logits, targets, options }) =>
      ofBoth(what, [logits, targets], (x, rows) => ops.softmaxCrossEntropy(x, rows as Tensor<Shape, 'i32'>, options)),
    ),
  ),
  softmaxCrossEntropyGradient: real(
    entropies.map(({ what, logits, targets, options }) => ({
      what,
      operands: [random('dlosses', targets.shape), logits, targets, random('sums', targets.shape, positive)],
      body: (dy, x, rows, total) => ops.softmaxCrossEntropyGradient(dy, x, rows, total, options),
    })),
  ),
  attention: real([
    ...headCases.flatMap((heads) => ofBoth(whatOf(heads), headOperands(heads), attentionOf(heads))),
    ...blindCases.map((heads) => ({ what: `rows that see nothing: ${whatOf(heads)}`, operands: headOperands(heads), body: attentionOf(heads) })),
  ]),
  attentionGradient: real(headCases.map(attentionGradientCase)),
  adamUpdate: real(overRows(({ x }) => [x, x, x, x, [], [], [], []], (...operands) => adamOf(operands, 0.1), [3, 4, 5, 6, 7])),
  maxPoolGradient: real(poolGradients),
  linearGradient: real(linearModels.map((model): GradientCase => ({
    what: model,
    operands: [random('features', [4, 3]), random('aims', [4], unit), random('weights', [3, 1]), random('intercept', [1])],
    body: (...operands) => Object.values(ops.linearGradient(model, operands[0], operands[1], operands[2], operands[3])),
  }))),
  linearDescent: real(linearModels.map((model): GradientCase => ({
    what: `${model}, two steps of two`,
    operands: [random('features', [4, 3]), random('aims', [4], unit), random('rates', [2], unit), random('weights', [3, 1]), random('intercept', [1])],
    body: (features, targets, rates, weights, intercept) =>
      Object.values(ops.linearDescent(model, { features, targets }, ops.constant([0, 1, 3, 2], [2, 2], 'i32'), rates, { weights, intercept }, true)),
  }))),
} // prettier-ignore
