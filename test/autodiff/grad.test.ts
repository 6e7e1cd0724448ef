/** `grad` and its kin: trees, what counts as a constant, ties, and what is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grad, gradients, remat, stopGradient, valueAndGrad } from '../../src/autodiff/index.js'
import { TalwegError } from '../../src/core/errors.js'
import type { TensorData } from '../../src/core/shape.js'
import { trace, type AnyTensor } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'
import { f32, f64, i32 } from '../engines/support/data.js'
import { evaluate } from '../engines/support/evaluate.js'
import { reference } from './support/gradients.js'

type Tensors = readonly AnyTensor[]

/** The numbers of each result of a function of tensors. */
async function run(operands: readonly TensorData[], body: (...xs: AnyTensor[]) => Tensors): Promise<number[][]> {
  const inputs = operands.map(({ dtype, shape }, index) => ({ name: `x${index}`, type: { dtype, shape } }))
  const named = (results: Tensors): Record<string, AnyTensor> =>
    Object.fromEntries(results.map((result, index) => [`y${index}`, result]))
  const graph = trace('test', inputs, (...xs) => named(body(...xs)))
  return (await evaluate(reference, graph, operands)).map(({ data }) => [...data])
}

const sumOfSquares = (x: AnyTensor): AnyTensor => ops.sum(ops.square(x) as AnyTensor)

test('valueAndGrad gives the value, and the gradient in the form of the first argument', async () => {
  const operands = [f64([1, 2]), f64([3]), f64([5, 6])]
  const found = await run(operands, (a, b, scale) => {
    const loss = valueAndGrad((tree: { layers: AnyTensor[]; head: { bias: AnyTensor } }, by: AnyTensor) =>
      ops.add(ops.sum(ops.multiply(tree.layers[0], by) as AnyTensor), sumOfSquares(tree.head.bias)) as AnyTensor,
    )
    const { value, gradient } = loss({ layers: [a, a], head: { bias: b } }, scale)
    assert.deepEqual(Object.keys(gradient), ['layers', 'head'])
    return [value, gradient.layers[0], gradient.layers[1], gradient.head.bias]
  })
  assert.deepEqual(found, [[1 * 5 + 2 * 6 + 9], [5, 6], [0, 0], [6]])
}) // prettier-ignore

test('a function of one tensor has one gradient, and arguments after the first count as constants', async () => {
  const found = await run([f64([2]), f64([7])], (x, y) => [
    grad((first: AnyTensor, second: AnyTensor) => ops.sum(ops.multiply(first, second) as AnyTensor))(x, y),
    grad((first: AnyTensor, second: AnyTensor) => ops.sum(ops.multiply(first, second) as AnyTensor))(x, x),
  ])
  assert.deepEqual(found, [[7], [2]])
})

test('the same tensor in a closure counts as a constant', async () => {
  const [found] = await run([f64([3])], (x) => [
    grad((y: AnyTensor) => ops.sum(ops.multiply(y, x) as AnyTensor))(x), // prettier-ignore
  ])
  assert.deepEqual(found, [3])
})

test('derivatives of derivatives: x⁴ four times', async () => {
  const power = (x: AnyTensor): AnyTensor => ops.multiply(ops.square(x), ops.square(x)) as AnyTensor
  const found = await run([f64([3], [])], (x) => [
    grad(power)(x),
    grad(grad(power))(x),
    grad(grad(grad(power)))(x),
    grad(grad(grad(grad(power))))(x),
    grad(grad(grad(grad(grad(power)))))(x),
  ])
  assert.deepEqual(found, [[108], [108], [72], [24], [0]])
})

test('gradients by tensors that the result does not depend on are zeros of their shape', async () => {
  const found = await run([f64([1, 2]), f64([1, 2, 3, 4], [2, 2])], (x, unused) => {
    const [byX, byUnused] = gradients(sumOfSquares(x), [x, unused])
    assert.deepEqual([byUnused.shape, byUnused.dtype], [[2, 2], 'f64'])
    return [byX, byUnused]
  })
  assert.deepEqual(found, [[2, 4], [0, 0, 0, 0]]) // prettier-ignore
})

test('gradients by intermediate tensors', async () => {
  const found = await run([f64([1, 2])], (x) => {
    const doubled = ops.multiply(x, 2) as AnyTensor
    return gradients(sumOfSquares(doubled), [doubled, x])
  })
  assert.deepEqual(found, [[4, 8], [8, 16]]) // prettier-ignore
})

test('the derivative of a scalar by itself is 1', async () => {
  assert.deepEqual(await run([f64([4], [])], (x) => gradients(x, [x])), [[1]])
})

