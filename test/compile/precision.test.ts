import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TalwegError } from '../../src/core/errors.js'
import { formatType } from '../../src/core/shape.js'
import type { CompiledProgram } from '../../src/compile/index.js'
import * as ops from '../../src/ops/index.js'
import { assertSameAsPlain, compileFor, fusing, graphOf, reference } from './support.js'

const inputs = [{ shape: [4, 8] }, { shape: [8, 8] }, { shape: [8] }]
/** bf16 has 8 bits of significand. */
const tolerance = 0.15

/** For each product, the types of its operands and its result. */
function productTypes({ program }: CompiledProgram): string[] {
  return program.instructions
    .filter(({ operation, body }) => operation === 'dotGeneral' || body?.instructions[0].operation === 'dotGeneral')
    .map(({ inputs: operands, outputs }) =>
      [...operands.slice(0, 2), ...outputs].map((value) => formatType(program.values[value])).join(' '),
    )
}

test('bf16: products take bf16 and give f32', async () => {
  const graph = graphOf(inputs, (x, w) => [ops.matmul(x, w)])
  for (const engine of [reference, fusing]) {
    const compiled = await assertSameAsPlain(graph, engine, { precision: 'bf16' }, tolerance)
    assert.deepEqual(productTypes(compiled), ['bf16[4,8] bf16[8,8] f32[4,8]'])
  }
})

test('bf16: a product read by products alone is rounded as it is written', async () => {
  const graph = graphOf(inputs, (x, w, b) => [ops.matmul(ops.add(ops.matmul(x, w), b), w)])
  const compiled = await assertSameAsPlain(graph, fusing, { precision: 'bf16' }, tolerance)
  assert.deepEqual(productTypes(compiled), ['bf16[4,8] bf16[8,8] bf16[4,8]', 'bf16[4,8] bf16[8,8] f32[4,8]'])
})

test('bf16: attention goes from product to product in bf16, its statistics in f32', async () => {
  const tokens = { shape: [2, 4, 8] }
  const graph = graphOf([tokens, { shape: [8, 8] }], (x, w) => {
    const heads = ops.reshape(ops.matmul(x, w), [2, 4, 2, 4])
    return [ops.matmul(ops.reshape(ops.attention(heads, heads, heads, { causal: true }), [2, 4, 8]), w)]
  })
  const compiled = await assertSameAsPlain(graph, fusing, { precision: 'bf16' }, tolerance)
  const { values, instructions } = compiled.program
  const attention = instructions.find(({ body }) => (body?.inputs.length ?? 0) === 3)!
  const types = [...attention.inputs, ...attention.outputs].map((value) => formatType(values[value]))
  const heads = 'bf16[2,4,2,4]'
  assert.deepEqual(types, [heads, heads, heads, heads, 'f32[2,2,4]'])
  assert.deepEqual(productTypes(compiled), ['bf16[2,4,8] bf16[8,8] bf16[2,4,8]', 'bf16[2,4,8] bf16[8,8] f32[2,4,8]'])
})

test('bf16: weights are updated in f32', async () => {
  const graph = graphOf([{ shape: [8, 8] }, { shape: [4, 8] }], (w, x) => {
    const gradient = ops.matmul(ops.transpose(x, [1, 0]), ops.matmul(x, w))
    return [ops.subtract(w, ops.multiply(gradient, 1e-3))]
  })
  const compiled = await assertSameAsPlain(graph, fusing, { precision: 'bf16', state: { x0: 'y0' } }, tolerance)
  const [{ value, isAliased }] = compiled.program.state
  assert.equal(compiled.program.values[value].dtype, 'f32')
  assert.ok(isAliased)
})

test('bf16 on an engine that has none is refused', () => {
  const graph = graphOf(inputs, (x, w) => [ops.matmul(x, w)])
  const target = { ...reference, dtypes: new Set(['f32', 'i32'] as const) }
  assert.throws(
    () => compileFor(target, graph, { precision: 'bf16' }),
    (error) => error instanceof TalwegError && error.code === 'UNSUPPORTED_BY_ENGINE' && error.exitCode === 2,
  )
})
