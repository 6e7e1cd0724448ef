/**
 * Composites: what was worked out by hand comes out of every engine, and an engine's kernel gives what the decomposition
 * gives on the reference engine, in f32 and, where the engine has it, as the compiler makes bf16 of it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileGraph } from '../../src/compile/index.js'
import type { TensorData } from '../../src/core/shape.js'
import type { Engine } from '../../src/engine/engine.js'
import type { Graph } from '../../src/graph/index.js'
import { knownComposites } from './known/composites.js'
import { randomComposites } from './random/composites.js'
import { assertClose, numbersIn } from './support/compare.js'
import { compositeGraph, type KernelComposite } from './support/composites.js'
import { forEachEngine, reference } from './support/engines.js'
import { evaluate, lacking, named } from './support/evaluate.js'

const names = Object.keys(knownComposites) as KernelComposite[]

/** Relative to the largest number of a result: each is a sum of such numbers. */
const allowed = { f32: 2e-6, bf16: 0.03 }

forEachEngine('composites worked out by hand', (engine) => {
  for (const name of names) {
    for (const { what, operands, body, results } of knownComposites[name]) {
      test(`${name}: ${what}`, { skip: lacking(engine, operands) }, async () => {
        const actual = await evaluate(engine, compositeGraph(name, operands, body), operands)
        results.forEach((result, index) => assertClose(actual[index], result, 'summed', `result ${index}`))
      })
    }
  }
})

forEachEngine('composites of random operands', (engine) => {
  if (engine === reference) return
  for (const name of names) {
    test(`${name}, by kernel or decomposition, is its decomposition on the reference engine`, async () => {
      for (const { what, operands, body } of randomComposites[name]) {
        const graph = compositeGraph(name, operands, body)
        const expected = await evaluate(reference, graph, operands)
        assertNear(await evaluate(engine, graph, operands), expected, allowed.f32, what)
        if (!engine.dtypes.has('bf16')) continue
        assertNear(await inBFloat16(engine, graph, operands), expected, allowed.bf16, `${what} in bf16`)
      }
    })
  }
})

async function inBFloat16(engine: Engine, graph: Graph, operands: readonly TensorData[]): Promise<TensorData[]> {
  const { program } = compileGraph(graph, engine, { precision: 'bf16', verify: true })
  const given = named(operands)
  const inputs = Object.fromEntries(program.inputs.map(({ name }) => [name, given[name]]))
  const outputs = await (await engine.load(program, new Map())).run(inputs)
  return graph.results.map(({ name }) => outputs[name])
}

function assertNear(
  actual: readonly TensorData[],
  expected: readonly TensorData[],
  relative: number,
  what: string,
): void {
  expected.forEach((tensor, result) => {
    const [a, e] = [numbersIn(actual[result]), numbersIn(tensor)]
    const largest = e.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3)
    assert.equal(a.length, e.length, `${what}, result ${result}: number of elements`)
    e.forEach((x, i) => {
      const isNear = Math.abs(a[i] - x) <= relative * largest
      assert.ok(isNear, `${what}, result ${result}: element ${i} is ${a[i]}, not ${x} (largest ${largest})`)
    })
  })
}
