/** What is the portable engine's own: accuracy of composed functions, views, segments, memory given back. */
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { OperationName, UnaryOperation } from '../../../src/core/operations.js'
import { philoxBits } from '../../../src/core/random.js'
import { tensorType, type Shape, type TensorData } from '../../../src/core/shape.js'
import { compileGraph } from '../../../src/compile/index.js'
import type { Executable } from '../../../src/engine/engine.js'
import { createPortableEngine } from '../../../src/engine/portable/index.js'
import type { Program } from '../../../src/engine/program.js'
import { trace, type AnyTensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { assertClose } from '../support/compare.js'
import { f32, f64, randomTensor, tensorFrom, u32 } from '../support/data.js'
import { reference } from '../support/engines.js'
import { evaluate, graphOf } from '../support/evaluate.js'

const portable = createPortableEngine()

type NamedTypes = Parameters<typeof trace>[1]

async function loadTraced(
  engine: typeof portable,
  inputs: NamedTypes,
  body: (...tensors: AnyTensor[]) => Readonly<Record<string, AnyTensor>>,
  state: Readonly<Record<string, string>> = {},
): Promise<Executable> {
  const { program } = compileGraph(trace('program', inputs, body), engine, { state })
  const buffers = new Map(program.state.map(({ name, value }) => [name, engine.allocate(program.values[value])]))
  return engine.load(program, buffers)
}

describe('portable: functions composed of sums and products', () => {
  /** Over all magnitudes that doubles have, with what is special at the ends. */
  const magnitudes = Array.from({ length: 401 }, (_, i) => 10 ** (-320 + i * 1.57))
  const everywhere = [0, 5e-324, Infinity, NaN, ...magnitudes]
  const both = [...everywhere, ...everywhere.map((x) => -x)]
  const middle = Array.from({ length: 1001 }, (_, i) => (i - 500) * 1.5)
  const cases: { readonly [O in UnaryOperation]?: { readonly f: (x: number) => number; readonly at: number[] } } = {
    exponential: { f: Math.exp, at: [...both, ...middle] },
    exponentialMinusOne: { f: Math.expm1, at: [...both, ...middle, ...middle.map((x) => x / 1e3)] },
    log: { f: Math.log, at: both },
    logPlusOne: { f: Math.log1p, at: [...both, ...middle.map((x) => x / 1e3)] },
    tanh: { f: Math.tanh, at: [...both, ...middle.map((x) => x / 1e2)] },
    logistic: { f: (x) => 1 / (1 + Math.exp(-x)), at: [...both, ...middle] },
    cbrt: { f: Math.cbrt, at: [...magnitudes, ...middle, 0, Infinity, NaN] },
    sine: { f: Math.sin, at: [...middle, ...middle.map((x) => x * 1e3)] },
    cosine: { f: Math.cos, at: [...middle, ...middle.map((x) => x * 1e3)] },
  }

  /** @param most relative to the size of the result, or to `absolute` where it is smaller */
  async function check(dtype: 'f32' | 'f64', operation: OperationName, most: number, absolute: number): Promise<void> {
    const { f, at } = cases[operation as UnaryOperation]!
    const operand = tensorFrom(dtype, [at.length], at)
    const [{ data }] = await evaluate(portable, graphOf(operation, [operand], {} as never), [operand])
    operand.data.forEach((x, i) => {
      const exact = f(x)
      const rounded = dtype === 'f32' ? Math.fround(exact) : exact
      const isFine = Object.is(data[i], rounded) || data[i] === rounded || Math.abs(data[i] - exact) <= most * Math.max(Math.abs(exact), absolute) // prettier-ignore
      assert.ok(isFine, `${operation}(${x}) is ${data[i]}, not ${exact}`)
    })
  }

  for (const operation of Object.keys(cases) as UnaryOperation[]) {
    const isPeriodic = operation === 'sine' || operation === 'cosine'
    test(`${operation} of f64: within 8 units of the last place`, () => check('f64', operation, 8 * 2 ** -52, isPeriodic ? 1 : 2e-308)) // prettier-ignore
    test(`${operation} of f32: the nearest or its neighbour`, () => check('f32', operation, 2 ** -23, isPeriodic ? 0.1 : 1e-37)) // prettier-ignore
  }

  test('powers of whole and broken numbers, of zeros and infinities with their signs', async () => {
    const bases = [0, -0, 1, -1, 2, -2, 0.5, -3.7, 1e10, 1e-10, Infinity, -Infinity, NaN]
    const exponents = [0, 1, 2, 3, -1, -2, 0.5, -0.5, 7.3, Infinity, -Infinity]
    const pairs = bases.flatMap((x) => exponents.map((y): [number, number] => [x, y]))
    const operands = [f64(pairs.map(([x]) => x)), f64(pairs.map(([, y]) => y))]
    const graph = graphOf('power', operands, {})
    const [[actual], [expected]] = [
      await evaluate(portable, graph, operands),
      await evaluate(reference, graph, operands),
    ]
    pairs.forEach(([x, y], i) => {
      const [a, e] = [actual.data[i], expected.data[i]]
      assert.ok(Object.is(a, e) || Math.abs(a - e) <= 1e-13 * Math.abs(e), `${x} ** ${y} is ${a}, not ${e}`)
    })
  })
})

test('portable: long sums of f32 are as exact as short ones', async () => {
  const x = randomTensor('long', tensorType('f32', [3, 100_003]), { least: 0, most: 1 })
  const exact = [0, 0, 0]
  x.data.forEach((value, index) => (exact[Math.floor(index / 100_003)] += value))
  const weights = f32(Array.from({ length: 100_003 }, () => 1))
  const executable = await loadTraced(portable, [{ name: 'x', type: x }, { name: 'ones', type: weights }], (a, b) => ({ sum: ops.sum(a, 1), product: ops.matmul(a, b) })) // prettier-ignore
  const { sum, product } = await executable.run({ x, ones: weights })
  exact.forEach((value, row) => {
    assert.ok(Math.abs(sum.data[row] / value - 1) < 2e-6, `${sum.data[row]}, not ${value}`)
    assert.ok(Math.abs(product.data[row] / value - 1) < 2e-6, `${product.data[row]}, not ${value}`)
  })
})

test('portable: random bits are those of core/random.ts to the last, also where the counter carries', async () => {
  for (const state of [
    [1, 2, 0, 0],
    [7, 0xffffffff, 0xfffffff0, 0xffffffff],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
  ]) {
    const operand = u32(state)
    const [{ data }] = await evaluate(portable, graphOf('rngBitGenerator', [operand], { shape: [37, 27] }), [operand])
    assert.deepEqual(data, philoxBits(state, 999).slice())
  }
})

/** A program with one instruction, the negation of a view of a buffer of 24 elements. */
function viewProgram(shape: Shape, strides: readonly number[], offsetElements: number): Program {
  return {
    name: 'view',
    buffers: [
      { storage: 'input', sizeBytes: 96, offsetBytes: 0 },
      { storage: 'output', sizeBytes: 4 * shape.reduce((a, b) => a * b, 1), offsetBytes: 0 },
    ],
    values: [
      { ...tensorType('f32', [4, 6]), buffer: 0, offsetElements: 0 },
      { ...tensorType('f32', shape), buffer: 0, offsetElements, strides },
      { ...tensorType('f32', shape), buffer: 1, offsetElements: 0 },
    ],
    instructions: [{ operation: 'negate', attributes: {}, inputs: [1], outputs: [2], lastUses: [], label: 'negate' }],
    inputs: [{ name: 'x', value: 0, stepped: false }],
    state: [],
    outputs: [{ name: 'y', value: 2 }],
    arenaSizeBytes: 0,
  }
}

describe('portable: views', () => {
  const x = randomTensor('views', tensorType('f32', [4, 6]))
  const views: [what: string, shape: Shape, strides: readonly number[], offset: number][] = [
    ['another shape', [2, 12], [12, 1], 0],
    ['transposed', [6, 4], [1, 6], 0],
    ['rows in the middle', [2, 6], [6, 1], 6],
    ['a corner', [3, 2], [6, 1], 10],
    ['every other column', [4, 3], [6, 2], 1],
    ['a column', [4], [6], 5],
    ['the diagonal', [4], [7], 0],
    ['repeated', [3, 4, 2], [0, 6, 0], 2],
    ['one element many times', [5], [0], 23],
    ['windows that overlap', [5, 3], [4, 1], 1],
    ['backwards', [4, 6], [-6, -1], 23],
    ['a scalar', [], [], 7],
    ['nothing', [0, 3], [3, 1], 0],
  ]
  for (const [what, shape, strides, offset] of views) {
    test(what, async () => {
      const program = viewProgram(shape, strides, offset)
      const [actual, expected] = await Promise.all([portable, reference].map(async (engine) => (await engine.load(program, new Map())).run({ x }))) // prettier-ignore
      assertClose(actual['y'], expected['y'], 'exact', what)
    })
  }
})

/** A small network's step: its weight, trained to make of each row its own sum. */
function trainingStep(engine: typeof portable): Promise<Executable> {
  const inputs = [
    { name: 'weight', type: tensorType('f32', [8, 8]) },
    { name: 'x', type: tensorType('f32', [16, 8]) },
  ]
  return loadTraced(
    engine,
    inputs,
    (weight, x) => {
      const error = ops.subtract(ops.tanh(ops.matmul(x, weight)), ops.tanh(ops.sum(x, 1, { keepDims: true })))
      const gradient = ops.matmul(ops.transpose(x, [1, 0]), error)
      return { next: ops.subtract(weight, ops.multiply(gradient, 0.01)), loss: ops.mean(ops.multiply(error, error)) }
    },
    { weight: 'next' },
  )
}

test('portable: a step cut into segments gives what a whole one gives', async () => {
  const x = randomTensor('segments', tensorType('f32', [16, 8]))
  const losses: TensorData[] = []
  for (const segmentBytes of [undefined, 300, 0]) {
    const executable = await trainingStep(createPortableEngine({ segmentBytes }))
    const { loss } = await executable.run({ x }, { steps: 10 })
    losses.push(loss)
  }
  assert.ok(losses[0].data[9] < losses[0].data[0])
  for (const loss of losses.slice(1)) assertClose(loss, losses[0], 'approximate', 'loss')
})

describe('portable: memory', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  /** After what is unreachable has been given back: that takes a turn of the event loop. */
  async function settled(): Promise<NodeJS.MemoryUsage> {
    for (let i = 0; i < 3; i++) {
      collect()
      await wait(5)
    }
    return process.memoryUsage()
  }

  test('thousands of steps take no more of it than a few', async () => {
    const executable = await trainingStep(portable)
    const x = randomTensor('leak', tensorType('f32', [16, 8]))
    await executable.run({ x }, { steps: 50 })
    const before = await settled()
    for (let call = 0; call < 100; call++) await executable.run({ x }, { steps: 40 })
    const after = await settled()
    assert.ok(after.external - before.external < 2 ** 20, `external: ${before.external}, then ${after.external}`)
    assert.ok(after.heapUsed - before.heapUsed < 4 * 2 ** 20, `heap: ${before.heapUsed}, then ${after.heapUsed}`)
  })

  test('buffers and programs that nobody holds are given back', async () => {
    const type = tensorType('f32', [2 ** 20])
    const data = randomTensor('large', type)
    const use = async (): Promise<void> => {
      const { program } = compileGraph(trace('large', [{ name: 'a', type }], (a) => ({ next: ops.add(a, 1) })), portable, { state: { a: 'next' } }) // prettier-ignore
      const executable = await portable.load(program, new Map([['a', portable.allocate(type, data)]]))
      await executable.run({})
    }
    await use()
    const before = await settled()
    for (let i = 0; i < 20; i++) {
      await use()
      await settled()
    }
    const after = await settled()
    // Each holds 4 MB at the least: 80 MB would be missing.
    assert.ok(after.external - before.external < 32 * 2 ** 20, `external: ${before.external}, then ${after.external}`)
  })
})
