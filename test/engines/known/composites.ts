/**
 * Composites, by hand: numbers so chosen that each formula can be followed on paper. ln 3 as a logit makes the
 * probabilities a quarter and three quarters.
 */
import type { TensorData } from '../../../src/core/shape.js'
import type { Tensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { adamOf, type CompositeBody, type KernelComposite } from '../support/composites.js'
import { bool, f32, i32 } from '../support/data.js'

export interface KnownComposite {
  readonly what: string
  readonly operands: readonly TensorData[]
  readonly body: CompositeBody
  /** The first results, or all; what comes after them is left open by the contract. */
  readonly results: readonly TensorData[]
}

const ln3 = Math.log(3)
const { LN2: ln2 } = Math

type Mask = Tensor<readonly number[], 'bool'>
type Targets = Tensor<readonly number[], 'i32'>

function crossEntropy(labelSmoothing: number, ignoredTarget: number | null): CompositeBody {
  return (x, targets) => ops.softmaxCrossEntropy(x, targets as Targets, { labelSmoothing, ignoredTarget })
}

function crossEntropyGradient(labelSmoothing: number, ignoredTarget: number | null): CompositeBody {
  return (dy, x, targets, total) =>
    ops.softmaxCrossEntropyGradient(dy, x, targets, total, { labelSmoothing, ignoredTarget })
}

const logits = f32([0, ln3, ln3, 0], [2, 2])
const totals = f32([2 * ln2, 2 * ln2])

/** One head of width 1, scale 1: with a query of 1 the scores are the keys. */
const keys = f32([0, ln3], [1, 2, 1, 1])
const values = f32([4, 8], [1, 2, 1, 1])
const queries = f32([1, 1], [1, 2, 1, 1])
const plainAttention = { causal: false, scale: 1 }

function attentionGradient(causal: boolean): CompositeBody {
  return (dout, query, key, value, out, logSumExp) =>
    ops.attentionGradient({ dout, query, key, value, mask: undefined, out, logSumExp }, { causal, scale: 1 })
}

const pool = {
  window: [1, 2, 2, 1],
  strides: [1, 1, 1, 1],
  padding: [[0, 0], [0, 0], [0, 0], [0, 0]], // prettier-ignore
  baseDilation: [1, 1, 1, 1],
  windowDilation: [1, 1, 1, 1],
} as const

/** Two rows, and parameters that score them 4 and 3. */
const twoRows = [f32([1, 0, 0, 2], [2, 2]), f32([1, 2])]
const plane = [f32([3, 1], [2, 1]), f32([1])]
/** Rows of the classes 1 and 0, scored ln 3 and -ln 3. */
const classRows = [f32([1, 5, -1, 0], [2, 2]), i32([1, 0])]
const threeToOne = [f32([ln3, 0], [2, 1]), f32([0])]

const slopeOf =
  (model: 'linear' | 'logistic'): CompositeBody =>
  (x, t, w, b) =>
    ops.linearGradient(model, x, t, w, b)

const descentOf =
  (model: 'linear' | 'logistic', hasIntercept = true): CompositeBody =>
  (features, targets, order, rates, weights, intercept) =>
    ops.linearDescent(model, { features, targets }, order as Targets, rates, { weights, intercept }, hasIntercept)

export const knownComposites: { readonly [C in KernelComposite]: readonly KnownComposite[] } = {
  adamUpdate: [
    {
      // m = 0.1 g, v = 0.05 g², each corrected by what it began with: a step of the rate, against the gradient's sign.
      what: 'first step is the learning rate, whatever the gradient',
      operands: [
        f32([1, 2, 3]),
        f32([4, -0.5, 100]),
        f32([0, 0, 0]),
        f32([0, 0, 0]),
        ...[0.5, 0.25, 0.1, 0.05].map((value) => f32([value], [])),
      ],
      body: (...operands) => adamOf(operands, 0),
      results: [f32([0.25, 1.25, 1.25]), f32([0.4, -0.05, 10]), f32([0.8, 0.0125, 500])],
    },
    {
      what: 'with the decay in the gradient',
      operands: [f32([8]), f32([2]), f32([3]), f32([15.2 / 0.95]), ...[1, 1, 1, 1].map((value) => f32([value], []))],
      body: (...operands) => adamOf(operands, 0.25),
      results: [f32([7.225]), f32([3.1]), f32([16])],
    },
  ],
  erf: [
    {
      what: 'table values',
      operands: [f32([0, 0.5, -1, 2, 5])],
      body: (x) => ops.erf(x),
      results: [f32([0, 0.5204998778, -0.8427007929, 0.995322265, 1])],
    },
  ],
  gelu: [
    {
      what: 'x times the normal distribution',
      operands: [f32([0, 1, -1, 2, -10])],
      body: (x) => ops.gelu(x, 'none'),
      results: [f32([0, 0.8413447461, -0.1586552539, 1.9544997361, 0])],
    },
    {
      what: 'by tanh',
      operands: [f32([0, 1, -1, 10])],
      body: (x) => ops.gelu(x, 'tanh'),
      results: [f32([0, 0.8411919906, -0.1588080094, 10])],
    },
  ],
  geluGradient: [
    {
      what: 'a half at 0, and the distribution plus x times its density',
      operands: [f32([2, 1, 1]), f32([0, 1, -1])],
      body: (dy, x) => ops.geluGradient(dy, x, 'none'),
      results: [f32([1, 1.0833154706, -0.0833154706])],
    },
    {
      what: 'by tanh',
      operands: [f32([2, 1, 1]), f32([0, 1, 20])],
      body: (dy, x) => ops.geluGradient(dy, x, 'tanh'),
      results: [f32([1, 1.0829640838, 1])],
    },
  ],
  softmax: [
    {
      what: 'row by row, however large',
      operands: [f32([0, ln3, 1000, 1000], [2, 2])],
      body: (x) => ops.softmax(x),
      results: [f32([0.25, 0.75, 0.5, 0.5], [2, 2])],
    },
    {
      what: 'of one is 1, and of minus infinity 0',
      operands: [f32([-Infinity, 3], [1, 2])],
      body: (x) => ops.softmax(x),
      results: [f32([0, 1], [1, 2])],
    },
  ],
  softmaxGradient: [
    {
      what: 'y (dy - sum(y dy))',
      operands: [f32([1, 0], [1, 2]), f32([0.25, 0.75], [1, 2])],
      body: (dy, y) => ops.softmaxGradient(dy, y),
      results: [f32([0.1875, -0.1875], [1, 2])],
    },
  ],
  layerNorm: [
    {
      what: 'mean 3 and variance 4, which epsilon makes 9',
      operands: [f32([1, 5], [1, 2]), f32([1, 3]), f32([0, 10])],
      body: (x, weight, bias) => ops.layerNorm(x, weight, bias, 5),
      results: [f32([-2 / 3, 12], [1, 2]), f32([3]), f32([1 / 3])],
    },
  ],
  layerNormGradient: [
    {
      // rstd = 2, n = (-1, 0, 1), g = dy weight = (0, 4, 2): mean(g) = 2, mean(g n) = 2/3; dx = 2 (g - 2 - 2/3 n).
      what: 'takes out what mean and variance explain',
      operands: [f32([0, 2, 2], [1, 3]), f32([4.5, 5, 5.5], [1, 3]), f32([1, 2, 1]), f32([5]), f32([2])],
      body: (...a) => ops.layerNormGradient(a[0], a[1], a[2], a[3], a[4]),
      results: [f32([-8 / 3, 4, -4 / 3], [1, 3]), f32([0, 0, 2]), f32([0, 2, 2])],
    },
  ],
  rmsNorm: [
    {
      what: 'the mean of squares is 25 / 2, and epsilon 3.5 makes it 16',
      operands: [f32([3, 4], [1, 2]), f32([1, 2])],
      body: (x, weight) => ops.rmsNorm(x, weight, 3.5),
      results: [f32([0.75, 2], [1, 2]), f32([0.25])],
    },
  ],
  rmsNormGradient: [
    {
      // n = (1, 2), g = dy weight = (4, 2): mean(g n) = 4; dx = 0.5 (g - 4 n).
      what: 'takes out what the size explains',
      operands: [f32([4, 1], [1, 2]), f32([2, 4], [1, 2]), f32([1, 2]), f32([0.5])],
      body: (dy, x, weight, r) => ops.rmsNormGradient(dy, x, weight, r),
      results: [f32([0, -3], [1, 2]), f32([4, 2])],
    },
  ],
  batchNorm: [
    {
      what: 'each channel over all samples: means 2 and 20, variances 1 and 100',
      operands: [f32([1, 10, 3, 30], [2, 2]), f32([2, 1]), f32([0, 5])],
      body: (x, weight, bias) => ops.batchNorm(x, weight, bias, 3),
      results: [f32([-1, 5 - 10 / Math.sqrt(103), 1, 5 + 10 / Math.sqrt(103)], [2, 2]), f32([2, 20]), f32([1, 100])],
    },
  ],
  batchNormGradient: [
    {
      // r = 1/2, n = (-1/2, 1/2), dy = (0, 4): dbias = 4, dweight = 2; dx = 3/2 (dy - 2 - n) with weight 3.
      what: 'takes out what mean and variance explain',
      operands: [f32([0, 4], [2, 1]), f32([1, 3], [2, 1]), f32([3]), f32([2]), f32([1])],
      body: (...a) => ops.batchNormGradient(a[0], a[1], a[2], a[3], a[4], 3),
      results: [f32([-2.25, 2.25], [2, 1]), f32([2]), f32([4])],
    },
  ],
  softmaxCrossEntropy: [
    {
      what: 'the log of the probability of the target',
      operands: [logits, i32([1, 1])],
      body: crossEntropy(0, null),
      results: [f32([Math.log(4 / 3), 2 * ln2]), totals],
    },
    {
      what: 'an ignored target costs nothing',
      operands: [logits, i32([1, -100])],
      body: crossEntropy(0, -100),
      results: [f32([Math.log(4 / 3), 0]), totals],
    },
    {
      what: 'smoothing by a half: three quarters for the target, a quarter for the other',
      operands: [logits, i32([1, 1])],
      body: crossEntropy(0.5, null),
      results: [f32([2 * ln2 - 0.75 * ln3, 2 * ln2 - 0.25 * ln3]), totals],
    },
    {
      what: 'large logits',
      operands: [f32([1000, 0, -1000], [1, 3]), i32([1])],
      body: crossEntropy(0, null),
      results: [f32([1000]), f32([1000])],
    },
  ],
  softmaxCrossEntropyGradient: [
    {
      what: 'probability less target',
      operands: [f32([1, 2]), logits, i32([1, 1]), totals],
      body: crossEntropyGradient(0, null),
      results: [f32([0.25, -0.25, 1.5, -1.5], [2, 2])],
    },
    {
      what: 'none where the target is ignored',
      operands: [f32([1, 2]), logits, i32([-1, 1]), totals],
      body: crossEntropyGradient(0, -1),
      results: [f32([0, 0, 1.5, -1.5], [2, 2])],
    },
    {
      what: 'smoothing by a half',
      operands: [f32([1, 2]), logits, i32([1, 1]), totals],
      body: crossEntropyGradient(0.5, null),
      results: [f32([0, 0, 1, -1], [2, 2])],
    },
  ],
  attention: [
    {
      what: 'a quarter of the first, three of the second',
      operands: [queries, keys, values],
      body: (q, k, v) => ops.attention(q, k, v, plainAttention),
      results: [f32([7, 7], [1, 2, 1, 1]), f32([2 * ln2, 2 * ln2], [1, 1, 2])],
    },
    {
      what: 'causal: the first row sees the first key alone',
      operands: [queries, keys, values],
      body: (q, k, v) => ops.attention(q, k, v, { causal: true, scale: 1 }),
      results: [f32([4, 7], [1, 2, 1, 1]), f32([0, 2 * ln2], [1, 1, 2])],
    },
    {
      what: 'causal, with one query for two keys: it stands at the end',
      operands: [f32([1], [1, 1, 1, 1]), keys, values],
      body: (q, k, v) => ops.attention(q, k, v, { causal: true, scale: 1 }),
      results: [f32([7], [1, 1, 1, 1]), f32([2 * ln2], [1, 1, 1])],
    },
    {
      what: 'masked',
      operands: [queries, keys, values, bool([0, 1, 1, 1], [1, 1, 2, 2])],
      body: (q, k, v, mask) => ops.attention(q, k, v, { ...plainAttention, mask: mask as Mask }),
      results: [f32([8, 7], [1, 2, 1, 1]), f32([ln3, 2 * ln2], [1, 1, 2])],
    },
    {
      what: 'a row that may look nowhere gives 0',
      operands: [queries, keys, values, bool([0, 0, 1, 1], [1, 1, 2, 2])],
      body: (q, k, v, mask) => ops.attention(q, k, v, { ...plainAttention, mask: mask as Mask }),
      results: [f32([0, 7], [1, 2, 1, 1])],
    },
    {
      what: 'scaled: without a difference the mean',
      operands: [queries, keys, values],
      body: (q, k, v) => ops.attention(q, k, v, { causal: false, scale: 0 }),
      results: [f32([6, 6], [1, 2, 1, 1]), f32([ln2, ln2], [1, 1, 2])],
    },
    {
      what: 'two query heads share a key head, the others the next',
      operands: [
        f32([1, 0, 1, 0], [1, 1, 4, 1]),
        f32([0, 0, ln3, ln3], [1, 2, 2, 1]),
        f32([4, 40, 8, 80], [1, 2, 2, 1]),
      ],
      body: (q, k, v) => ops.attention(q, k, v, plainAttention),
      results: [f32([7, 6, 70, 60], [1, 1, 4, 1]), f32([2 * ln2, ln2, 2 * ln2, ln2], [1, 4, 1])],
    },
  ],
  attentionGradient: [
    {
      // Both rows: p = (1/4, 3/4), out = 7, dp = dout (4, 8), ds = p (dp - 7 dout) = dout (-3/4, 3/4).
      what: 'through weights and values',
      operands: [f32([1, 2], [1, 2, 1, 1]), queries, keys, values, f32([7, 7], [1, 2, 1, 1]), f32([2 * ln2, 2 * ln2], [1, 1, 2])], // prettier-ignore
      body: attentionGradient(false),
      results: [
        f32([0.75 * ln3, 1.5 * ln3], [1, 2, 1, 1]),
        f32([-2.25, 2.25], [1, 2, 1, 1]),
        f32([0.75, 2.25], [1, 2, 1, 1]),
      ],
    },
    {
      what: 'causal: the first row passes all to the first value, nothing to the keys',
      operands: [f32([1, 2], [1, 2, 1, 1]), queries, keys, values, f32([4, 7], [1, 2, 1, 1]), f32([0, 2 * ln2], [1, 1, 2])], // prettier-ignore
      body: attentionGradient(true),
      results: [f32([0, 1.5 * ln3], [1, 2, 1, 1]), f32([-1.5, 1.5], [1, 2, 1, 1]), f32([1.5, 1.5], [1, 2, 1, 1])],
    },
    {
      what: 'a row that may look nowhere passes nothing',
      operands: [f32([1, 2], [1, 2, 1, 1]), queries, keys, values, bool([0, 0, 1, 1], [1, 1, 2, 2]), f32([0, 7], [1, 2, 1, 1]), f32([-1e30, 2 * ln2], [1, 1, 2])], // prettier-ignore
      body: (dout, query, key, value, mask, out, logSumExp) =>
        ops.attentionGradient({ dout, query, key, value, mask, out, logSumExp }, plainAttention),
      results: [f32([0, 1.5 * ln3], [1, 2, 1, 1]), f32([-1.5, 1.5], [1, 2, 1, 1]), f32([0.5, 1.5], [1, 2, 1, 1])],
    },
  ],
  maxPoolGradient: [
    {
      // Windows of 2 x 2 over 2 x 3: the left one's largest is 5, the right one's 9 comes twice.
      what: 'goes to the largest, to the first of several',
      operands: [f32([10, 20], [1, 1, 2, 1]), f32([1, 2, 9, 5, 3, 9], [1, 2, 3, 1]), f32([5, 9], [1, 1, 2, 1])],
      body: (dy, x, y) => ops.maxPoolGradient(dy, x, y, pool),
      results: [f32([0, 0, 20, 10, 0, 0], [1, 2, 3, 1])],
    },
    {
      what: 'adds up where windows share their largest',
      operands: [f32([10, 20], [1, 1, 2, 1]), f32([1, 9, 2, 3, 4, 5], [1, 2, 3, 1]), f32([9, 9], [1, 1, 2, 1])],
      body: (dy, x, y) => ops.maxPoolGradient(dy, x, y, pool),
      results: [f32([0, 30, 0, 0, 0, 0], [1, 2, 3, 1])],
    },
  ],
  linearGradient: [
    {
      what: 'errors of 3 and 1',
      operands: [...twoRows, ...plane],
      body: slopeOf('linear'),
      results: [f32([5], []), f32([3, 2], [2, 1]), f32([4])],
    },
    {
      what: 'probabilities of three quarters and one',
      operands: [...classRows, ...threeToOne],
      body: slopeOf('logistic'),
      results: [f32([2 * (2 * ln2 - ln3)], []), f32([-0.5, -1.25], [2, 1]), f32([0])],
    },
  ],
  linearDescent: [
    {
      what: 'a row after the other',
      operands: [...twoRows, i32([0, 1], [2, 1]), f32([0.5, 0.25]), ...plane],
      body: descentOf('linear'),
      results: [f32([1.5, 1.25], [2, 1]), f32([-0.375]), f32([4.5, 0.125])],
    },
    {
      what: 'both rows at once, the intercept held',
      operands: [...twoRows, i32([0, 1], [1, 2]), f32([0.5]), ...plane],
      body: descentOf('linear', false),
      results: [f32([2.25, 0.5], [2, 1]), f32([1]), f32([2.5])],
    },
    {
      what: 'a class',
      operands: [...classRows, i32([0], [1, 1]), f32([4]), ...threeToOne],
      body: descentOf('logistic'),
      results: [f32([ln3 + 1, 5], [2, 1]), f32([1]), f32([2 * ln2 - ln3])],
    },
    {
      what: 'places out of range are the nearest in it',
      operands: [...twoRows, i32([-3, 9], [2, 1]), f32([0.5, 0.25]), ...plane],
      body: descentOf('linear'),
      results: [f32([1.5, 1.25], [2, 1]), f32([-0.375]), f32([4.5, 0.125])],
    },
  ],
}
