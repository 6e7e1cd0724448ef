/** Small graphs with inputs for every composite: an exhaustive table. Those of a gradient come by differentiating. */
import { gradients, remat } from '../../../src/autodiff/index.js'
import type { CompileTarget } from '../../../src/compile/index.js'
import { invariant } from '../../../src/core/errors.js'
import type { CompositeName } from '../../../src/core/operations.js'
import { numElements, tensorType, type Shape } from '../../../src/core/shape.js'
import {
  trace,
  type AnyTensor,
  type Graph,
  type GraphBuilder,
  type Tensor,
  type Value,
} from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { allDtypes, fused, input, makeCase, randomData, type Case, type InputSpec } from './case.js'

type Forward = (...inputs: AnyTensor[]) => AnyTensor

function traced(
  name: string,
  specs: readonly InputSpec[],
  body: (...inputs: AnyTensor[]) => Readonly<Record<string, AnyTensor>>,
): Case {
  const inputs = specs.map(({ dtype, shape }, index) => ({ name: `input${index}`, type: tensorType(dtype, shape) }))
  return {
    name,
    graph: trace(name, inputs, body),
    inputs: [specs.map((spec, index) => randomData(spec, `${name}/0/${index}`))],
  }
}

function forward(name: string, specs: readonly InputSpec[], f: Forward): Case {
  return traced(name, specs, (...inputs) => ({ result: f(...inputs) }))
}

/** The derivatives of a random weighting of the results, by the first `numDifferentiated` inputs. */
function backward(name: string, specs: readonly InputSpec[], f: Forward, numDifferentiated = specs.length): Case {
  return traced(name, specs, (...inputs) => {
    const result = f(...inputs)
    // Weights that differ from element to element without being one more input: sin(0), sin(1), ….
    const steps = ops.reshape(ops.iota([numElements(result.shape)], 0, result.dtype as 'f32'), result.shape)
    const by = inputs.slice(0, numDifferentiated)
    const found = gradients(ops.sum(ops.multiply(result, ops.sin(steps))), by)
    return Object.fromEntries(found.map((gradient, index) => [`gradient${index}`, gradient]))
  })
}

/** A composite of the fusion passes' making, with a body given operation by operation. */
function grouped(
  name: 'elementwise' | 'dotEpilogue' | 'widenedReduce',
  specs: readonly InputSpec[],
  body: (builder: GraphBuilder, inputs: readonly Value[]) => readonly Value[],
): Case {
  const decomposition: Graph = makeCase(name, specs, body).graph
  return makeCase(`${name} as fused`, specs, (builder, inputs) =>
    builder.add('composite', inputs, { name, attributes: {} }, { decomposition }),
  )
}

/** An engine for which batch norm goes together with what follows it. */
const normTarget: CompileTarget = {
  name: 'native',
  composites: new Set(['batchNorm', 'batchNormGradient', 'batchNormRelu', 'batchNormReluGradient', 'maxPoolGradient']),
  dtypes: new Set(allDtypes),
}

/** A case in which the passes make that composite. */
function normFused(name: CompositeName, example: Case): Case {
  const made = fused(example, normTarget)
  const isThere = made.graph.nodes.some((node) => node.operation === 'composite' && node.attributes.name === name)
  invariant(isThere, `the passes make ${name} of ${example.name}`)
  return made
}

/** So that the derivative asks for the value too: ReLU alone would not be computed. */
const squared =
  (f: Forward): Forward =>
  (...inputs) =>
    ops.square(f(...inputs))
const rectified: Forward = (x, weight, bias) => ops.relu(ops.batchNorm(x, weight, bias).output as Tensor<Shape, 'f32'>)
const pooledRectified: Forward = (x, weight, bias) => ops.maxPool2d(rectified(x, weight, bias), [1, 2])

const rows = input([3, 4, 10])
const normImages = input([2, 3, 4, 10])
const channel = input([10], 'f32', 0.5, 1.5)
const shift = input([10])
const rate = input([], 'f32', 0.1, 1)
const heads = (length: number, numHeads = 4): InputSpec => input([2, length, numHeads, 8])
const indices = (numClasses: number): InputSpec => input([7], 'i32', 0, numClasses - 1)
const asTargets = (tensor: AnyTensor): Tensor<Shape, 'i32'> => tensor as Tensor<Shape, 'i32'>

interface AttentionCase {
  readonly note: string
  readonly specs: readonly InputSpec[]
  readonly f: Forward
}

