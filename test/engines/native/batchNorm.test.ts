/**
 * Batch norm with ReLU and pooling: the kernels give what the decomposition gives on the reference engine, with the pass
 * and without, in f32 and in bf16, and the same bits at any number of threads.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gradients } from '../../../src/autodiff/index.js'
import { compileGraph, passNames, type CompiledProgram, type CompileOptions } from '../../../src/compile/index.js'
import type { CompositeCall } from '../../../src/core/operations.js'
import { tensorType, type Shape, type TensorData } from '../../../src/core/shape.js'
import type { Engine } from '../../../src/engine/engine.js'
import { createNativeEngine } from '../../../src/engine/native/index.js'
import { createReferenceEngine } from '../../../src/engine/reference/index.js'
import { trace, type Graph, type Tensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { numbersIn } from '../support/compare.js'
import { randomTensor } from '../support/data.js'

const native = createNativeEngine()
const reference = createReferenceEngine()

interface Case {
  readonly shape: Shape
  readonly window: readonly [number, number]
}

/** Channels about the widths of vectors; few rows and more than chunks; windows that tile and one that nearly does. */
const cases: readonly Case[] = [
  { shape: [5, 3], window: [1, 1] },
  { shape: [300, 17], window: [1, 1] },
  { shape: [3, 40, 33], window: [1, 1] },
  { shape: [2, 3, 5, 16], window: [1, 1] },
  { shape: [2, 4, 6, 5], window: [2, 2] },
  { shape: [1, 2, 2, 1], window: [2, 2] },
  { shape: [3, 6, 9, 48], window: [2, 3] },
  { shape: [6, 28, 28, 16], window: [2, 2] },
  { shape: [2, 90, 4, 7], window: [1, 4] },
  { shape: [2, 7, 7, 19], window: [2, 2] },
]

/** y, statistics, and the gradients of a weighted sum of y. */
function graphOf({ shape, window }: Case): Graph {
  const [height, width] = window
  const numChannels = shape.at(-1)!
  const isPooled = height * width > 1
  const pooled = isPooled ? [shape[0], Math.floor(shape[1] / height), Math.floor(shape[2] / width), numChannels] : shape
  const inputs = [shape, [numChannels], [numChannels], pooled].map((dims, index) => ({ name: `x${index}`, type: tensorType('f32', dims) })) // prettier-ignore
  return trace('normalised', inputs, (x, weight, bias, dy) => {
    const { output, mean, variance } = ops.batchNorm(x, weight, bias)
    const rectified = ops.relu(output as Tensor<Shape, 'f32'>)
    const y = isPooled ? ops.maxPool2d(rectified, window) : rectified
    const [dx, dweight, dbias] = gradients(ops.sum(ops.multiply(y, dy)), [x, weight, bias])
    return { y, mean, variance, dx, dweight, dbias }
  })
}

/** Numbers that bf16 has too: which element of a window is largest does not hang on a rounding then. */
function operandsOf(graph: Graph, seed: string): Record<string, TensorData> {
  return Object.fromEntries(
    graph.parameters.map(({ type }, index) => {
      const tensor = randomTensor(`${seed} ${index}`, type)
      return [`x${index}`, { ...tensor, data: Float32Array.from(tensor.data, (x) => Math.round(x * 64) / 64) }]
    }),
  )
}

async function run(engine: Engine, graph: Graph, options: CompileOptions, operands: Record<string, TensorData>) {
  const compiled = compileGraph(graph, engine, { verify: true, ...options })
  const given = Object.fromEntries(compiled.program.inputs.map(({ name }) => [name, operands[name]]))
  return { compiled, results: await (await engine.load(compiled.program, new Map())).run(given) }
}

function namesOf({ program }: CompiledProgram): string[] {
  return program.instructions.map(({ operation, attributes }) =>
    operation === 'composite' ? (attributes as CompositeCall).name : operation,
  )
}

function assertNear(
  actual: Readonly<Record<string, TensorData>>,
  expected: Readonly<Record<string, TensorData>>,
  relative: number,
  what: string,
): void {
  for (const [name, tensor] of Object.entries(expected)) {
    const [got, want] = [numbersIn(actual[name]), numbersIn(tensor)]
    const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
    want.forEach((x, i) => {
      const isNear = Math.abs(got[i] - x) <= relative * largest
      assert.ok(isNear, `${what}: ${name}[${i}] is ${got[i]}, not ${x} (largest ${largest})`)
    })
  }
}

const plain: CompileOptions = { disabledPasses: new Set(passNames) }
const without: CompileOptions = { disabledPasses: new Set(['fuseBatchNorm']) }

for (const [index, normalised] of cases.entries()) {
  const what = `[${normalised.shape}] by [${normalised.window}]`
  test(`batch norm, ReLU and pooling are their decomposition: ${what}`, async () => {
    const graph = graphOf(normalised)
    const operands = operandsOf(graph, `batch norm ${index}`)
    const { results: expected } = await run(reference, graph, plain, operands)
    const fused = await run(native, graph, {}, operands)
    assertNear(fused.results, expected, 5e-6, 'fused')
    assert.deepEqual(namesOf(fused.compiled).filter((name) => name.startsWith('batchNorm')), ['batchNormRelu', 'batchNormReluGradient']) // prettier-ignore
    const apart = await run(native, graph, without, operands)
    assertNear(apart.results, expected, 5e-6, 'apart')
    assert.ok(!namesOf(apart.compiled).some((name) => name.startsWith('batchNormRelu')))
    const { results: rounded } = await run(native, graph, { precision: 'bf16' }, operands)
    assertNear(rounded, expected, 0.02, 'in bf16')
    const { results: alone } = await run(createNativeEngine({ threads: 1 }), graph, {}, operands)
    assert.deepEqual(alone, fused.results)
  })
}

test('a channel with NaN is NaN in the result and in its gradients, and no other channel is', async () => {
  const graph = graphOf({ shape: [2, 4, 4, 20], window: [2, 2] })
  const operands = operandsOf(graph, 'not a number')
  operands['x0'].data[5 * 20 + 3] = Number.NaN
  const { results } = await run(native, graph, {}, operands)
  for (const [name, tensor] of Object.entries(results)) {
    const expectsNaN = (channel: number): boolean => channel === 3 && name !== 'dbias' // ReLU's mask is closed there
    numbersIn(tensor).forEach((x, i) => assert.equal(Number.isNaN(x), expectsNaN(i % 20), `${name}[${i}] is ${x}`))
  }
})

test('statistics of numbers far from 0 lose nothing', async () => {
  const graph = graphOf({ shape: [64, 9, 16], window: [1, 1] })
  const operands = operandsOf(graph, 'far')
  operands['x0'].data.set(numbersIn(operands['x0']).map((x) => x + 4096))
  const { results: expected } = await run(reference, graph, plain, operands)
  const { results } = await run(native, graph, {}, operands)
  assertNear({ variance: results['variance'] }, { variance: expected['variance'] }, 2e-6, 'variance')
})
