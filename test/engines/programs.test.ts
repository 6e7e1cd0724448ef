/** How every engine runs a program: state in place, many steps a call, calls in order, refusals, the same bits again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TalwegError, type ErrorCode } from '../../src/core/errors.js'
import type { CollectiveAttributes, OperationAttributes } from '../../src/core/operations.js'
import { tensorType, type TensorData, type TensorType } from '../../src/core/shape.js'
import type { Engine, EngineBuffer, Executable } from '../../src/engine/engine.js'
import type { Program } from '../../src/engine/program.js'
import { trace, type AnyTensor, type Graph } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'
import { assertClose, assertSameBits, numbersIn } from './support/compare.js'
import { bf16, f32, f64, i32, randomTensor, tensorFrom, u32 } from './support/data.js'
import { forEachEngine } from './support/engines.js'
import { evaluate, graphOf } from './support/evaluate.js'
import { lower, type LowerOptions } from './support/lower.js'

type Types = Readonly<Record<string, TensorType>>
type Tensors = Readonly<Record<string, AnyTensor>>
type State = Readonly<Record<string, readonly [first: TensorData, result: string | undefined]>>

interface Loaded {
  readonly executable: Executable
  readonly buffers: ReadonlyMap<string, EngineBuffer>
}

function graph(types: Types, body: (tensors: Tensors) => Tensors): Graph {
  const inputs = Object.entries(types).map(([name, type]) => ({ name, type }))
  return trace('program', inputs, (...tensors) =>
    body(Object.fromEntries(inputs.map(({ name }, index) => [name, tensors[index]]))),
  )
}

function lowerWithState(traced: Graph, engine: Engine, state: State, options: LowerOptions = {}): Program {
  const results = Object.entries(state).map(([name, [, result]]) => [name, result])
  return lower(traced, engine, { ...options, state: Object.fromEntries(results) })
}

async function load(engine: Engine, program: Program, state: State = {}): Promise<Loaded> {
  const buffers = new Map(Object.entries(state).map(([name, [first]]) => [name, engine.allocate(first, first)]))
  return { executable: await engine.load(program, buffers), buffers }
}

function isCoded(code: ErrorCode, pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof TalwegError && error.code === code && pattern.test(error.message)
}

const vector = tensorType('f32', [4])

/** weight' = weight / 2 + x, and its sum. */
function averaging(): Graph {
  return graph({ weight: vector, x: vector }, ({ weight, x }) => {
    const next = ops.add(ops.multiply(weight, 0.5), x)
    return { next, sum: ops.sum(next) }
  })
}

const averagingState: State = { weight: [f32([1, 2, 3, 4]), 'next'] }

/** The new value written straight into the state's buffer, as the planner does where it can. */
function aliased(program: Program): Program {
  const [{ value, output }] = program.state
  const values = program.values.with(output!, { ...program.values[output!], buffer: program.values[value].buffer })
  return { ...program, values, state: [{ ...program.state[0], isAliased: true }] }
}

