/**
 * Every composite that the native engine has a kernel for gives what its decomposition gives on the reference engine, in
 * f32 and, where the kernel takes it, in bf16; in the sizes at which kernels go wrong.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CompositeName } from '../../../src/core/operations.js'
import { tensorType, type TensorData, type TensorType } from '../../../src/core/shape.js'
import { compileGraph, type Precision } from '../../../src/compile/index.js'
import type { Engine } from '../../../src/engine/engine.js'
import { createNativeEngine } from '../../../src/engine/native/index.js'
import { trace, type AnyTensor, type Graph } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { numbersIn } from '../support/compare.js'
import { randomTensor, tensorFrom } from '../support/data.js'
import { reference } from '../support/engines.js'

const native = createNativeEngine()

interface Case {
  readonly composite: CompositeName
  readonly what: string
  readonly operands: readonly TensorData[]
  readonly body: (...operands: readonly AnyTensor[]) => unknown
}

const f32 = (...shape: number[]): TensorType => tensorType('f32', shape)

function random(what: string, types: readonly TensorType[]): TensorData[] {
  return types.map((type, index) => randomTensor(`${what} ${index}`, type))
}

function targets(count: number, numClasses: number, ignored: number): TensorData {
  return tensorFrom(
    'i32',
    [count],
    Array.from({ length: count }, (_, i) => (i % 5 === 3 ? ignored : (i * 7) % numClasses)),
  )
}

/** All results of the composite that `body` makes, whatever of them `body` gives back. */
function graphOf({ composite, operands, body }: Case): Graph {
  const inputs = operands.map((type, index) => ({ name: `x${index}`, type }))
  const traced = trace(composite, inputs, (...tensors) => {
    body(...tensors)
    return { unused: tensors[0] }
  })
  const node = traced.nodes.findLast(
    (candidate) => candidate.operation === 'composite' && candidate.attributes.name === composite,
  )
  assert.ok(node, `the case makes a ${composite}`)
  return { ...traced, results: node.outputs.map((value, index) => ({ name: `y${index}`, value })) }
}

const rowSizes: readonly [rows: number, width: number][] = [[1, 1], [3, 5], [2, 16], [7, 33], [40, 384], [300, 17]] // prettier-ignore

function rowCases(rows: number, width: number): Case[] {
  const what = `${rows} x ${width}`
  const x = f32(rows, width)
  const [weight, perRow] = [f32(width), f32(rows)]
  const make = (composite: CompositeName, types: readonly TensorType[], body: Case['body']): Case => ({
    composite, what, operands: random(`${composite} ${what}`, types), body,
  }) // prettier-ignore
  return [
    make('softmax', [x], (a) => ops.softmax(a)),
    make('softmaxGradient', [x, x], (dy, y) => ops.softmaxGradient(dy, y)),
    make('layerNorm', [x, weight, weight], (a, w, b) => ops.layerNorm(a, w, b)),
    make('layerNormGradient', [x, x, weight, perRow, perRow], (...a) => ops.layerNormGradient(a[0], a[1], a[2], a[3], a[4])),
    make('rmsNorm', [x, weight], (a, w) => ops.rmsNorm(a, w)),
    make('rmsNormGradient', [x, x, weight, perRow], (dy, a, w, r) => ops.rmsNormGradient(dy, a, w, r)),
    make('batchNorm', [x, weight, weight], (a, w, b) => ops.batchNorm(a, w, b)),
    make('gelu', [x], (a) => ops.gelu(a, 'tanh')),
    make('gelu', [x], (a) => ops.gelu(a, 'none')),
    make('geluGradient', [x, x], (dy, a) => ops.geluGradient(dy, a, 'tanh')),
    make('geluGradient', [x, x], (dy, a) => ops.geluGradient(dy, a, 'none')),
    make('erf', [x], (a) => ops.erf(a)),
    {
      composite: 'batchNormGradient', what,
      operands: [...random(`batchNormGradient ${what}`, [x, x, weight, weight]), randomTensor(`variance ${what}`, weight, { least: 0.1, most: 2 })],
      body: (...a) => ops.batchNormGradient(a[0], a[1], a[2], a[3], a[4], 1e-5),
    },
  ] // prettier-ignore
}

