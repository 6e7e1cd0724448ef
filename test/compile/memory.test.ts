import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CompiledProgram, CompileTarget } from '../../src/compile/index.js'
import { gradients, remat } from '../../src/autodiff/index.js'
import type { AnyTensor } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'
import { apply } from '../../src/ops/lift.js'
import { assertSameAsPlain, compileFor, fusing, graphOf, reference } from './support.js'

/** An engine that reads row-major operands alone. */
const bare: CompileTarget = { ...reference, stridedInputs: new Set() }

const tile = { shape: [16, 16] }
const tileBytes = 16 * 16 * 4

test('an elementwise operation writes where its dying operand was', async () => {
  const graph = graphOf([tile], (x) => [ops.sum(ops.exp(ops.tanh(ops.exp(x))))])
  const { plan } = await assertSameAsPlain(graph, reference)
  assert.equal(plan.arenaBytes, tileBytes)
})

test('a product does not write over its operands', async () => {
  const graph = graphOf([tile], (x) => [ops.sum(ops.matmul(ops.exp(x), x))])
  const { plan } = await assertSameAsPlain(graph, reference)
  assert.equal(plan.arenaBytes, 2 * tileBytes)
})

test('scatter adds to its first operand in place, but never to one that it also reads as updates', async () => {
  const rows = { shape: [16], dtype: 'i32' } as const
  const attributes = {
    updateWindowDims: [1],
    insertedWindowDims: [0],
    scatterDimsToOperandDims: [0],
    indexVectorDim: 1,
    kind: 'add',
  } as const
  const graph = graphOf([tile, rows], (x, places) => [ops.sum(apply('scatter', [ops.exp(x), places, x], attributes))])
  assert.equal((await assertSameAsPlain(graph, reference)).plan.arenaBytes, tileBytes)
  const both = graphOf([tile, rows], (x, places) => {
    const y = ops.exp(x)
    return [ops.sum(apply('scatter', [y, places, y], attributes))]
  })
  assert.equal((await assertSameAsPlain(both, reference)).plan.arenaBytes, 2 * tileBytes)
})

test('a transposed view is not written over by what reads it', async () => {
  const graph = graphOf([tile], (x) => {
    const y = ops.exp(x)
    return [ops.sum(ops.add(y, ops.transpose(y, [1, 0])), 0)]
  })
  const { plan, program } = await assertSameAsPlain(graph, fusing)
  assert.deepEqual(
    program.instructions.map(({ operation }) => operation),
    ['exponential', 'transpose', 'add', 'reduce'],
  )
  assert.equal(plan.arenaBytes, 2 * tileBytes)
})

test('engines that take strides read views, others get copies', async () => {
  const graph = graphOf([tile], (x) => {
    const [left, right] = [0, 8].map((start) =>
      apply('slice', [x], { starts: [0, start], limits: [16, start + 8], strides: [1, 1] }),
    )
    return [ops.tanh(ops.multiply(ops.exp(left), right))]
  })
  const strided: CompileTarget = {
    ...reference,
    composites: new Set(['elementwise']),
    stridedInputs: new Set(['elementwise']),
  }
  const viewed = await assertSameAsPlain(graph, strided)
  assert.deepEqual(
    viewed.program.instructions.map(({ operation }) => operation),
    ['composite'],
  )
  assert.deepEqual(
    viewed.program.instructions[0].inputs.map((input) => viewed.program.values[input].strides),
    [
      [16, 1],
      [16, 1],
    ],
  )
  const copied = await assertSameAsPlain(graph, bare)
  assert.deepEqual(
    copied.program.instructions.map(({ operation }) => operation),
    ['slice', 'exponential', 'slice', 'multiply', 'tanh'],
  )
})

test('a reshaped view of strided memory stays a view where it can', async () => {
  const strided: CompileTarget = { ...fusing, stridedInputs: new Set(['attention']) }
  const graph = graphOf([{ shape: [2, 4, 24] }], (x) => {
    const parts = [0, 8, 16].map((start) =>
      apply('slice', [x], { starts: [0, 0, start], limits: [2, 4, start + 8], strides: [1, 1, 1] }),
    )
    const [q, k, v] = parts.map((part) => ops.reshape(part, [2, 4, 2, 4]))
    return [ops.attention(q, k, v)]
  })
  const { program } = await assertSameAsPlain(graph, strided)
  assert.deepEqual(
    program.instructions.map(({ operation }) => operation),
    ['composite'],
  )
  assert.deepEqual(
    program.instructions[0].inputs.map((input) => program.values[input].offsetElements),
    [0, 8, 16],
  )
})

test('rows of a matrix are views for every engine', async () => {
  const graph = graphOf([tile], (x) => [
    ops.exp(apply('slice', [x], { starts: [4, 0], limits: [8, 16], strides: [1, 1] })),
  ])
  const { program } = await assertSameAsPlain(graph, reference)
  assert.deepEqual(
    program.instructions.map(({ operation }) => operation),
    ['exponential'],
  )
  assert.equal(program.values[program.instructions[0].inputs[0]].offsetElements, 64)
})

