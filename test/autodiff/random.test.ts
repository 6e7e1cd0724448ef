/** Random compositions over random shapes that broadcast: what comes back through many rules together is right too. */
import { test } from 'node:test'
import fc from 'fast-check'
import type { Shape } from '../../src/core/shape.js'
import type { AnyTensor } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'
import { random } from './support/cases.js'
import { assertGradients } from './support/gradients.js'

const lastFirst = (x: AnyTensor): AnyTensor => {
  const dims = x.shape.map((_, dim) => dim)
  return ops.transpose(x, [...dims.slice(-1), ...dims.slice(0, -1)])
}

/** Steps that are smooth and stay small. `other` broadcasts with `x`, and so it does with the step's result. */
const steps: readonly ((x: AnyTensor, other: AnyTensor) => AnyTensor)[] = [
  (x) => ops.tanh(x) as AnyTensor,
  (x) => ops.sin(x) as AnyTensor,
  (x, other) => ops.multiply(x, other) as AnyTensor,
  (x, other) => ops.subtract(ops.cos(other) as AnyTensor, x) as AnyTensor,
  (x, other) => ops.divide(x, ops.add(ops.square(other) as AnyTensor, 1) as AnyTensor) as AnyTensor,
  (x) => (x.rank === 0 ? x : (ops.multiply(x, ops.mean(x, -1, { keepDims: true })) as AnyTensor)),
  (x) => (x.rank === 0 ? x : (ops.add(x, ops.softmax(x)) as AnyTensor)),
  (x) => (x.rank === 0 ? x : (ops.multiply(ops.reverse(x, [0]), x) as AnyTensor)),
  (x) => (x.rank < 2 ? x : ops.tanh(ops.matmul(ops.matmul(x, ops.swapDims(x, -1, -2) as never) as AnyTensor, x as never) as AnyTensor) as AnyTensor),
  (x) => (x.rank < 2 ? x : ops.reshape(lastFirst(x), x.shape)),
  (x) => (x.rank === 0 ? x : ops.slice(ops.concatenate([x, ops.square(x) as AnyTensor], 0) as AnyTensor, x.shape.map((size, dim) => (dim === 0 && size > 0 ? 1 : 0)), x.shape.map((size, dim) => (dim === 0 && size > 0 ? size + 1 : size)))),
] // prettier-ignore

const composition = fc.record({
  shape: fc.array(fc.constantFrom(1, 2, 3, 2, 3, 5, 0), { maxLength: 3 }),
  /** For each operand, how many leading dimensions it lacks, and which of the rest are 1. */
  narrowings: fc.array(fc.record({ dropped: fc.nat(3), ones: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }) }), { minLength: 2, maxLength: 3 }),
  choices: fc.array(fc.nat(steps.length - 1), { minLength: 2, maxLength: 6 }),
}) // prettier-ignore

test('random compositions have the derivatives of differences', async () => {
  const property = fc.asyncProperty(composition, async ({ shape, narrowings, choices }) => {
    const narrow = ({ dropped, ones }: (typeof narrowings)[number]): Shape =>
      shape.map((size, dim) => (ones[dim] ? 1 : size)).slice(dropped)
    const shapes = [shape, ...narrowings.map(narrow)]
    await assertGradients({
      what: `steps ${choices} on ${shapes.map((operand) => `[${operand}]`).join(' ')}`,
      operands: shapes.map((operand, index) => random(`operand ${index}`, operand, { least: -1, most: 1 })),
      body: (first, ...others) =>
        choices.reduce((x, choice, index) => steps[choice](x, others[index % others.length]), first),
    })
  })
  await fc.assert(property, { numRuns: 60, seed: 3 })
})
