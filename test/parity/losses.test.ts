/** Each loss and its gradient against PyTorch's, at the corners of its formula and far out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gradients } from '../../src/autodiff/index.js'
import { tensorData, type Shape, type TensorData } from '../../src/core/shape.js'
import type { Engine } from '../../src/engine/engine.js'
import { trace, type AnyTensor, type Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import { evaluate } from '../engines/support/evaluate.js'
import { forEachEngine } from '../engines/support/engines.js'
import { assertEachAgrees, assertNumberAgrees } from './agree.js'
import { pieces, tensorsOf, type LossCase } from './pieces.js'

type Loss = (x: AnyTensor, targets: AnyTensor, options: LossCase) => AnyTensor

const losses: Readonly<Record<string, Loss>> = {
  huber: (x, targets, { delta }) => nn.huber(x, targets, delta),
  squaredError: (x, targets) => nn.squaredError(x, targets),
  binaryCrossEntropy: (x, targets) => nn.binaryCrossEntropy(x, targets),
  crossEntropy: (x, targets, { labelSmoothing, ignoredTarget }) =>
    nn.crossEntropy(x, targets as Tensor<Shape, 'i32'>, { labelSmoothing, ignoredTarget }),
}

/** The loss, and its gradient by the first operand. */
async function valueAndGradient(
  engine: Engine,
  loss: (x: AnyTensor, targets: AnyTensor) => AnyTensor,
  operands: readonly [TensorData, TensorData],
): Promise<[TensorData, TensorData]> {
  const inputs = operands.map(({ dtype, shape }, index) => ({ name: `x${index}`, type: { dtype, shape } }))
  const graph = trace('loss', inputs, (x, targets) => {
    const value = loss(x, targets)
    return { value, gradient: gradients(value, [x])[0] }
  })
  const [value, gradient] = await evaluate(engine, graph, operands)
  return [value, gradient]
}

forEachEngine('losses as PyTorch has them', (engine) => {
  for (const [name, options] of Object.entries(pieces.losses)) {
    test(name, async () => {
      const tensors = tensorsOf(name, '')
      const loss = losses[name.split(' ')[0]]
      const operands = [tensors.get('x')!, tensors.get('targets')!] as const
      const [value, gradient] = await valueAndGradient(engine, (x, targets) => loss(x, targets, options), operands)
      assertNumberAgrees(value, options.value, 'the loss')
      assertEachAgrees(gradient, tensors.get('gradient')!, 'the gradient')
    })
  }

  test('cross-entropy with all targets ignored is 0, and so is its gradient', async () => {
    const ignoring = (x: AnyTensor, targets: AnyTensor): AnyTensor =>
      nn.crossEntropy(x, targets as Tensor<Shape, 'i32'>, { ignoredTarget: 9 })
    const operands = [tensorData('f32', [2, 3], [1, 2, 3, 4, 5, 6]), tensorData('i32', [2], [9, 9])] as const
    const [value, gradient] = await valueAndGradient(engine, ignoring, operands)
    assert.deepEqual([...value.data, ...gradient.data], [0, 0, 0, 0, 0, 0, 0])
  })
})