test('scratch is planned into the arena for its instruction alone', () => {
  const target: CompileTarget = {
    ...reference,
    scratchBytes: (asked) => asked.map(({ operation }) => (operation === 'dotGeneral' ? 4 * tileBytes : 0)),
  }
  const graph = graphOf([tile], (x) => [ops.matmul(ops.sum(ops.matmul(x, x), 0, { keepDims: true }), x)])
  const { plan, program } = compileFor(target, graph)
  assert.equal(plan.scratchBytes, 4 * tileBytes)
  assert.ok(plan.arenaBytes <= 5 * tileBytes + 64) // the product's result, and the sum's 64 bytes
  const scratch = program.instructions.filter((instruction) => instruction.scratch !== undefined)
  assert.equal(scratch.length, 2)
})

/** Larger than what scheduling holds to be nothing. */
const large = { shape: [40, 40] }

test('each weight is updated as soon as its gradient is there', async () => {
  const weights = Array.from({ length: 6 }, () => large)
  const graph = graphOf([large, ...weights], (x, ...ws) => {
    // A chain of products and its derivatives by hand, all gradients first and all updates after.
    const activations = ws.reduce<(typeof x)[]>((all, w) => [...all, ops.matmul(all.at(-1)!, w)], [x])
    let flowing = activations.at(-1)!
    const gradients = ws.map((_, back) => {
      const index = ws.length - 1 - back
      const gradient = ops.matmul(ops.transpose(activations[index], [1, 0]), flowing)
      flowing = ops.matmul(flowing, ops.transpose(ws[index], [1, 0]))
      return gradient
    })
    return ws.map((w, index) => ops.subtract(w, ops.multiply(gradients[ws.length - 1 - index], 1e-3)))
  })
  const state = Object.fromEntries(weights.map((_, index) => [`x${index + 1}`, `y${index}`]))
  const compiled = await assertSameAsPlain(graph, fusing, { state })
  const unscheduled = compileFor(fusing, graph, { state, disabledPasses: new Set(['schedule']) })
  assert.ok(compiled.program.state.every(({ isAliased }) => isAliased))
  assert.ok(Math.max(...waitsOf(compiled)) <= 2, `updates wait ${waitsOf(compiled)} instructions`)
  assert.ok(Math.max(...waitsOf(unscheduled)) >= 6, `updates wait ${waitsOf(unscheduled)} instructions`)
})

/** For each state, how many instructions after its gradient it is updated. */
function waitsOf({ program }: CompiledProgram): number[] {
  const writers = new Map(
    program.instructions.flatMap(({ outputs }, position) => outputs.map((output) => [output, position] as const)),
  )
  return program.state.map(({ output }) => {
    const position = writers.get(output!)!
    const gradients = program.instructions[position].inputs.flatMap((input) => writers.get(input) ?? [])
    return position - Math.max(...gradients)
  })
}

test('what is computed again is not kept: rematerialisation lowers the peak', async () => {
  const wide = { shape: [32, 64] }
  const step = (isRematerialised: boolean) =>
    graphOf([wide, { shape: [64, 64] }], (x, w) => {
      const layer = (h: AnyTensor): AnyTensor => ops.tanh(ops.matmul(ops.exp(ops.multiply(ops.matmul(h, w), 0.01)), w))
      let h: AnyTensor = x
      for (let index = 0; index < 6; index++) h = isRematerialised ? (remat(layer)(h) as AnyTensor) : layer(h)
      return gradients(ops.sum(ops.square(h)), [w])
    })
  const kept = await assertSameAsPlain(step(false), fusing)
  const again = await assertSameAsPlain(step(true), fusing)
  assert.ok(again.plan.arenaBytes < 0.75 * kept.plan.arenaBytes, `${again.plan.arenaBytes} of ${kept.plan.arenaBytes}`)
  assert.ok(again.program.instructions.length > kept.program.instructions.length)
})

test('the figures are those of the buffers', () => {
  const graph = graphOf([tile, { shape: [16] }], (x, y) => [ops.add(x, y), ops.add(ops.matmul(x, x), 1)])
  const { plan } = compileFor(reference, graph, { state: { x0: 'y0' } })
  assert.equal(plan.stateBytes, tileBytes)
  assert.equal(plan.inputBytes, 64)
  assert.equal(plan.outputBytes, tileBytes)
  assert.equal(plan.constantBytes, 4)
  assert.equal(
    plan.peakBytes,
    plan.arenaBytes + plan.stateBytes + plan.inputBytes + plan.outputBytes + plan.constantBytes,
  )
})

test('labels name the line that asked, and what is in a group', () => {
  const graph = graphOf([tile], (x) => [ops.tanh(ops.add(x, 1))])
  const { program } = compileFor(fusing, graph)
  assert.match(program.instructions[0].label, /^memory\.test\.ts:\d+ elementwise\(add, tanh\)$/)
})