const maskSpec = input([2, 1, 5, 7], 'bool')
const attentions: readonly AttentionCase[] = [
  { note: 'causal', specs: [heads(6), heads(6), heads(6)], f: (q, k, v) => ops.attention(q, k, v, { causal: true }) },
  { note: 'everywhere', specs: [heads(5), heads(7), heads(7)], f: (q, k, v) => ops.attention(q, k, v) },
  {
    note: 'causal, keys longer',
    specs: [heads(3), heads(7), heads(7)],
    f: (q, k, v) => ops.attention(q, k, v, { causal: true, scale: 0.5 }),
  },
  {
    note: 'causal, rows that see nothing',
    specs: [heads(5), heads(3), heads(3)],
    f: (q, k, v) => ops.attention(q, k, v, { causal: true }),
  },
  {
    note: 'grouped keys',
    specs: [heads(5), heads(5, 2), heads(5, 2)],
    f: (q, k, v) => ops.attention(q, k, v, { causal: true }),
  },
  {
    note: 'masked',
    specs: [heads(5), heads(7), heads(7), maskSpec],
    f: (q, k, v, mask) => ops.attention(q, k, v, { mask: mask as Tensor<Shape, 'bool'> }),
  },
]

const crossEntropies: readonly { readonly note: string; readonly options: ops.CrossEntropyOptions }[] = [
  { note: 'plain', options: { labelSmoothing: 0, ignoredTarget: null } },
  { note: 'smoothed', options: { labelSmoothing: 0.1, ignoredTarget: null } },
  { note: 'ignoring', options: { labelSmoothing: 0.1, ignoredTarget: 2 } },
]

const pools: readonly Forward[] = [
  (x) => ops.maxPool2d(x, 2),
  (x) => ops.maxPool2d(x, 3, { stride: 2, padding: 1 }),
  (x) => ops.maxPool2d(x, 3, { stride: 1, padding: 'same' }),
]
const images = input([2, 7, 6, 3])

const linearModels = ['linear', 'logistic'] as const

const approximations = ['tanh', 'none'] as const

/** An exchange in two parts is a matter of one engine's; XLA is given `allReduce`. */
export type PrintedComposite = Exclude<CompositeName, 'allReduceStart' | 'allReduceDone'>