forEachEngine('state and steps', (engine) => {
  const program = (): Program => lowerWithState(averaging(), engine, averagingState, { stepped: ['x'] })
  const x = randomTensor('steps', tensorType('f32', [6, 4]))
  const row = (step: number): TensorData => f32(Array.from(x.data.slice(step * 4, step * 4 + 4)), [1, 4])

  for (const [what, change] of [
    ['copied', (p: Program) => p],
    ['in place', aliased],
  ] as const) {
    test(`many steps in one call are the same as one by one, the state ${what}`, async () => {
      const together = await load(engine, change(program()), averagingState)
      const apart = await load(engine, change(program()), averagingState)
      const { sum } = await together.executable.run({ x }, { steps: 6 })
      assert.deepEqual(sum.shape, [6])
      for (let step = 0; step < 6; step++) {
        const one = await apart.executable.run({ x: row(step) })
        assert.deepEqual(one['sum'].shape, [])
        assert.equal(one['sum'].data[0], sum.data[step])
      }
      const [left, right] = [together, apart].map(({ buffers }) => buffers.get('weight')!)
      assertSameBits(await left.read(), await right.read(), 'weight')
      let expected = [1, 2, 3, 4]
      for (let step = 0; step < 6; step++) expected = expected.map((w, i) => w / 2 + x.data[step * 4 + i])
      assertClose(await left.read(), f32(expected), 'rounded', 'weight', 4)
    })
  }

  if (engine.takesRows) {
    test('rows of the whole data are the same as the batches that they make up', async () => {
      const rows = Int32Array.of(5, 0, 23, 23, 7, 11, 2, 0)
      const whole = { ...x, shape: [24] }
      const stacked = f32(
        Array.from(rows, (at) => Number(x.data[at])),
        [2, 4],
      )
      const [byRows, byBatches] = [await load(engine, program(), averagingState), await load(engine, program(), averagingState)] // prettier-ignore
      const { sum } = await byRows.executable.run({ x: whole }, { steps: 2, rows })
      assertSameBits(sum, (await byBatches.executable.run({ x: stacked }, { steps: 2 }))['sum'], 'sum')
      assertSameBits(await byRows.buffers.get('weight')!.read(), await byBatches.buffers.get('weight')!.read(), 'weight') // prettier-ignore
    })

    test('of rows, as of batches, there must be as many as the steps take, and none beyond the data', async () => {
      const { executable } = await load(engine, program(), averagingState)
      const whole = { ...x, shape: [24] }
      for (const rows of [
        [0, 1, 2],
        [0, 1, 2, 24],
        [0, 1, 2, -1],
      ])
        await assert.rejects(async () => executable.run({ x: whole }, { rows: Int32Array.from(rows) }), /rows/)
    })
  } else {
    test('rows are refused where batches are wanted', async () => {
      const { executable } = await load(engine, program(), averagingState)
      const run = async (): Promise<unknown> =>
        executable.run({ x: { ...x, shape: [24] } }, { rows: Int32Array.of(0, 1, 2, 3) })
      await assert.rejects(run, /SHAPE_MISMATCH|types differ/)
    })
  }

  test('an input that is not stepped is the same in every step', async () => {
    const { executable, buffers } = await load(
      engine,
      lowerWithState(averaging(), engine, averagingState),
      averagingState,
    )
    const { sum } = await executable.run({ x: f32([1, 0, 0, 0]) }, { steps: 2 })
    assert.deepEqual([...sum.data], [6, 4])
    assert.deepEqual([...(await buffers.get('weight')!.read()).data], [1.75, 0.5, 0.75, 1])
  })

  test('entries change places, and one that is only read stays', async () => {
    const swap = graph({ a: vector, b: vector, c: vector }, ({ a, b, c }) => ({
      newA: ops.convert(b, 'f32'),
      newB: ops.convert(a, 'f32'),
      sum: ops.add(a, c),
    }))
    const state: State = {
      a: [f32([1, 2, 3, 4]), 'newA'],
      b: [f32([5, 6, 7, 8]), 'newB'],
      c: [f32([1, 1, 1, 1]), undefined],
    }
    const { executable, buffers } = await load(engine, lowerWithState(swap, engine, state), state)
    const { sum } = await executable.run({})
    assert.deepEqual([...sum.data], [2, 3, 4, 5])
    const now = async (name: string): Promise<number[]> => [...(await buffers.get(name)!.read()).data]
    assert.deepEqual(await now('a'), [5, 6, 7, 8])
    assert.deepEqual(await now('b'), [1, 2, 3, 4])
    assert.deepEqual(await now('c'), [1, 1, 1, 1])
  })

  test('a new value may be another entry as it was', async () => {
    const shift = graph({ a: vector, b: vector }, ({ a, b }) => ({ newA: b, newB: ops.add(a, b) }))
    const state: State = { a: [f32([1, 1, 1, 1]), 'newA'], b: [f32([1, 2, 3, 4]), 'newB'] }
    const { executable, buffers } = await load(engine, lowerWithState(shift, engine, state), state)
    await executable.run({}, { steps: 3 })
    assert.deepEqual([...(await buffers.get('a')!.read()).data], [3, 5, 7, 9])
    assert.deepEqual([...(await buffers.get('b')!.read()).data], [5, 8, 11, 14])
  })

  test('what is kept is of its own element type: a third of 1 is not a third once it has been stored', async () => {
    for (const first of [f32([1]), f64([1]), bf16([1])].filter(({ dtype }) => engine.dtypes.has(dtype))) {
      const divide = graph({ a: first, b: first }, ({ a, b }) => ({ next: ops.divide(a, b) }))
      const state: State = { a: [first, 'next'] }
      const { executable, buffers } = await load(engine, lowerWithState(divide, engine, state), state)
      const three = { f32, f64, bf16 }[first.dtype as 'f32']([3])
      await executable.run({ b: three })
      const third = { f32, f64, bf16 }[first.dtype as 'f32']([1 / 3])
      assertSameBits(await buffers.get('a')!.read(), third, first.dtype)
    }
  })

  test('what is read and written back goes on as if it had never been read: a checkpoint is exact', async () => {
    for (const dtype of (['f32', 'f64', 'bf16'] as const).filter((name) => engine.dtypes.has(name))) {
      const start = tensorFrom(dtype, [5], [0.1, 1 / 3, -7, 1e-3, 2])
      const factor = tensorFrom(dtype, [5], [1.1, 0.7, 0.3, 3, -1.3])
      const recurrence = graph({ a: start, b: factor }, ({ a, b }) => ({ next: ops.add(ops.multiply(a, b), b) }))
      const make = (first: TensorData): Promise<Loaded> => {
        const state: State = { a: [first, 'next'] }
        return load(engine, lowerWithState(recurrence, engine, state), state)
      }
      const whole = await make(start)
      await whole.executable.run({ b: factor }, { steps: 9 })
      let current = start
      for (let part = 0; part < 3; part++) {
        const { executable, buffers } = await make(current)
        await executable.run({ b: factor }, { steps: 3 })
        current = await buffers.get('a')!.read()
      }
      assertSameBits(current, await whole.buffers.get('a')!.read(), dtype)
    }
  })

  test('calls are carried out in the order in which they are made, writing and reading too', async () => {
    const count = graph({ a: vector }, ({ a }) => ({ next: ops.add(a, 1) }))
    const state: State = { a: [f32([0, 0, 0, 0]), 'next'] }
    const { executable, buffers } = await load(engine, lowerWithState(count, engine, state), state)
    const a = buffers.get('a')!
    const done = [executable.run({}), executable.run({}), a.write(f32([10, 20, 30, 40])), executable.run({})]
    const seen = a.read()
    await Promise.all(done)
    assert.deepEqual([...(await seen).data], [11, 21, 31, 41])
  })

  test('two programs share the same state', async () => {
    const count = graph({ a: vector }, ({ a }) => ({ next: ops.add(a, 1) }))
    const look = graph({ a: vector }, ({ a }) => ({ sum: ops.sum(a) }))
    const state: State = { a: [f32([0, 0, 0, 0]), 'next'] }
    const { executable, buffers } = await load(engine, lowerWithState(count, engine, state), state)
    const reader = await engine.load(lower(look, engine, { state: { a: undefined } }), buffers)
    await executable.run({}, { steps: 3 })
    assert.equal((await reader.run({}))['sum'].data[0], 12)
    await executable.run({})
    assert.equal((await reader.run({}))['sum'].data[0], 16)
  })

  test('a buffer holds zeros until it is written, and gives copies', async () => {
    const buffer = engine.allocate(vector)
    const before = await buffer.read()
    assert.deepEqual([...before.data], [0, 0, 0, 0])
    const given = f32([1, 2, 3, 4])
    await buffer.write(given)
    given.data[0] = 9
    assert.deepEqual([...(await buffer.read()).data], [1, 2, 3, 4])
    assert.deepEqual([...before.data], [0, 0, 0, 0])
  })

  test('a buffer is read into memory that is given, of its own type', async () => {
    const buffer = engine.allocate(vector, f32([1, 2, 3, 4]))
    const into = f32([0, 0, 0, 0])
    assert.equal(await buffer.read(into), into)
    assert.deepEqual([...into.data], [1, 2, 3, 4])
    await assert.rejects(buffer.read(f32([0, 0])), { code: 'SHAPE_MISMATCH' })
  })

  test('what a call has returned is not touched by the next', async () => {
    const { executable } = await load(engine, program(), averagingState)
    const first = await executable.run({ x: row(0) })
    const kept = first['sum'].data[0]
    await executable.run({ x: row(1) })
    assert.equal(first['sum'].data[0], kept)
  })
})

