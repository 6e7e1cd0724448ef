import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CompositeCall } from '../../src/core/operations.js'
import { fuseElementwise } from '../../src/compile/passes/fuseElementwise.js'
import type { CompiledProgram } from '../../src/compile/index.js'
import { gradients } from '../../src/autodiff/index.js'
import type { Shape } from '../../src/core/shape.js'
import { verify, type AnyTensor, type Tensor } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'
import { assertSameAsPlain, compileFor, fusing, graphOf } from './support.js'

/** Instructions by operation, or by name for composites. */
function instructionsOf({ program }: CompiledProgram): string[] {
  return program.instructions.map(({ operation, attributes }) =>
    operation === 'composite' ? (attributes as CompositeCall).name : operation,
  )
}

const matrix = { shape: [4, 6] }
const row = { shape: [6] }

test('a chain becomes one group, with its constants and broadcasts inside', async () => {
  const graph = graphOf([matrix, row], (x, b) => [ops.tanh(ops.multiply(ops.add(x, b), 0.3))])
  const compiled = await assertSameAsPlain(graph, fusing)
  assert.deepEqual(instructionsOf(compiled), ['elementwise'])
  const [{ inputs, body }] = compiled.program.instructions
  assert.deepEqual(
    inputs.map((input) => compiled.program.values[input].shape),
    [[4, 6], [6]],
  )
  assert.equal(body!.constants.length, 1)
  assert.deepEqual(
    body!.instructions.map(({ operation }) => operation),
    ['broadcastInDim', 'add', 'broadcastInDim', 'multiply', 'tanh'],
  )
})

test('what others read of a group is a result of it', async () => {
  const graph = graphOf([matrix], (x) => {
    const y = ops.exp(ops.multiply(x, 0.5))
    return [ops.sum(y, 0), ops.multiply(y, y)]
  })
  const compiled = await assertSameAsPlain(graph, fusing)
  assert.deepEqual(instructionsOf(compiled), ['elementwise', 'reduce'])
  assert.equal(compiled.program.instructions[0].outputs.length, 2)
})

test('a group never waits for itself', async () => {
  const graph = graphOf([matrix], (x) => {
    const y = ops.exp(x)
    const mean = ops.sum(y, 1, { keepDims: true })
    return [ops.multiply(ops.divide(y, mean), ops.tanh(y))]
  })
  const compiled = await assertSameAsPlain(graph, fusing)
  assert.deepEqual(instructionsOf(compiled), ['elementwise', 'reduce', 'elementwise'])
})

test('an optimiser is one group with several results, written where its operands were', async () => {
  const inputs = [matrix, matrix, matrix, matrix]
  const graph = graphOf(inputs, (weight, momentum, speed, gradient) => {
    const nextMomentum = ops.add(ops.multiply(momentum, 0.9), ops.multiply(gradient, 0.1))
    const nextSpeed = ops.add(ops.multiply(speed, 0.99), ops.multiply(ops.square(gradient), 0.01))
    const nextWeight = ops.subtract(
      weight,
      ops.multiply(ops.divide(nextMomentum, ops.add(ops.sqrt(ops.abs(nextSpeed)), 1e-3)), 0.01),
    )
    return [nextWeight, nextMomentum, nextSpeed]
  })
  const compiled = await assertSameAsPlain(graph, fusing, { state: { x0: 'y0', x1: 'y1', x2: 'y2' } })
  assert.deepEqual(instructionsOf(compiled), ['elementwise'])
  assert.ok(compiled.program.state.every(({ isAliased }) => isAliased))
  assert.equal(compiled.plan.arenaBytes, 0)
})

test('groups stay within their limits', () => {
  const graph = graphOf([matrix], (x) => [
    Array.from({ length: 40 }).reduce<typeof x>((y, _, index) => ops.tanh(ops.add(y, index / 7)), x),
  ])
  const fused = fuseElementwise(graph, new Set(), { numViews: 48, numInstructions: 10 })
  verify(fused)
  const groups = fused.nodes.filter(({ operation }) => operation === 'composite')
  assert.equal(groups.length, 8)
})

test('bias, residual and activation go into the product where nobody else needs what is between', async () => {
  const inputs = [{ shape: [4, 3] }, { shape: [3, 6] }, row, matrix]
  const graph = graphOf(inputs, (x, w, b, r) => [ops.relu(ops.add(ops.add(ops.matmul(x, w), b), r))])
  const compiled = await assertSameAsPlain(graph, fusing)
  assert.deepEqual(instructionsOf(compiled), ['dotEpilogue'])
})

test("what is worked out for a sum alone stays out of the product: momentum's velocity and the parameter are one group", async () => {
  const inputs = [{ shape: [4, 3] }, { shape: [4, 6] }, { shape: [3, 6] }, { shape: [3, 6] }]
  const graph = graphOf(inputs, (x, gradient, velocity, parameter) => {
    const next = ops.add(ops.multiply(velocity, 0.9), ops.matmul(ops.transpose(x), gradient))
    return [next, ops.subtract(parameter, ops.multiply(next, 0.1))]
  })
  const compiled = await assertSameAsPlain(graph, fusing)
  assert.deepEqual(instructionsOf(compiled), ['dotGeneral', 'elementwise'])
})

test('gelu goes into the product, but not when its argument is needed as well', async () => {
  const inputs = [{ shape: [4, 3] }, { shape: [3, 6] }, row]
  const alone = graphOf(inputs, (x, w, b) => [ops.gelu(ops.add(ops.matmul(x, w), b), 'tanh')])
  assert.deepEqual(instructionsOf(await assertSameAsPlain(alone, fusing)), ['dotEpilogue'])
  const shared = graphOf(inputs, (x, w, b) => {
    const y = ops.add(ops.matmul(x, w), b)
    return [ops.gelu(y, 'tanh'), ops.sum(y)]
  })
  assert.deepEqual(instructionsOf(await assertSameAsPlain(shared, fusing)).sort(), ['dotEpilogue', 'gelu', 'reduce'])
})

