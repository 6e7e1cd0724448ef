/** Kernels whose result lies where an operand dies: the same bits as in memory of its own, in less of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gradients } from '../../../src/autodiff/index.js'
import { compileGraph, type CompiledProgram } from '../../../src/compile/index.js'
import { tensorType, type TensorData, type TensorType } from '../../../src/core/shape.js'
import { createNativeEngine } from '../../../src/engine/native/index.js'
import { trace, type AnyTensor } from '../../../src/graph/index.js'
import * as nn from '../../../src/nn/index.js'
import * as ops from '../../../src/ops/index.js'
import { assertSameBits } from '../support/compare.js'
import { i32, randomTensor } from '../support/data.js'

const native = createNativeEngine()

async function run(
  types: readonly TensorType[],
  operands: readonly TensorData[],
  body: (...tensors: AnyTensor[]) => AnyTensor,
  options: { inPlace: boolean; precision: 'f32' | 'bf16' },
): Promise<{ result: TensorData; compiled: CompiledProgram }> {
  const names = types.map((_, index) => `x${index}`)
  const inputs = types.map((type, index) => ({ name: names[index], type }))
  const graph = trace('inPlace', inputs, (...tensors) => ({ y: body(...tensors) }))
  const { inPlace, precision } = options
  const compiled = compileGraph(graph, native, {
    precision,
    disabledPasses: new Set(inPlace ? [] : (['inPlace'] as const)),
    verify: true,
  })
  const executable = await native.load(compiled.program, new Map())
  const { y } = await executable.run(Object.fromEntries(names.map((name, index) => [name, operands[index]])))
  return { result: y, compiled }
}

const cases: Readonly<
  Record<string, { classes: number; body: (x: AnyTensor, w: AnyTensor, t: AnyTensor) => AnyTensor }>
> = {
  'the gradient of a cross-entropy lies where its logits were': {
    classes: 517,
    body: (x, weight, targets) => {
      const loss = nn.crossEntropy(ops.multiply(ops.matmul(x, weight as never), 30), targets as never)
      return gradients(loss, [weight])[0]
    },
  },
  'GELU and its gradient lie where what they read was': {
    classes: 515,
    body: (x, weight) => gradients(ops.sum(ops.gelu(ops.matmul(x, weight as never))) as AnyTensor, [weight])[0],
  },
}

for (const [name, { classes, body }] of Object.entries(cases)) {
  for (const precision of ['f32', 'bf16'] as const) {
    test(`${name}, in ${precision}`, async () => {
      const [rows, width] = [131, 33]
      const types = [tensorType('f32', [rows, width]), tensorType('f32', [width, classes]), tensorType('i32', [rows])]
      const targets = i32(Array.from({ length: rows }, (_, row) => (row * 37) % classes), [rows]) // prettier-ignore
      const operands = [randomTensor('x', types[0]), randomTensor('weight', types[1]), targets]
      const inPlace = await run(types, operands, body, { inPlace: true, precision })
      const apart = await run(types, operands, body, { inPlace: false, precision })
      assertSameBits(inPlace.result, apart.result, name)
      const saved = apart.compiled.plan.arenaBytes - inPlace.compiled.plan.arenaBytes
      assert.ok(saved >= rows * classes * 2, `${saved} bytes are saved`)
    })
  }
}