forEachEngine('findNonFinite', (engine) => {
  const make = (change = (program: Program) => program): Promise<Loaded> => {
    const traced = graph({ weight: vector, x: vector }, ({ weight, x }) => ({
      next: ops.add(weight, ops.exp(ops.log(x))),
    }))
    return load(engine, change(lowerWithState(traced, engine, averagingState)), averagingState)
  }

  test('names the first instruction that gives what is not finite, and leaves the state as it was', async () => {
    const { executable, buffers } = await make()
    const finding = await executable.findNonFinite({ x: f32([1, 2, 0, 4]) })
    const log = executable.program.instructions.find(({ operation }) => operation === 'log')!
    assert.deepEqual(finding, { label: log.label, operation: 'log', type: vector })
    assert.deepEqual([...(await buffers.get('weight')!.read()).data], [1, 2, 3, 4])
  })

  test('names an input and a state', async () => {
    const { executable, buffers } = await make()
    assert.equal((await executable.findNonFinite({ x: f32([1, NaN, 1, 1]) }))?.label, 'input x')
    await buffers.get('weight')!.write(f32([1, Infinity, 3, 4]))
    assert.equal((await executable.findNonFinite({ x: f32([1, 2, 3, 4]) }))?.label, 'state weight')
  })

  test('finds nothing where all is finite, and still keeps no state', async () => {
    for (const { executable, buffers } of [await make(), await make(aliased)]) {
      assert.equal(await executable.findNonFinite({ x: f32([1, 2, 3, 4]) }), undefined)
      assert.deepEqual([...(await buffers.get('weight')!.read()).data], [1, 2, 3, 4])
    }
  })

  test('a number too large for the element type is not finite', async () => {
    const traced = graph({ x: vector }, ({ x }) => ({ y: ops.multiply(x, x) }))
    const { executable } = await load(engine, lower(traced, engine))
    const finding = await executable.findNonFinite({ x: f32([1, 1e30, 1, 1]) })
    assert.equal(finding?.operation, 'multiply')
  })
})