test("ReLU goes into the product, its derivative asking ReLU's result", async () => {
  const graph = graphOf([{ shape: [4, 3] }, { shape: [3, 6] }, row], (x, w, b) => {
    const loss = ops.sum(ops.square(ops.relu(ops.add(ops.matmul(x, w), b))))
    return gradients(loss, [w, b])
  })
  const compiled = await assertSameAsPlain(graph, fusing)
  assert.deepEqual(instructionsOf(compiled), ['dotEpilogue', 'elementwise', 'reduce', 'dotGeneral'])
  assert.match(compiled.program.instructions[0].label, /maximum/)
  const without = await assertSameAsPlain(graph, fusing, { disabledPasses: new Set(['maskByResult']) })
  assert.doesNotMatch(without.program.instructions[0].label, /maximum/)
})

test('the sum of two products follows one of them', async () => {
  const graph = graphOf([{ shape: [4, 3] }, { shape: [3, 6] }], (x, w) => [
    ops.add(ops.matmul(x, w), ops.matmul(ops.exp(x), w)),
  ])
  assert.deepEqual(instructionsOf(await assertSameAsPlain(graph, fusing)).sort(), [
    'dotEpilogue',
    'dotGeneral',
    'exponential',
  ])
})

test('elementwise composites that the engine takes inside groups stay whole there', async () => {
  const graph = graphOf([matrix], (x) => [ops.multiply(ops.erf(x), 2)])
  const compiled = await assertSameAsPlain(graph, fusing)
  assert.deepEqual(instructionsOf(compiled), ['elementwise'])
  assert.ok(compiled.program.instructions[0].body!.instructions.some(({ operation }) => operation === 'composite'))
})

test('fusing is switched off by name', () => {
  const graph = graphOf([matrix, { shape: [6, 2] }], (x, w) => [ops.add(ops.matmul(ops.tanh(ops.exp(x)), w), 1)])
  const names = instructionsOf(
    compileFor(fusing, graph, { disabledPasses: new Set(['fuseElementwise', 'fuseProducts']) }),
  )
  assert.deepEqual(names, ['exponential', 'tanh', 'dotGeneral', 'broadcastInDim', 'add'])
})

test('what is scattered over zeros and added is scattered over the other side', async () => {
  const graph = graphOf([matrix, { shape: [5, 4] }], (table, x) => {
    const indices = ops.constant([1, 3, 1, 0, 2], [5], 'i32')
    const both = ops.multiply(ops.takeRows(table, indices), ops.matmul(x, table as never))
    return gradients(ops.sum(ops.square(both)), [table])
  })
  const compiled = await assertSameAsPlain(graph, fusing)
  const isZero = (name: string): boolean => name === 'broadcastInDim'
  assert.equal(instructionsOf(compiled).filter((name) => name === 'scatter').length, 1)
  assert.ok(!instructionsOf(compiled).some(isZero))
  const without = await assertSameAsPlain(graph, fusing, { disabledPasses: new Set(['scatterIntoSums']) })
  assert.ok(instructionsOf(without).some(isZero))
})

test("an optimiser's update chooses between new and old itself", async () => {
  const scalar = { shape: [] }
  const inputs = [matrix, matrix, matrix, matrix, scalar, { shape: [], dtype: 'bool' as const }]
  const graph = graphOf(inputs, (parameter, gradient, mean, variance, rate, isFine) => {
    const scalars = { kept: rate, learningRate: rate, meanCorrection: ops.exp(rate), varianceCorrection: ops.exp(rate) }
    const operands = { parameter, gradient, mean, variance: ops.square(variance), ...scalars }
    const next = ops.adamUpdate(operands, { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, coupledDecay: 0 })
    const choose = (fresh: AnyTensor, old: AnyTensor): AnyTensor =>
      ops.where(isFine as Tensor<Shape, 'bool'>, fresh, old)
    return [choose(next.parameter, parameter), choose(next.mean, mean), choose(next.variance, operands.variance)]
  })
  const target = { ...fusing, composites: new Set([...fusing.composites, 'adamUpdate' as const]) }
  const compiled = await assertSameAsPlain(graph, target)
  assert.deepEqual(
    instructionsOf(compiled).filter((name) => name === 'select' || name === 'adamUpdate'),
    ['adamUpdate'],
  )
  const without = await assertSameAsPlain(graph, target, { disabledPasses: new Set(['guardUpdates']) })
  assert.ok(instructionsOf(without).length > instructionsOf(compiled).length)
})

test('a sum of bf16 in f32 reads bf16, unless the f32 copy is there anyway', async () => {
  const target = { ...fusing, composites: new Set([...fusing.composites, 'widenedReduce' as const]) }
  const inputs = [{ shape: [8, 6], dtype: 'bf16' as const }]
  const widened = (x: AnyTensor): AnyTensor => ops.convert(x, 'f32') as AnyTensor
  const alone = graphOf(inputs, (x) => [ops.sum(widened(x), 0)])
  assert.deepEqual(instructionsOf(await assertSameAsPlain(alone, target)), ['widenedReduce'])
  const disabledPasses = new Set(['fuseReductions'] as const)
  assert.deepEqual(instructionsOf(await assertSameAsPlain(alone, target, { disabledPasses })), ['convert', 'reduce'])
  const shared = graphOf(inputs, (x) => [ops.sum(widened(x), 0), widened(x)])
  assert.deepEqual(instructionsOf(await assertSameAsPlain(shared, target)), ['convert', 'reduce'])
})
