import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tensorData } from '../../src/core/shape.js'
import type { Graph } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'
import { apply } from '../../src/ops/lift.js'
import type { AnyTensor } from '../../src/graph/index.js'
import { compileFor, graphOf, reference, runProgram, type Argument } from './support.js'

/** The operations left of a function of tensors. */
function left(inputs: readonly Argument[], body: (...xs: AnyTensor[]) => AnyTensor): string[] {
  return operationsOf(
    compileFor(
      reference,
      graphOf(inputs, (...xs) => [body(...xs)]),
    ).graph,
  )
}

function operationsOf(graph: Graph): string[] {
  return graph.nodes.map(({ operation }) => operation).filter((operation) => operation !== 'parameter')
}

const vector = [{ shape: [4] }]
const matrix = [{ shape: [2, 3] }]

const cases: readonly [
  what: string,
  inputs: readonly Argument[],
  body: (...xs: AnyTensor[]) => AnyTensor,
  expected: readonly string[],
][] = [
  ['x 1 is x', vector, (x) => ops.exp(ops.multiply(x, 1)), ['exponential']],
  ['x / 1 is x', vector, (x) => ops.exp(ops.divide(x, 1)), ['exponential']],
  ['x (-1) is -x', vector, (x) => ops.multiply(x, -1), ['negate']],
  ['x / 4 is x 0.25', vector, (x) => ops.divide(x, 4), ['constant', 'broadcastInDim', 'multiply']],
  ['x / 3 stays', vector, (x) => ops.divide(x, 3), ['constant', 'broadcastInDim', 'divide']],
  ['x + -0 is x', vector, (x) => ops.exp(ops.add(x, -0)), ['exponential']],
  ['x + 0 stays: it turns -0 into 0', vector, (x) => ops.add(x, 0), ['constant', 'broadcastInDim', 'add']],
  ['x - 0 is x', vector, (x) => ops.exp(ops.subtract(x, 0)), ['exponential']],
  ['x 0 stays: NaN 0 is NaN', vector, (x) => ops.multiply(x, 0), ['constant', 'broadcastInDim', 'multiply']],
  ['x squared is a product', vector, (x) => ops.power(x, 2), ['multiply']],
  ['-(-x) is x', vector, (x) => ops.exp(ops.negate(ops.negate(x))), ['exponential']],
  ['x + -y is x - y', [...vector, ...vector], (x, y) => ops.add(x, ops.negate(y)), ['subtract']],
  ['max(x, x) is x', vector, (x) => ops.exp(ops.maximum(x, x)), ['exponential']],
  [
    'a conversion there and back is none',
    vector,
    (x) => ops.exp(ops.convert(ops.convert(x, 'f64'), 'f32')),
    ['exponential'],
  ],
  [
    'a conversion that loses something stays',
    vector,
    (x) => ops.convert(ops.convert(x, 'bf16'), 'f32'),
    ['convert', 'convert'],
  ],
  [
    'a known predicate chooses',
    vector,
    (x) => apply('select', [ops.full([4], 1, 'bool'), ops.exp(x), x], {}),
    ['exponential'],
  ],
  [
    'two transpositions are one, or none',
    matrix,
    (x) => ops.exp(ops.transpose(ops.transpose(x, [1, 0]), [1, 0])),
    ['exponential'],
  ],
  [
    'a transposition of a size of 1 is a reshape',
    [{ shape: [1, 4] }],
    (x) => ops.exp(ops.transpose(x, [1, 0])),
    ['reshape', 'exponential'],
  ],
  ['two reshapes are one, or none', matrix, (x) => ops.exp(ops.reshape(ops.reshape(x, [6]), [2, 3])), ['exponential']],
  [
    'a slice of all is nothing',
    matrix,
    (x) => ops.exp(apply('slice', [x], { starts: [0, 0], limits: [2, 3], strides: [1, 1] })),
    ['exponential'],
  ],
  ['a slice of a concatenation is of its piece', [...vector, ...vector], (x, y) => ops.exp(apply('slice', [ops.concatenate([x, y], 0)], { starts: [4], limits: [8], strides: [1] })), ['exponential']], // prettier-ignore
  ['padding by nothing is nothing', vector, (x) => ops.exp(apply('pad', [x, ops.scalar(0, 'f32')], { low: [0], high: [0], interior: [0] })), ['exponential']], // prettier-ignore
  [
    'a reduction over nothing is nothing',
    vector,
    (x) => ops.exp(apply('reduce', [x], { kind: 'add', dims: [] })),
    ['exponential'],
  ],
  [
    'the sum of one number repeated is a product',
    [{ shape: [] }],
    (x) => ops.sum(ops.broadcastTo(x, [8])),
    ['constant', 'multiply'],
  ],
  [
    'a function of a repeated number is computed once',
    [{ shape: [] }],
    (x) => ops.exp(ops.broadcastTo(x, [8])),
    ['exponential', 'broadcastInDim'],
  ],
  ['a function of repeated rows is computed on one', vector, (x) => ops.multiply(ops.exp(ops.broadcastTo(x, [3, 4])), 2), ['exponential', 'constant', 'broadcastInDim', 'multiply', 'broadcastInDim']], // prettier-ignore
  ['constants are folded', [], () => ops.add(ops.exp(ops.scalar(0, 'f32')), 2), ['constant', 'convert']],
  [
    'the same is computed once',
    [...vector, ...vector],
    (x, y) => ops.multiply(ops.add(x, y), ops.add(y, x)),
    ['add', 'multiply'],
  ],
  ['a transposed operand of a product is only read otherwise', [{ shape: [3, 2] }, { shape: [3, 4] }], (x, y) => ops.matmul(ops.transpose(x, [1, 0]), y), ['dotGeneral']], // prettier-ignore
  ['a transposed product is a product', [{ shape: [2, 3] }, { shape: [3, 4] }], (x, y) => ops.transpose(ops.matmul(x, y), [1, 0]), ['dotGeneral']], // prettier-ignore
  [
    'a sum over a transposed tensor is over other dimensions',
    matrix,
    (x) => ops.sum(ops.transpose(x, [1, 0]), 0),
    ['reduce'],
  ],
]