function crossEntropyCases(rows: number, numClasses: number): Case[] {
  const logits = randomTensor(`logits ${rows} ${numClasses}`, f32(rows, numClasses), { least: -4, most: 4 })
  return [0, 0.1].flatMap((labelSmoothing) =>
    [null, -1].flatMap((ignoredTarget): Case[] => {
      const options = { labelSmoothing, ignoredTarget }
      const what = `${rows} x ${numClasses}, smoothing ${labelSmoothing}, ignored ${ignoredTarget}`
      const rowsOf = targets(rows, numClasses, ignoredTarget ?? 0)
      const total = tensorFrom(
        'f32',
        [rows],
        Array.from({ length: rows }, () => Math.log(numClasses) + 2),
      )
      return [
        { composite: 'softmaxCrossEntropy', what, operands: [logits, rowsOf], body: (x, t) => ops.softmaxCrossEntropy(x, t as never, options) },
        {
          composite: 'softmaxCrossEntropyGradient', what,
          operands: [randomTensor(`dlosses ${what}`, f32(rows)), logits, rowsOf, total],
          body: (d, x, t, s) => ops.softmaxCrossEntropyGradient(d, x, t, s, options),
        },
      ] // prettier-ignore
    }),
  )
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

const headCases: readonly Heads[] = [
  { batch: 1, queries: 1, keys: 1, heads: 1, keyHeads: 1, width: 1, causal: false, masked: false },
  { batch: 2, queries: 5, keys: 5, heads: 3, keyHeads: 3, width: 8, causal: true, masked: false },
  { batch: 1, queries: 64, keys: 64, heads: 2, keyHeads: 2, width: 32, causal: true, masked: false },
  { batch: 2, queries: 70, keys: 70, heads: 1, keyHeads: 1, width: 64, causal: true, masked: false },
  { batch: 1, queries: 33, keys: 47, heads: 4, keyHeads: 2, width: 16, causal: false, masked: false },
  { batch: 1, queries: 7, keys: 19, heads: 2, keyHeads: 1, width: 12, causal: true, masked: true },
  { batch: 2, queries: 130, keys: 130, heads: 2, keyHeads: 2, width: 24, causal: false, masked: true },
]

function attentionCases(h: Heads): Case[] {
  const { batch, queries, keys, heads, keyHeads, width, causal, masked } = h
  const what = JSON.stringify(h)
  const q = f32(batch, queries, heads, width)
  const k = f32(batch, keys, keyHeads, width)
  const mask = masked ? [randomTensor(`mask ${what}`, tensorType('bool', [batch, 1, queries, keys]))] : []
  // Every row sees its first key, so that no row is empty: what an empty row's sum is, is no part of the contract.
  mask.forEach(({ data }) => data.forEach((_, i) => void (i % keys === 0 && (data[i] = 1))))
  const options = { causal, scale: 1 / Math.sqrt(width) }
  const forward = [...random(`attention ${what}`, [q, k, k]), ...mask]
  const [dout, out] = random(`attentionGradient ${what}`, [q, q])
  const logSumExp = tensorFrom(
    'f32',
    [batch, heads, queries],
    new Float32Array(batch * heads * queries).fill(Math.log(keys) + 0.5),
  )
  return [
    { composite: 'attention', what, operands: forward, body: (a, b, c, m) => ops.attention(a, b, c, { ...options, mask: m as never }) },
    {
      composite: 'attentionGradient', what,
      operands: [dout, ...forward, out, logSumExp],
      body: (d, a, b, c, ...rest) =>
        ops.attentionGradient({ dout: d, query: a, key: b, value: c, mask: masked ? rest[0] : undefined, out: rest.at(-2)!, logSumExp: rest.at(-1)! }, options),
    },
  ] // prettier-ignore
}

const pools = [
  { shape: [2, 6, 6, 3], window: [2, 2], strides: [2, 2], padding: [0, 0] },
  { shape: [1, 9, 7, 20], window: [3, 3], strides: [2, 2], padding: [1, 1] },
  { shape: [1, 5, 5, 1], window: [3, 2], strides: [1, 1], padding: [0, 1] },
] as const

function poolCases({ shape, window, strides, padding }: (typeof pools)[number]): Case[] {
  const x = randomTensor(`pool ${shape.join()}`, f32(...shape))
  const attributes = {
    window: [1, ...window, 1], strides: [1, ...strides, 1], padding: [[0, 0], [padding[0], padding[0]], [padding[1], padding[1]], [0, 0]] as const,
    baseDilation: [1, 1, 1, 1], windowDilation: [1, 1, 1, 1],
  } // prettier-ignore
  const size = (dim: number): number => Math.floor((shape[dim + 1] + 2 * padding[dim] - window[dim]) / strides[dim]) + 1
  const dy = randomTensor(`pool dy ${shape.join()}`, f32(shape[0], size(0), size(1), shape[3]))
  const body: Case['body'] = (d, a) =>
    ops.maxPoolGradient(d, a, ops.reduceWindow(a, { ...attributes, kind: 'maximum' }), attributes)
  return [{ composite: 'maxPoolGradient', what: shape.join(), operands: [dy, x], body }]
}

const cases: readonly Case[] = [
  ...rowSizes.flatMap(([rows, width]) => rowCases(rows, width)),
  ...([[1, 2], [6, 10], [33, 65], [9, 257]] as const).flatMap(([rows, numClasses]) => crossEntropyCases(rows, numClasses)),
  ...headCases.flatMap(attentionCases),
  ...pools.flatMap(poolCases),
] // prettier-ignore

async function run(
  engine: Engine,
  graph: Graph,
  operands: readonly TensorData[],
  precision: Precision,
): Promise<TensorData[]> {
  const { program } = compileGraph(graph, engine, { precision, verify: true })
  const given = Object.fromEntries(operands.map((operand, index) => [`x${index}`, operand]))
  const executable = await engine.load(program, new Map())
  const outputs = await executable.run(Object.fromEntries(program.inputs.map(({ name }) => [name, given[name]])))
  return graph.results.map(({ name }) => outputs[name])
}

/** Relative to the largest number of each result: every one of them is a sum of such numbers. */
function assertNear(
  actual: readonly TensorData[],
  expected: readonly TensorData[],
  allowed: number,
  what: string,
): void {
  expected.forEach((tensor, result) => {
    const [a, e] = [numbersIn(actual[result]), numbersIn(tensor)]
    const largest = e.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3)
    e.forEach((x, i) => {
      const isNear = Math.abs(a[i] - x) <= allowed * largest
      assert.ok(isNear, `${what}, result ${result}: element ${i} is ${a[i]}, not ${x} (largest ${largest})`)
    })
  })
}

for (const composite of new Set(cases.map((one) => one.composite))) {
  test(`native: ${composite} by its kernel is its decomposition`, async () => {
    for (const one of cases.filter((candidate) => candidate.composite === composite)) {
      const graph = graphOf(one)
      const { program } = compileGraph(graph, native)
      const operation = program.instructions.find(
        ({ operation: o, attributes }) => o === 'composite' && attributes.name === composite,
      )
      assert.ok(operation, 'the compiler leaves the composite whole for this engine')
      const expected = await run(reference, graph, one.operands, 'f32')
      assertNear(await run(native, graph, one.operands, 'f32'), expected, 2e-6, `${composite} ${one.what}`)
      assertNear(await run(native, graph, one.operands, 'bf16'), expected, 0.03, `${composite} ${one.what} in bf16`)
    }
  })
}