export const compositeCases: { readonly [N in PrintedComposite]: () => Case[] } = {
  stopGradient: () => [forward('stopGradient', [rows], (x) => ops.stopGradient(x))],
  remat: () => [
    forward(
      'remat',
      [rows],
      remat((x) => ops.tanh(ops.exp(x))),
    ),
    backward('remat, its derivative', [rows], (x) => remat((y) => ops.tanh(ops.multiply(y, y)))(x)),
  ],
  elementwise: () => [
    grouped('elementwise', [input([3, 5]), input([3, 5])], (builder, [x, y]) => {
      const [product] = builder.add('multiply', [x, y], {})
      return [...builder.add('tanh', [product], {}), ...builder.add('add', [product, y], {})]
    }),
  ],
  dotEpilogue: () => [
    grouped('dotEpilogue', [input([3, 5]), input([5, 4]), input([4])], (builder, [x, weight, bias]) => {
      const [product] = builder.add('dotGeneral', [x, weight], {
        leftBatch: [],
        rightBatch: [],
        leftContracting: [1],
        rightContracting: [0],
        dtype: 'f32',
      })
      const [repeated] = builder.add('broadcastInDim', [bias], { shape: [3, 4], dims: [1] })
      return builder.add('tanh', [...builder.add('add', [product, repeated], {})], {})
    }),
  ],
  widenedReduce: () => [
    grouped('widenedReduce', [input([6, 5], 'bf16')], (builder, [x]) =>
      builder.add('reduce', [...builder.add('convert', [x], { dtype: 'f32' })], { kind: 'add', dims: [0] }),
    ),
  ],
  erf: () => [
    forward('erf', [input([200], 'f32', -7, 7)], (x) => ops.erf(x)),
    forward('erf f64', [input([200], 'f64', -7, 7)], (x) => ops.erf(x)),
  ],
  gelu: () =>
    approximations.map((approximate) =>
      forward(`gelu ${approximate}`, [input([100], 'f32', -6, 6)], (x) => ops.gelu(x, approximate)),
    ),
  geluGradient: () =>
    approximations.map((approximate) =>
      backward(`geluGradient ${approximate}`, [input([100], 'f32', -6, 6)], (x) => ops.gelu(x, approximate)),
    ),
  softmax: () => [
    forward('softmax', [rows], (x) => ops.softmax(x)),
    forward('softmax of large', [input([3, 5], 'f32', 80, 200)], (x) => ops.softmax(x)),
  ],
  softmaxGradient: () => [backward('softmaxGradient', [rows], (x) => ops.softmax(x))],
  layerNorm: () => [forward('layerNorm', [rows, channel, shift], (x, weight, bias) => ops.layerNorm(x, weight, bias))],
  layerNormGradient: () => [
    backward('layerNormGradient', [rows, channel, shift], (x, weight, bias) => ops.layerNorm(x, weight, bias)),
  ],
  rmsNorm: () => [forward('rmsNorm', [rows, channel], (x, weight) => ops.rmsNorm(x, weight))],
  rmsNormGradient: () => [backward('rmsNormGradient', [rows, channel], (x, weight) => ops.rmsNorm(x, weight))],
  batchNorm: () => [
    traced('batchNorm', [rows, channel, shift], (x, weight, bias) => {
      const { output, mean, variance } = ops.batchNorm(x, weight, bias)
      return { output, mean, variance }
    }),
  ],
  batchNormGradient: () => [
    backward('batchNormGradient', [rows, channel, shift], (x, weight, bias) => ops.batchNorm(x, weight, bias).output),
  ],
  batchNormRelu: () => [
    normFused('batchNormRelu', forward('batchNormRelu', [rows, channel, shift], rectified)),
    normFused('batchNormRelu', forward('batchNormRelu pooled', [normImages, channel, shift], pooledRectified)),
  ],
  batchNormReluGradient: () => [
    normFused('batchNormRelu', backward('batchNormReluGradient', [rows, channel, shift], squared(rectified))),
    normFused(
      'batchNormRelu',
      backward('batchNormReluGradient pooled', [normImages, channel, shift], squared(pooledRectified)),
    ),
  ],
  softmaxCrossEntropy: () =>
    crossEntropies.map(({ note, options }) =>
      forward(`softmaxCrossEntropy ${note}`, [input([7, 5]), indices(5)], (x, targets) =>
        ops.softmaxCrossEntropy(x, asTargets(targets), options),
      ),
    ),
  softmaxCrossEntropyGradient: () =>
    crossEntropies.map(({ note, options }) =>
      backward(
        `softmaxCrossEntropyGradient ${note}`,
        [input([7, 5]), indices(5)],
        (x, targets) => ops.softmaxCrossEntropy(x, asTargets(targets), options),
        1,
      ),
    ),
  attention: () => attentions.map(({ note, specs, f }) => forward(`attention ${note}`, specs, f)),
  attentionGradient: () => attentions.map(({ note, specs, f }) => backward(`attentionGradient ${note}`, specs, f, 3)),
  adamUpdate: () => [
    traced('adamUpdate', [rows, rows, rows, input([3, 4, 10], 'f32', 0, 1), rate, rate, rate, rate], (...operands) => {
      const [parameter, gradient, mean, variance, kept, learningRate, meanCorrection, varianceCorrection] = operands
      const scalars = { kept, learningRate, meanCorrection, varianceCorrection }
      const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, coupledDecay: 0.1 }
      return { ...ops.adamUpdate({ parameter, gradient, mean, variance, ...scalars }, options) }
    }),
  ],
  maxPoolGradient: () => pools.map((f, index) => backward(`maxPoolGradient ${index}`, [images], f)),
  linearGradient: () =>
    linearModels.map((model) =>
      traced(`linearGradient ${model}`, [input([9, 4]), input([9]), input([4, 1]), input([1])], (x, t, w, b) => ({
        ...ops.linearGradient(model, x, t, w, b),
      })),
    ),
  linearDescent: () =>
    linearModels.map((model) =>
      traced(
        `linearDescent ${model}`,
        [input([9, 4]), input([9]), indices(9), input([7], 'f32', 0, 0.3), input([4, 1]), input([1])],
        (features, targets, order, rates, weights, intercept) => ({
          ...ops.linearDescent(
            model,
            { features, targets },
            asTargets(ops.reshape(order, [7, 1]) as AnyTensor),
            rates,
            { weights, intercept },
            true,
          ),
        }),
      ),
    ),
}