test('stopGradient passes the value and no derivative', async () => {
  const found = await run([f64([3, -2])], (x) => {
    const { value, gradient } = valueAndGrad((y: AnyTensor) => ops.sum(ops.multiply(y, stopGradient(y)) as AnyTensor))(x)
    return [value, gradient, grad((y: AnyTensor) => sumOfSquares(stopGradient(y)))(x)]
  }) // prettier-ignore
  assert.deepEqual(found, [[13], [3, -2], [0, 0]]) // prettier-ignore
})

test('integers and truths have no gradient to pass: a gather by computed places', async () => {
  const found = await run([f64([5, 6, 7]), i32([2, 0, 2])], (x, places) =>
    gradients(ops.sum(ops.takeRows(x, places as never) as AnyTensor), [x, places]),
  )
  assert.deepEqual(found, [[1, 0, 2], [0, 0, 0]]) // prettier-ignore
})

test('at a tie a maximum passes its cotangent to the right operand, so relu is flat at 0', async () => {
  const found = await run([f64([0, 1, -1]), f64([0, 0, 0])], (x, y) => [
    ...gradients(ops.sum(ops.maximum(x, y) as AnyTensor), [x, y]),
    ...gradients(ops.sum(ops.minimum(x, y) as AnyTensor), [x, y]),
    ...gradients(ops.sum(ops.relu(x) as AnyTensor), [x]),
    ...gradients(ops.sum(ops.abs(x) as AnyTensor), [x]),
  ])
  assert.deepEqual(found, [[0, 1, 0], [1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0], [0, 1, -1]]) // prettier-ignore
})

test('elements that tie for an extreme share its cotangent; in a window the first gets it all', async () => {
  const window = { strides: [3], padding: [[0, 0]], baseDilation: [1], windowDilation: [1] } as const
  const found = await run([f64([1, 4, 4, 4, 2, 4])], (x) => [
    ...gradients(ops.sum(ops.max(x) as AnyTensor), [x]),
    ...gradients(ops.sum(ops.reduceWindow(x, { kind: 'maximum', window: [3], ...window })), [x]),
  ])
  assert.deepEqual(found, [[0, 0.25, 0.25, 0.25, 0, 0.25], [0, 1, 0, 1, 0, 0]]) // prettier-ignore
})

const isMismatch =
  (message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof TalwegError && error.code === 'SHAPE_MISMATCH' && message.test(error.message)

test('a result that is no scalar is refused, with what to do about it', async () => {
  const refused = run([f32([1, 2])], (x) => [grad((y: AnyTensor) => ops.square(y) as AnyTensor)(x)])
  await assert.rejects(refused, isMismatch(/grad: the result is f32\[2\], not a floating-point scalar/))
  await assert.rejects(refused, (error: TalwegError) => error.hint === 'take its mean or sum')
})

test('a result that is a whole number is refused, with what to do about it', async () => {
  const refused = run([i32([1, 2])], (x) => [grad((y: AnyTensor) => ops.sum(y))(x)])
  await assert.rejects(refused, isMismatch(/grad: the result is i32\[\], not a floating-point scalar/))
  await assert.rejects(refused, (error: TalwegError) => error.hint === 'convert it to f32')
})

test('a derivative that is asked for inside a nested trace is computed there, through decompositions too', async () => {
  const x = f64([0.3, -0.7, 1.2])
  const weights = f64([1, 2, 3])
  const slope = (input: AnyTensor, scale: AnyTensor): AnyTensor => {
    const first = gradients(ops.sum(ops.multiply(ops.softmax(input), scale) as AnyTensor), [input])[0]
    return ops.sum(ops.multiply(first, scale) as AnyTensor)
  }
  const types = [x, weights].map(({ dtype, shape }, index) => ({ name: `x${index}`, type: { dtype, shape } }))
  // The second derivative goes through the decomposition of softmax's gradient.
  const plain = trace('plain', types, (input, scale) => ({ y: gradients(slope(input, scale), [input])[0] }))
  let numOutside = 0
  const nested = trace('nested', types, (input, scale) => {
    const first = slope(input, scale)
    numOutside = first.value.node.id + 1
    return {
      y: remat((factor: AnyTensor) => ops.multiply(gradients(first, [input])[0], factor))(ops.full([3], 1, 'f64')),
    }
  })
  assert.deepEqual(
    nested.nodes.slice(numOutside).map(({ operation }) => operation),
    ['constant', 'broadcastInDim', 'composite'],
  )
  assert.deepEqual(await evaluate(reference, nested, [x, weights]), await evaluate(reference, plain, [x, weights]))
})
