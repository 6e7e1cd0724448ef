/** NaN stays NaN, and infinity what it should become, through a product and whatever is fused into it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileGraph } from '../../../src/compile/index.js'
import { tensorData, tensorType } from '../../../src/core/shape.js'
import { createNativeEngine } from '../../../src/engine/native/index.js'
import { trace, type AnyTensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'

const activations: Readonly<Record<string, (x: AnyTensor) => AnyTensor>> = {
  relu: ops.relu,
  'gelu by tanh': (x) => ops.gelu(x, 'tanh'),
  'gelu by erf': (x) => ops.gelu(x),
  tanh: ops.tanh,
  sigmoid: ops.sigmoid,
  silu: ops.silu,
}

const native = createNativeEngine()
const [numRows, numInputs, numOutputs] = [6, 16, 32]

for (const precision of ['f32', 'bf16'] as const) {
  for (const [name, activation] of Object.entries(activations)) {
    test(`a row with NaN gives NaN, and no other row does, through a product, a bias and ${name} in ${precision}`, async () => {
      const inputs = [
        { name: 'x', type: tensorType('f32', [numRows, numInputs]) },
        { name: 'w', type: tensorType('f32', [numInputs, numOutputs]) },
        { name: 'b', type: tensorType('f32', [numOutputs]) },
      ]
      const graph = trace('layer', inputs, (x, w, b) => ({ y: activation(ops.add(ops.matmul(x, w), b)) }))
      const { program } = compileGraph(graph, native, { precision, verify: true })
      const ones = (shape: number[]) => tensorData('f32', shape, new Array(shape.reduce((a, c) => a * c)).fill(0.5))
      const x = ones([numRows, numInputs])
      x.data[2 * numInputs + 3] = Number.NaN
      const executable = await native.load(program, new Map())
      const { y } = await executable.run({ x, w: ones([numInputs, numOutputs]), b: ones([numOutputs]) })
      for (let row = 0; row < numRows; row++) {
        const values = Array.from(y.data.subarray(row * numOutputs, (row + 1) * numOutputs))
        assert.ok(
          values.every((value) => Number.isNaN(value) === (row === 2)),
          `row ${row}: ${values}`,
        )
      }
    })
  }
}
