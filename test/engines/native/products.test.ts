/**
 * Products whose rows the threads of the team share, each by a product of its own, and some about that limit: what the
 * reference engine gives, with a bias and without, for teams of one to three, and the same bits again.
 */
import { test } from 'node:test'
import { compileGraph, type Precision } from '../../../src/compile/index.js'
import { philoxBits } from '../../../src/core/random.js'
import { tensorType, type Shape, type TensorData } from '../../../src/core/shape.js'
import type { Engine } from '../../../src/engine/engine.js'
import { createNativeEngine } from '../../../src/engine/native/index.js'
import { createReferenceEngine } from '../../../src/engine/reference/index.js'
import { trace, type AnyTensor, type Graph } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { assertClose, assertSameBits } from '../support/compare.js'
import { randomTensor } from '../support/data.js'

const reference = createReferenceEngine()
const teams = [1, 2, 3].map((threads) => createNativeEngine({ threads }))

type Operation = (...operands: AnyTensor[]) => AnyTensor

function graphOf(shapes: readonly Shape[], operation: Operation): Graph {
  const inputs = shapes.map((shape, index) => ({ name: `x${index}`, type: tensorType('f32', shape) }))
  return trace('product', inputs, (...operands) => ({ y: operation(...operands) }))
}

/** The gradient of a weight: the left operand transposed, which is cut from 64 rows a thread on. */
function weightGradient(rows: number, depth: number, columns: number): Graph {
  return graphOf([[depth, rows], [depth, columns]], (x, dy) => ops.matmul(ops.transpose(x), dy)) // prettier-ignore
}

/** Bias in the product, ReLU after it; cut from 256 rows a thread on. */
function layer(rows: number, depth: number, columns: number): Graph {
  return graphOf([[rows, depth], [depth, columns], [columns]], (x, w, b) => ops.relu(ops.add(ops.matmul(x, w), b))) // prettier-ignore
}

/** The gradient of an input: the right operand transposed. */
function inputGradient(rows: number, depth: number, columns: number): Graph {
  return graphOf([[rows, depth], [columns, depth]], (dy, w) => ops.matmul(dy, ops.transpose(w))) // prettier-ignore
}

async function run(engine: Engine, graph: Graph, precision: Precision, times = 1): Promise<TensorData[]> {
  const { program } = compileGraph(graph, engine, { verify: true, precision })
  const operands = Object.fromEntries(
    graph.parameters.map(({ type }, index) => [`x${index}`, randomTensor(`product ${index}`, type)]),
  )
  const given = Object.fromEntries(program.inputs.map(({ name }) => [name, operands[name]]))
  const executable = await engine.load(program, new Map())
  const results: TensorData[] = []
  for (let i = 0; i < times; i++) results.push((await executable.run(given))['y'])
  return results
}

/** Random sizes; the columns are sometimes too few for the product to be cut. */
function randomSizes(seed: number, leastRows: number, numRows: number): [rows: number, depth: number, columns: number] {
  const [rows, depth, columns] = philoxBits([seed, 0, 0, 0], 3)
  return [leastRows + (rows % numRows), 1 + (depth % 150), 50 + (columns % 60)]
}

const cases = Array.from({ length: 6 }, (_, seed) => [
  { name: 'weight gradient', sizes: randomSizes(seed, 100, 200), build: weightGradient },
  { name: 'layer', sizes: randomSizes(seed + 100, 450, 400), build: layer },
  { name: 'input gradient', sizes: randomSizes(seed + 200, 450, 400), build: inputGradient },
]).flat()

for (const precision of ['f32', 'bf16'] satisfies Precision[]) {
  test(`products in ${precision} that threads share by rows are the reference engine's, with the same bits each time`, async () => {
    for (const { name, sizes, build } of cases) {
      const graph = build(...sizes)
      const [expected] = await run(reference, graph, precision)
      for (const team of teams) {
        const what = `${name} ${sizes.join(' × ')}, ${team.description}`
        const [first, again] = await run(team, graph, precision, 2)
        assertClose(first, expected, 'summed', what, 2)
        assertSameBits(again, first, what)
      }
    }
  })
}
