/** Convolutions with their gradients, in every form that oneDNN has one for and in some that it has not. */
import { test } from 'node:test'
import { gradients } from '../../../src/autodiff/index.js'
import { tensorType, type TensorData } from '../../../src/core/shape.js'
import { compileGraph } from '../../../src/compile/index.js'
import type { Engine } from '../../../src/engine/engine.js'
import { createNativeEngine } from '../../../src/engine/native/index.js'
import { trace, type AnyTensor, type Graph } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { assertClose } from '../support/compare.js'
import { randomTensor } from '../support/data.js'
import { reference } from '../support/engines.js'

interface Case {
  readonly images: readonly [number, number, number, number]
  readonly kernel: readonly [number, number, number, number]
  readonly options: ops.ConvolutionOptions
}

const cases: readonly Case[] = [
  { images: [2, 8, 8, 3], kernel: [3, 3, 3, 5], options: { padding: 'same' } },
  { images: [1, 9, 7, 4], kernel: [3, 2, 4, 16], options: { stride: 2, padding: 1 } },
  { images: [3, 12, 12, 1], kernel: [5, 5, 1, 8], options: {} },
  { images: [2, 11, 11, 16], kernel: [3, 3, 16, 16], options: { dilation: 2, padding: 2 } },
  { images: [2, 10, 10, 8], kernel: [3, 3, 8, 8], options: { stride: [2, 3], padding: [[0, 1], [1, 0]] } }, // prettier-ignore
  { images: [2, 7, 7, 8], kernel: [1, 1, 8, 4], options: { stride: 2 } },
  { images: [2, 6, 6, 8], kernel: [3, 3, 4, 6], options: { groups: 2, padding: 1 } },
  { images: [1, 6, 6, 4], kernel: [3, 3, 1, 4], options: { groups: 4, padding: 1, stride: 2 } },
  { images: [1, 4, 4, 2], kernel: [4, 4, 2, 3], options: {} },
  { images: [1, 3, 3, 1], kernel: [1, 1, 1, 1], options: { stride: 3 } },
  { images: [2, 16, 5, 3], kernel: [2, 2, 3, 2], options: { stride: 4 } },
]

/** The convolution, and the gradients of a weighted sum of it. */
function graphOf({ images, kernel, options }: Case, dtype: 'f32' | 'f64' | 'bf16'): Graph {
  const inputs = [
    { name: 'x', type: tensorType(dtype, images) },
    { name: 'w', type: tensorType(dtype, kernel) },
  ]
  return trace('convolution', inputs, (x, w) => {
    const y = ops.convolution2d(x, w, options)
    const [dx, dw] = gradients(ops.sum(ops.multiply(y, ops.sin(y as AnyTensor)) as AnyTensor), [x, w])
    return { y, dx, dw }
  })
}

async function run(
  engine: Engine,
  graph: Graph,
  operands: Readonly<Record<string, TensorData>>,
): Promise<Record<string, TensorData>> {
  const { program } = compileGraph(graph, engine, { verify: true })
  return (await engine.load(program, new Map())).run(operands)
}

const native = createNativeEngine()

for (const dtype of ['f32', 'bf16', 'f64'] as const) {
  for (const one of cases) {
    const what = `[${one.images}] by [${one.kernel}] ${JSON.stringify(one.options)} in ${dtype}`
    test(`native: convolution and its gradients, ${what}`, async () => {
      const graph = graphOf(one, dtype)
      const [x, w] = [one.images, one.kernel].map((shape, i) =>
        randomTensor(`${what} ${i}`, tensorType(dtype, shape), { least: -0.5, most: 0.5 }),
      )
      const expected = await run(reference, graph, { x, w })
      const actual = await run(native, graph, { x, w })
      // In bf16 dy is rounded before the gradients' products, which the reference engine doesn't do.
      for (const name of ['y', 'dx', 'dw'])
        assertClose(actual[name], expected[name], 'summed', `${what} ${name}`, dtype === 'bf16' && name !== 'y' ? 4 : 1)
    })
  }
}