forEachEngine('runs', (engine) => {
  const square = tensorType('f32', [96, 96])
  const mixed = (): Program =>
    lower(
      graph({ a: square, b: square }, ({ a, b }) => {
        const product = ops.matmul(ops.tanh(a), b) as AnyTensor
        return { rows: ops.softmax(product), total: ops.sum(ops.square(product)), columns: ops.sum(product, 0) }
      }),
      engine,
    )
  const operands = { a: randomTensor('a', square), b: randomTensor('b', square) }

  test('give the same bits again, and so does the same program loaded again', async () => {
    const { executable } = await load(engine, mixed())
    const first = await executable.run(operands)
    const others = [await executable.run(operands), await (await load(engine, mixed())).executable.run(operands)]
    for (const other of others) {
      for (const name of Object.keys(first)) assertSameBits(other[name], first[name], name)
    }
  })

  test('give the same bits when other programs run beside them', async () => {
    const programs = await Promise.all([1, 2, 3].map(() => load(engine, mixed())))
    const results = await Promise.all(programs.map(({ executable }) => executable.run(operands)))
    for (const result of results) assertSameBits(result['rows'], results[0]['rows'], 'rows')
  })

  test('of millions of elements', async () => {
    const count = 3_000_001
    const large = randomTensor('large', tensorType('f32', [count]))
    const traced = graph({ x0: large }, ({ x0 }) => ({ y0: ops.add(x0, 1), y1: ops.sum(ops.add(x0, 2)) }))
    const [shifted, sum] = await evaluate(engine, traced, [large])
    const numbers = numbersIn(large)
    assert.equal(shifted.data[count - 1], Math.fround(large.data[count - 1] + 1))
    const expected = numbers.reduce((total, x) => total + Math.fround(x + 2), 0)
    assert.ok(Math.abs(sum.data[0] - expected) <= 1e-5 * expected, `${sum.data[0]} is not ${expected}`)
  })

  test('of no elements at all, from beginning to end', async () => {
    const nothing = tensorType('f32', [0, 3])
    const traced = graph({ x0: nothing, x1: tensorType('f32', [3, 2]) }, ({ x0, x1 }) => {
      const product = ops.matmul(ops.exp(x0), x1) as AnyTensor
      return { y0: product, y1: ops.sum(product, 0), y2: ops.transpose(product, [1, 0]) }
    })
    const results = await evaluate(engine, traced, [f32([], [0, 3]), f32([1, 2, 3, 4, 5, 6], [3, 2])])
    assert.deepEqual(results.map(({ shape }) => shape), [[0, 2], [2], [2, 0]]) // prettier-ignore
    assert.deepEqual([...results[1].data], [0, 0])
  })

  test('random bits depend on key and counter alone, whatever is drawn at once', async () => {
    const draw = async (state: readonly number[], count: number): Promise<number[]> => {
      const operand = u32(state)
      const [bits] = await evaluate(engine, graphOf('rngBitGenerator', [operand], { shape: [count] }), [operand])
      return [...bits.data]
    }
    const together = await draw([1, 2, 0xfffffffe, 7], 4000)
    assert.deepEqual(await draw([1, 2, 0xffffffff, 7], 4), together.slice(4, 8))
    assert.notDeepEqual(await draw([1, 2, 0xffffffff, 8], 4), together.slice(4, 8))
    assert.notDeepEqual(await draw([2, 1, 0xffffffff, 7], 4), together.slice(4, 8))
    assert.equal(new Set(together).size, 4000)
  })

  test('a barrier hands on all that it is given', async () => {
    const given = [f32([1, 2]), i32([3])]
    const results = await evaluate(engine, graphOf('optimizationBarrier', given, {}), given)
    results.forEach((result, index) => assertSameBits(result, given[index], `result ${index}`))
  })
})