for (const [what, inputs, body, expected] of cases) {
  test(what, () => assert.deepEqual(left(inputs, body), expected))
}

test('what is the same across a barrier is computed twice', () => {
  const computed = left(vector, (x) => ops.multiply(ops.exp(x), ops.exp(ops.optimizationBarrier([x])[0])))
  assert.deepEqual(computed, ['exponential', 'optimizationBarrier', 'exponential', 'multiply'])
})

test('random bits of the same state are drawn once', () => {
  const state = { dtype: 'u32', shape: [4] } as const
  const bits = (x: AnyTensor): AnyTensor => apply('rngBitGenerator', [x], { shape: [8] })
  assert.deepEqual(
    left([state], (x) => apply('xor', [bits(x), bits(x)], {})),
    ['rngBitGenerator', 'xor'],
  )
})

test('zeros keep their sign and NaN stays NaN through what is left out', async () => {
  const graph = graphOf(vector, (x) => [
    ops.divide(ops.multiply(ops.subtract(x, 0), 1), 1),
    ops.add(x, 0),
    ops.multiply(x, 0),
    ops.negate(ops.negate(x)),
    ops.multiply(x, -1),
  ])
  const x0 = tensorData('f32', [4], [-0, NaN, Infinity, 0])
  const results = await runProgram(compileFor(reference, graph), { x0 })
  assert.deepEqual([...results.y0.data], [-0, NaN, Infinity, 0])
  assert.deepEqual([...results.y1.data], [0, NaN, Infinity, 0])
  assert.deepEqual([...results.y2.data], [-0, NaN, NaN, 0])
  assert.deepEqual([...results.y3.data], [-0, NaN, Infinity, 0])
  assert.deepEqual([...results.y4.data], [0, NaN, -Infinity, -0])
})

test('a large constant of one number is repeated, not stored', () => {
  const graph = graphOf([{ shape: [64, 64] }], (x) => [
    ops.add(x, ops.constant(new Float32Array(4096).fill(3), [64, 64])),
  ])
  const { plan } = compileFor(reference, graph)
  assert.equal(plan.constantBytes, 4)
})
