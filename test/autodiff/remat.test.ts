/** Rematerialisation: the same gradient, computed from values that are computed again. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { gradients, remat } from '../../src/autodiff/index.js'
import { compileGraph } from '../../src/compile/index.js'
import type { TensorData } from '../../src/core/shape.js'
import { trace, type AnyTensor, type Graph } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'
import { u32 } from '../engines/support/data.js'
import { evaluate, named } from '../engines/support/evaluate.js'
import { random } from './support/cases.js'
import { reference } from './support/gradients.js'

type Layer = (x: AnyTensor, weight: AnyTensor) => AnyTensor

const operands = [random('input', [4, 3]), random('weight', [3, 3]), u32([7], []), u32([2], [])]

function dense(x: AnyTensor, weight: AnyTensor): AnyTensor {
  return ops.tanh(ops.matmul(x, weight as never) as AnyTensor) as AnyTensor
}

function withDropout(x: AnyTensor, weight: AnyTensor): AnyTensor {
  return ops.random.dropout(dense(x, weight), 0.5)
}

/** Passes the weight as an argument, or lets the function find it around itself. */
const forms = {
  'with its parameters as arguments': (layer: Layer): Layer => remat(layer),
  'over parameters around it':
    (layer: Layer): Layer =>
    (x, weight) =>
      remat((h: AnyTensor) => layer(h, weight))(x),
} as const

/** Loss and gradients of two layers of one weight, in a step that has random numbers. */
function lossGraph(layer: Layer): Graph {
  const inputs = operands.map(({ dtype, shape }, index) => ({ name: `x${index}`, type: { dtype, shape } }))
  return trace('loss', inputs, (x, weight, seed, step) =>
    ops.random.withRandomness({ seed, step, sampleOffset: ops.zeros([], 'u32') as AnyTensor, numSamples: 4 }, () => {
      const loss = ops.sum(ops.square(layer(layer(x, weight), weight)) as AnyTensor)
      const [byX, byWeight] = gradients(loss, [x, weight])
      return { loss, byX, byWeight }
    }),
  )
}

async function runCompiled(graph: Graph): Promise<TensorData[]> {
  const { program } = compileGraph(graph, reference, { verify: true })
  const given = named(operands)
  const inputs = Object.fromEntries(program.inputs.map(({ name }) => [name, given[name]]))
  const outputs = await (await reference.load(program, new Map())).run(inputs)
  return graph.results.map(({ name }) => outputs[name])
}

/** Operations in what an engine would run. */
function countCompiled(graph: Graph, operation: string): number {
  const { program } = compileGraph(graph, reference)
  return program.instructions.filter((instruction) => instruction.operation === operation).length
}

for (const [form, rematerialised] of Object.entries(forms)) {
  suite(`rematerialisation ${form}`, () => {
    for (const layer of [dense, withDropout]) {
      test(`${layer.name}: loss and gradients are the same to the last bit`, async () => {
        const [plain, again] = [lossGraph(layer), lossGraph(rematerialised(layer))]
        const expected = await evaluate(reference, plain, operands)
        assert.ok(expected.every(({ data }) => data.some((x) => x !== 0)))
        assert.deepEqual(await evaluate(reference, again, operands), expected)
        assert.deepEqual(await runCompiled(again), await runCompiled(plain))
      })
    }

    test('the inside is computed once more, from values held by a barrier', () => {
      const [plain, again] = [lossGraph(dense), lossGraph(rematerialised(dense))]
      assert.equal(countCompiled(plain, 'tanh'), 2)
      assert.equal(countCompiled(again, 'tanh'), 4)
      const barriers = again.nodes.filter(({ operation }) => operation === 'optimizationBarrier')
      assert.equal(barriers.length, 2)
      // Each holds what its layer took together with the cotangent, so that it can't be computed any earlier.
      for (const { inputs } of barriers) assert.equal(inputs.length, 3)
    })

    test('random numbers are drawn once more, from the same state', () => {
      const [plain, again] = [lossGraph(withDropout), lossGraph(rematerialised(withDropout))]
      assert.equal(countCompiled(plain, 'rngBitGenerator'), 2)
      assert.equal(countCompiled(again, 'rngBitGenerator'), 4)
    })
  })
}