interface Exchanges {
  readonly allReduce: OperationAttributes['allReduce']
  readonly allGather: OperationAttributes['allGather']
  readonly reduceScatter: OperationAttributes['reduceScatter']
  readonly collectivePermute: OperationAttributes['collectivePermute']
}

function exchanges(among: CollectiveAttributes): Exchanges {
  return {
    allReduce: { ...among, kind: 'add' },
    allGather: { ...among, dim: 0 },
    reduceScatter: { ...among, kind: 'add', dim: 0 },
    collectivePermute: { ...among, pairs: [[0, 0]] },
  }
}

forEachEngine('refusals', (engine) => {
  const program = (): Program => lower(graph({ x: vector }, ({ x }) => ({ y: ops.negate(x) })), engine) // prettier-ignore

  test('of inputs that are not what the program takes', async () => {
    const { executable } = await load(engine, program())
    await assert.rejects(executable.run({ x: f32([1, 2]) }), isCoded('SHAPE_MISMATCH', /f32\[4\].*f32\[2\]/))
    await assert.rejects(executable.run({ x: i32([1, 2, 3, 4]) }), isCoded('DTYPE_MISMATCH', /"x".*f32\[4\].*i32\[4\]/))
    await assert.rejects(executable.run({}), isCoded('SHAPE_MISMATCH', /no input "x"/))
    const short = { ...f32([1, 2, 3, 4]), data: new Float32Array(3) }
    await assert.rejects(executable.run({ x: short }), isCoded('SHAPE_MISMATCH', /4 elements, the array 3/))
  })

  test('of stepped inputs that do not have a row for each step', async () => {
    const stepped = lowerWithState(averaging(), engine, averagingState, { stepped: ['x'] })
    const { executable, buffers } = await load(engine, stepped, averagingState)
    const two = f32([1, 2, 3, 4, 5, 6, 7, 8], [2, 4])
    await assert.rejects(executable.run({ x: two }, { steps: 3 }), isCoded('SHAPE_MISMATCH', /f32\[3,4\].*f32\[2,4\]/))
    assert.deepEqual([...(await buffers.get('weight')!.read()).data], [1, 2, 3, 4])
  })

  test('of what does not fit a buffer', async () => {
    const buffer = engine.allocate(vector, f32([1, 2, 3, 4]))
    await assert.rejects(buffer.write(f32([1])), isCoded('SHAPE_MISMATCH', /f32\[4\].*f32\[1\]/))
    assert.deepEqual([...(await buffer.read()).data], [1, 2, 3, 4])
  })

  test('of exchanges among more workers than one; among one they are nothing', async () => {
    const given = f32([1, 2])
    for (const operation of ['allReduce', 'allGather', 'reduceScatter', 'collectivePermute'] as const) {
      const alone = exchanges({ axis: 'data', size: 1 })[operation]
      const [result] = await evaluate(engine, graphOf(operation, [given], alone), [given])
      assertSameBits(result, given, operation)
      const among = graphOf(operation, [given], exchanges({ axis: 'data', size: 2 })[operation])
      await assert.rejects(evaluate(engine, among, [given]), isCoded('UNSUPPORTED_BY_ENGINE', new RegExp(operation)))
    }
  })

  test('of element types that it does not have', async () => {
    for (const given of [f64([1]), bf16([1])].filter(({ dtype }) => !engine.dtypes.has(dtype))) {
      const graphOfOne = graphOf('negate', [given], {})
      await assert.rejects(
        evaluate(engine, graphOfOne, [given]),
        isCoded('UNSUPPORTED_BY_ENGINE', new RegExp(given.dtype)),
      )
    }
  })
})
