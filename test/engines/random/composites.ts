/** Random cases of composites, in the sizes at which kernels go wrong; the reference engine runs the decomposition. */
import { tensorType, type Shape, type TensorData, type TensorType } from '../../../src/core/shape.js'
import type { Tensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { adamOf, type CompositeBody, type KernelComposite } from '../support/composites.js'
import { randomTensor, tensorFrom, type Range } from '../support/data.js'

export interface RandomComposite {
  readonly what: string
  readonly operands: readonly TensorData[]
  readonly body: CompositeBody
}

const rowSizes: readonly (readonly [rows: number, width: number])[] = [
  [0, 8], [1, 1], [3, 5], [2, 16], [7, 33], [40, 384], [300, 17],
] // prettier-ignore

function f32(shape: Shape): TensorType {
  return tensorType('f32', shape)
}

/** What a composite over rows takes: its operands' types for so many rows of such a width. */
type RowTypes = (x: TensorType, weight: TensorType, perRow: TensorType) => readonly TensorType[]

function overRows(
  name: string,
  types: RowTypes,
  body: CompositeBody,
  ranges: readonly (Range | undefined)[] = [],
): RandomComposite[] {
  return rowSizes.map(([rows, width]) => {
    const what = `${rows} x ${width}`
    const operands = types(f32([rows, width]), f32([width]), f32([rows]))
    return { what, operands: operands.map((type, i) => randomTensor(`${name} ${what} ${i}`, type, ranges[i])), body }
  })
}

const variance: Range = { least: 0.1, most: 2 }

/** Batch statistics over no sample at all are NaN by the decomposition, and nobody's to define. */
function withSamples(cases: readonly RandomComposite[]): RandomComposite[] {
  return cases.filter(({ operands }) => operands[0].shape[0] > 0)
}

interface Entropy {
  readonly logits: TensorData
  readonly targets: TensorData
  readonly options: ops.CrossEntropyOptions
}

const entropies: readonly Entropy[] = [[1, 2], [6, 10], [33, 65], [9, 257]].flatMap(([rows, numClasses]) =>
  [0, 0.1].flatMap((labelSmoothing) =>
    [null, -1].map((ignoredTarget): Entropy => {
      const targetOf = (i: number): number => (i % 5 === 3 ? (ignoredTarget ?? 0) : (i * 7) % numClasses)
      return {
        logits: randomTensor(`logits ${rows} ${numClasses}`, f32([rows, numClasses]), { least: -4, most: 4 }),
        targets: tensorFrom('i32', [rows], Array.from({ length: rows }, (_, i) => targetOf(i))),
        options: { labelSmoothing, ignoredTarget },
      }
    }),
  ),
) // prettier-ignore

function describeEntropy({ logits, options }: Entropy): string {
  return `[${logits.shape}], smoothing ${options.labelSmoothing}, ignored ${options.ignoredTarget}`
}

interface Heads {
  readonly batch: number
  readonly queries: number
  readonly keys: number
  readonly heads: number
  readonly keyHeads: number
  readonly width: number
  readonly causal: boolean
  readonly masked: boolean
}

const headSizes: readonly Heads[] = [
  { batch: 1, queries: 1, keys: 1, heads: 1, keyHeads: 1, width: 1, causal: false, masked: false },
  { batch: 2, queries: 5, keys: 5, heads: 3, keyHeads: 3, width: 8, causal: true, masked: false },
  { batch: 1, queries: 64, keys: 64, heads: 2, keyHeads: 2, width: 32, causal: true, masked: false },
  { batch: 2, queries: 70, keys: 70, heads: 1, keyHeads: 1, width: 64, causal: true, masked: false },
  { batch: 1, queries: 33, keys: 47, heads: 4, keyHeads: 2, width: 16, causal: false, masked: false },
  { batch: 1, queries: 7, keys: 19, heads: 2, keyHeads: 1, width: 12, causal: true, masked: true },
  { batch: 2, queries: 130, keys: 130, heads: 2, keyHeads: 2, width: 24, causal: false, masked: true },
]

interface AttentionCase {
  readonly what: string
  readonly query: TensorType
  readonly operands: readonly TensorData[]
  readonly options: { readonly causal: boolean; readonly scale: number }
  readonly heads: Heads
}

const attentions: readonly AttentionCase[] = headSizes.map((h) => {
  const what = JSON.stringify(h)
  const query = f32([h.batch, h.queries, h.heads, h.width])
  const key = f32([h.batch, h.keys, h.keyHeads, h.width])
  const operands = [query, key, key].map((type, i) => randomTensor(`attention ${what} ${i}`, type))
  if (h.masked) operands.push(someSeen(what, [h.batch, 1, h.queries, h.keys]))
  return { what, query, operands, options: { causal: h.causal, scale: 1 / Math.sqrt(h.width) }, heads: h }
})

/** A mask in which every row sees its first key: the log of an empty row's sum is no part of the contract. */
function someSeen(what: string, shape: Shape): TensorData {
  const mask = randomTensor(`mask ${what}`, tensorType('bool', shape))
  const numKeys = shape[shape.length - 1]
  for (let i = 0; i < mask.data.length; i += numKeys) mask.data[i] = 1
  return mask
}

const pools = [
  { shape: [2, 6, 6, 3], window: [2, 2], strides: [2, 2], padding: [0, 0] },
  { shape: [1, 9, 7, 20], window: [3, 3], strides: [2, 2], padding: [1, 1] },
  { shape: [1, 5, 5, 1], window: [3, 2], strides: [1, 1], padding: [0, 1] },
  { shape: [0, 4, 4, 2], window: [2, 2], strides: [2, 2], padding: [0, 0] },
] as const

function poolCase({ shape, window, strides, padding }: (typeof pools)[number]): RandomComposite {
  const around = padding.map((size) => [size, size] as const)
  const attributes = {
    window: [1, ...window, 1],
    strides: [1, ...strides, 1],
    padding: [[0, 0] as const, ...around, [0, 0] as const],
    baseDilation: [1, 1, 1, 1],
    windowDilation: [1, 1, 1, 1],
  }
  const size = (dim: 0 | 1): number => Math.floor((shape[dim + 1] + 2 * padding[dim] - window[dim]) / strides[dim]) + 1
  const dy = randomTensor(`pool dy ${shape}`, f32([shape[0], size(0), size(1), shape[3]]))
  return {
    what: `[${shape}] by [${window}]`,
    operands: [dy, randomTensor(`pool ${shape}`, f32(shape))],
    body: (d, x) => ops.maxPoolGradient(d, x, ops.reduceWindow(x, { ...attributes, kind: 'maximum' }), attributes),
  }
}

const linearModels = ['linear', 'logistic'] as const
type LinearModel = (typeof linearModels)[number]

function linearRows(model: LinearModel, rows: number, width: number): TensorData[] {
  const targets = model === 'linear' ? randomTensor(`aims ${rows}`, f32([rows])) : tensorFrom('i32', [rows], Array.from({ length: rows }, (_, i) => (i * 5) % 3 % 2)) // prettier-ignore
  return [randomTensor(`features ${rows} ${width}`, f32([rows, width])), targets]
}

function linearParameters(width: number): TensorData[] {
  const most = 0.5 / Math.sqrt(width)
  const weights = randomTensor(`weights ${width}`, f32([width, 1]), { least: -most, most })
  // So far from 0 that no sum of it and the scores ends near 0, where f32 would have few digits left.
  return [weights, randomTensor('intercept', f32([1]), { least: 2, most: 2.5 })]
}

function linearGradientCases(model: LinearModel): RandomComposite[] {
  const sizes = [[1, 1], [3, 5], [15, 16], [17, 20], [130, 33], [5000, 20], [4097, 3]] // prettier-ignore
  return sizes.map(([rows, width]) => ({
    what: `${model}, ${rows} x ${width}`,
    operands: [...linearRows(model, rows, width), ...linearParameters(width)],
    body: (x, t, w, b) => ops.linearGradient(model, x, t, w, b),
  }))
}

function linearDescentCases(model: LinearModel): RandomComposite[] {
  const sizes = [[1, 1, 1], [20, 1, 20], [33, 1, 5], [7, 1, 16], [5, 1, 33], [4, 1, 64], [3, 1, 65], [2, 1, 300], [3, 2, 20], [2, 17, 7], [1, 40, 90]] // prettier-ignore
  return sizes.flatMap(([steps, batch, width]) =>
    [true, false].map((hasIntercept) => {
      const order = tensorFrom('i32', [steps, batch], Array.from({ length: steps * batch }, (_, i) => (i * 17) % 50))
      const rates = randomTensor(`rates ${steps}`, f32([steps]), { least: 0.05 / width, most: 0.1 / width })
      return {
        what: `${model}, ${steps} steps of ${batch}, width ${width}${hasIntercept ? '' : ', no intercept'}`,
        operands: [...linearRows(model, 50, width), order, rates, ...linearParameters(width)],
        body: (features, targets, rows, speeds, weights, intercept) =>
          ops.linearDescent(model, { features, targets }, rows as Tensor<Shape, 'i32'>, speeds, { weights, intercept }, hasIntercept),
      } satisfies RandomComposite
    }),
  )
} // prettier-ignore

/** Parameters of some sizes; a condition would be no operand of the public function's. */
const adamUpdates: readonly RandomComposite[] = [[0], [1], [33], [70, 130]].flatMap((shape) =>
  [0, 0.1].map((coupledDecay): RandomComposite => {
    const what = `[${shape}], coupled decay ${coupledDecay}`
    const tensors = ['parameter', 'gradient', 'mean'].map((name) => randomTensor(`${name} ${what}`, f32(shape)))
    const squares = randomTensor(`variance ${what}`, f32(shape), variance)
    const scalars = [0.999, 0.01, 0.1, 0.05].map((value) => tensorFrom('f32', [], [value]))
    return {
      what,
      operands: [...tensors, squares, ...scalars],
      body: (...operands) => adamOf(operands, coupledDecay),
    }
  }),
) // prettier-ignore

export const randomComposites: { readonly [C in KernelComposite]: readonly RandomComposite[] } = {
  adamUpdate: adamUpdates,
  erf: overRows('erf', (x) => [x], (x) => ops.erf(x)),
  gelu: (['tanh', 'none'] as const).flatMap((form) => overRows('gelu', (x) => [x], (x) => ops.gelu(x, form))),
  geluGradient: (['tanh', 'none'] as const).flatMap((form) => overRows('geluGradient', (x) => [x, x], (dy, x) => ops.geluGradient(dy, x, form))),
  softmax: overRows('softmax', (x) => [x], (x) => ops.softmax(x)),
  softmaxGradient: overRows('softmaxGradient', (x) => [x, x], (dy, y) => ops.softmaxGradient(dy, y)),
  layerNorm: overRows('layerNorm', (x, w) => [x, w, w], (x, w, b) => ops.layerNorm(x, w, b)),
  layerNormGradient: overRows('layerNormGradient', (x, w, r) => [x, x, w, r, r], (...a) => ops.layerNormGradient(a[0], a[1], a[2], a[3], a[4])),
  rmsNorm: overRows('rmsNorm', (x, w) => [x, w], (x, w) => ops.rmsNorm(x, w)),
  rmsNormGradient: overRows('rmsNormGradient', (x, w, r) => [x, x, w, r], (dy, x, w, r) => ops.rmsNormGradient(dy, x, w, r)),
  batchNorm: withSamples(overRows('batchNorm', (x, w) => [x, w, w], (x, w, b) => ops.batchNorm(x, w, b))),
  batchNormGradient: withSamples(
    overRows('batchNormGradient', (x, w) => [x, x, w, w, w], (...a) => ops.batchNormGradient(a[0], a[1], a[2], a[3], a[4], 1e-5), [undefined, undefined, undefined, undefined, variance]),
  ),
  softmaxCrossEntropy: entropies.map((entropy) => ({
    what: describeEntropy(entropy),
    operands: [entropy.logits, entropy.targets],
    body: (x, targets) => ops.softmaxCrossEntropy(x, targets as Tensor<Shape, 'i32'>, entropy.options),
  })),
  softmaxCrossEntropyGradient: entropies.map((entropy) => {
    const [rows, numClasses] = entropy.logits.shape
    const total = tensorFrom('f32', [rows], new Array<number>(rows).fill(Math.log(numClasses) + 2))
    return {
      what: describeEntropy(entropy),
      operands: [randomTensor(`dlosses ${rows}`, f32([rows])), entropy.logits, entropy.targets, total],
      body: (dy, x, targets, sums) => ops.softmaxCrossEntropyGradient(dy, x, targets, sums, entropy.options),
    }
  }),
  attention: attentions.map(({ what, operands, options }) => ({
    what,
    operands,
    body: (q, k, v, mask) => ops.attention(q, k, v, { ...options, mask: mask as Tensor<Shape, 'bool'> | undefined }),
  })),
  attentionGradient: attentions.map(({ what, query, operands, options, heads: { batch, heads, queries, keys, masked } }) => {
    const [dout, out] = ['dout', 'out'].map((name) => randomTensor(`${name} ${what}`, query))
    const numRows = batch * heads * queries
    const logSumExp = tensorFrom('f32', [batch, heads, queries], new Array<number>(numRows).fill(Math.log(keys) + 0.5))
    return {
      what,
      operands: [dout, ...operands, out, logSumExp],
      body: (d, q, k, v, ...rest) =>
        ops.attentionGradient({ dout: d, query: q, key: k, value: v, mask: masked ? rest[0] : undefined, out: rest.at(-2)!, logSumExp: rest.at(-1)! }, options),
    }
  }),
  maxPoolGradient: pools.map(poolCase),
  linearGradient: linearModels.flatMap(linearGradientCases),
  linearDescent: linearModels.flatMap(linearDescentCases),
} // prettier-ignore
