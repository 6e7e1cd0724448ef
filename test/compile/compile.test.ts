import assert from 'node:assert/strict'
import { test } from 'node:test'
import { add, gelu, multiply, reshape, softmax, subtract, sum, transpose } from '../../src/ops/index.js'
import { argumentsFor, assertClose, assertSameAsPlain, compileFor, graphOf, reference, runProgram } from './support.js'

test('a composite that the engine does not know is taken apart', async () => {
  const graph = graphOf([{ shape: [3, 5] }], (x) => [gelu(softmax(x), 'none')])
  const compiled = await assertSameAsPlain(graph, reference)
  assert.ok(compiled.program.instructions.every(({ operation }) => operation !== 'composite'))
})

test('what no result needs is not computed', () => {
  const graph = graphOf([{ shape: [4] }], (x) => {
    multiply(x, x)
    return [add(x, x)]
  })
  assert.deepEqual(
    compileFor(reference, graph).program.instructions.map(({ operation }) => operation),
    ['add'],
  )
})

test('only the wanted outputs are returned', () => {
  const graph = graphOf([{ shape: [4] }], (x) => [add(x, x), multiply(x, x)])
  const { program } = compileFor(reference, graph, { outputs: ['y1'] })
  assert.deepEqual(
    program.outputs.map(({ name }) => name),
    ['y1'],
  )
  assert.deepEqual(
    program.instructions.map(({ operation }) => operation),
    ['multiply'],
  )
})

test('state is updated in place where its readers are done, and copied where they are not', async () => {
  const graph = graphOf([{ shape: [4] }, { shape: [4] }], (x, y) => [add(x, y), subtract(y, x), sum(x)])
  const compiled = await assertSameAsPlain(graph, reference, { state: { x0: 'y0', x1: 'y1' } })
  assert.deepEqual(
    compiled.program.state.map(({ isAliased }) => isAliased),
    [true, false],
  )
})

test('two states that are exchanged are copied', async () => {
  const graph = graphOf([{ shape: [4] }, { shape: [4] }], (x, y) => [y, x])
  const compiled = compileFor(reference, graph, { state: { x0: 'y0', x1: 'y1' } })
  const values = argumentsFor(graph)
  assertClose(await runProgram(compiled, values), { 'state x0': values.x1, 'state x1': values.x0 })
})

test('a result that is a parameter, a view, or another result has memory of its own', async () => {
  const graph = graphOf([{ shape: [2, 3] }], (x) => {
    const y = add(x, x)
    return [x, y, y, reshape(y, [6]), transpose(x, [1, 0])]
  })
  const compiled = await assertSameAsPlain(graph, reference)
  const buffers = compiled.program.outputs.map(({ value }) => compiled.program.values[value].buffer)
  assert.equal(new Set(buffers).size, 5)
})
