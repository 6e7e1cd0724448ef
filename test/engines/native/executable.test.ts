/** How the native engine runs programs: state in place, many steps a call, in order, off Node's thread, the same bits. */
import assert from 'node:assert/strict'
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, test } from 'node:test'
import { TalwegError } from '../../../src/core/errors.js'
import { tensorType, type TensorData, type TensorType } from '../../../src/core/shape.js'
import { compileGraph, type CompileOptions } from '../../../src/compile/index.js'
import type { Engine, EngineBuffer, Executable } from '../../../src/engine/engine.js'
import { createNativeEngine } from '../../../src/engine/native/index.js'
import { loadAddon } from '../../../src/engine/native/addon.js'
import { trace, type AnyTensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { assertSameBits } from '../support/compare.js'
import { f32, i32, randomTensor } from '../support/data.js'

const native = createNativeEngine()
type Types = Readonly<Record<string, TensorType>>
type Body = (tensors: Readonly<Record<string, AnyTensor>>) => Readonly<Record<string, AnyTensor>>

interface Loaded {
  readonly executable: Executable
  readonly buffers: ReadonlyMap<string, EngineBuffer>
}

/** Traces, compiles and loads; `state` gives each state entry's first value and the result that is its new one. */
async function load(
  engine: Engine,
  types: Types,
  body: Body,
  state: Readonly<Record<string, [first: TensorData, result: string | undefined]>> = {},
  options: CompileOptions = {},
): Promise<Loaded> {
  const names = Object.keys(types)
  const graph = trace(
    'program',
    names.map((name) => ({ name, type: types[name] })),
    (...tensors) => body(Object.fromEntries(names.map((name, index) => [name, tensors[index]]))),
  )
  const entries = Object.entries(state)
  const results = Object.fromEntries(entries.map(([name, [, result]]) => [name, result]))
  const { program } = compileGraph(graph, engine, { ...options, state: results, verify: true })
  const buffers = new Map(entries.map(([name, [first]]) => [name, engine.allocate(first, first)]))
  return { executable: await engine.load(program, buffers), buffers }
}

const scalar = tensorType('f32', [])
const vector = tensorType('f32', [4])

describe('native: state', () => {
  test('is updated in place, step by step, in one call or several', async () => {
    const make = (): Promise<Loaded> =>
      load(
        native,
        { weight: vector, x: vector },
        ({ weight, x }) => {
          const next = ops.add(ops.multiply(weight, 0.5), x)
          return { next, sum: ops.sum(next) }
        },
        { weight: [f32([1, 2, 3, 4]), 'next'] },
        { steppedInputs: new Set(['x']) },
      )
    const [together, apart] = [await make(), await make()]
    const x = randomTensor('steps', tensorType('f32', [6, 4]))
    const { sum } = await together.executable.run({ x }, { steps: 6 })
    for (let step = 0; step < 6; step++) {
      const row = f32(Array.from(x.data.slice(step * 4, step * 4 + 4)), [1, 4])
      const one = await apart.executable.run({ x: row })
      assert.equal(one['sum'].data[0], sum.data[step])
    }
    assertSameBits(await together.buffers.get('weight')!.read(), await apart.buffers.get('weight')!.read(), 'weight')
  })

  test('entries may change places', async () => {
    const { executable, buffers } = await load(native, { a: vector, b: vector }, ({ a, b }) => ({ newA: b, newB: a }), {
      a: [f32([1, 2, 3, 4]), 'newA'],
      b: [f32([5, 6, 7, 8]), 'newB'],
    })
    await executable.run({})
    assert.deepEqual([...(await buffers.get('a')!.read()).data], [5, 6, 7, 8])
    assert.deepEqual([...(await buffers.get('b')!.read()).data], [1, 2, 3, 4])
  })

  test('can be written and read between calls, in the order of the calls', async () => {
    const { executable, buffers } = await load(native, { a: vector }, ({ a }) => ({ next: ops.add(a, 1) }), {
      a: [f32([0, 0, 0, 0]), 'next'],
    })
    const a = buffers.get('a')!
    const done = [executable.run({}), executable.run({}), a.write(f32([10, 20, 30, 40])), executable.run({})]
    const seen = a.read()
    await Promise.all(done)
    assert.deepEqual([...(await seen).data], [11, 21, 31, 41])
  })
})

describe('native: findNonFinite', () => {
  const make = (): Promise<Loaded> =>
    load(native, { weight: vector, x: vector }, ({ weight, x }) => ({ next: ops.add(weight, ops.sum(ops.log(x))) }), {
      weight: [f32([1, 2, 3, 4]), 'next'],
    })

  test('a buffer is written row by row, and not beyond its end', async () => {
    const buffer = native!.allocate(tensorType('f32', [4, 2]), f32([0, 1, 2, 3, 4, 5, 6, 7], [4, 2]))
    await buffer.writeRows!(1, f32([10, 11, 12, 13], [2, 2]))
    assert.deepEqual([...(await buffer.read()).data], [0, 1, 10, 11, 12, 13, 6, 7])
    await assert.rejects(buffer.writeRows!(3, f32([1, 2, 3, 4], [2, 2])), /rows 3 to 5 are among 4/)
    await assert.rejects(buffer.writeRows!(0, f32([1, 2, 3], [1, 3])), TalwegError)
  })

  test('names the first instruction and leaves the state as it was', async () => {
    const { executable, buffers } = await make()
    const finding = await executable.findNonFinite({ x: f32([1, 2, 0, 4]) })
    assert.ok(finding)
    assert.match(finding.operation, /log|composite/)
    assert.deepEqual([...(await buffers.get('weight')!.read()).data], [1, 2, 3, 4])
  })

  test('names an input and a state, and finds nothing where all is finite', async () => {
    const { executable, buffers } = await make()
    assert.equal((await executable.findNonFinite({ x: f32([1, NaN, 1, 1]) }))?.label, 'input x')
    assert.equal(await executable.findNonFinite({ x: f32([1, 2, 3, 4]) }), undefined)
    await buffers.get('weight')!.write(f32([1, Infinity, 3, 4]))
    assert.equal((await executable.findNonFinite({ x: f32([1, 2, 3, 4]) }))?.label, 'state weight')
  })
})

describe('native: runs', () => {
  const size = 256
  const square = tensorType('f32', [size, size])
  const body: Body = ({ a, b }) => {
    const product = ops.matmul(ops.tanh(a), b) as AnyTensor
    return { rows: ops.softmax(product), total: ops.sum(ops.square(product)), norm: ops.sum(product, 0) }
  }
  const operands = { a: randomTensor('a', square), b: randomTensor('b', square) }

  test('give the same bits from run to run and from one loading to the next', async () => {
    for (const threads of [1, 2]) {
      const engine = createNativeEngine({ threads })
      const first = await (await load(engine, { a: square, b: square }, body)).executable.run(operands)
      const { executable } = await load(createNativeEngine({ threads }), { a: square, b: square }, body)
      for (let round = 0; round < 5; round++) {
        const again = await executable.run(operands)
        for (const name of Object.keys(first)) assertSameBits(again[name], first[name], `${name}, ${threads} threads`)
      }
    }
  })

  test('leave the event loop free', async () => {
    const { executable } = await load(native, { a: square, b: square }, body)
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const inputs = { a: operands.a, b: operands.b }
    await executable.run(inputs, { steps: 150 })
    clearInterval(timer)
    assert.ok(turns >= 5, `the event loop turned ${turns} times`)
  })

  test('of another program work beside it, and one that is forgotten is freed', async () => {
    const programs = await Promise.all([1, 2, 3].map(() => load(native, { a: square, b: square }, body)))
    const results = await Promise.all(programs.map(({ executable }) => executable.run(operands)))
    for (const result of results) assertSameBits(result['rows'], results[0]['rows'], 'rows')
  })
})

describe('native: refusals', () => {
  const isCoded = (code: string, pattern: RegExp) => (error: unknown) =>
    error instanceof TalwegError && error.code === code && pattern.test(error.message)

  test('of inputs that are not what the program takes', async () => {
    const { executable } = await load(native, { x: vector }, ({ x }) => ({ y: ops.negate(x) }))
    await assert.rejects(executable.run({ x: f32([1, 2]) }), isCoded('SHAPE_MISMATCH', /f32\[4\].*f32\[2\]/))
    await assert.rejects(executable.run({ x: i32([1, 2, 3, 4]) }), isCoded('DTYPE_MISMATCH', /"x"/))
    await assert.rejects(executable.run({}), isCoded('SHAPE_MISMATCH', /no input "x"/))
  })

  test('of an instruction that cannot be had name it', async () => {
    const { executable } = await load(native, { x: scalar }, ({ x }) => ({ y: ops.negate(x) }))
    const [instruction] = executable.program.instructions
    const broken = {
      ...instruction,
      operation: 'allReduce',
      attributes: { axis: 'data', size: 2, kind: 'add' },
      label: 'train.ts:14',
    }
    const program = { ...executable.program, instructions: [broken as never] }
    await assert.rejects(native.load(program, new Map()), isCoded('UNSUPPORTED_BY_ENGINE', /allReduce at train\.ts:14/))
  })

  test('of a number of threads that is none', () => {
    for (const threads of [0, -1, 1.5, NaN]) {
      assert.throws(() => createNativeEngine({ threads }), isCoded('INVALID_SETTING', /threads/))
    }
  })

  test('of an addon that is missing or broken say what to do', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'talweg-addon-'))
    const broken = path.join(folder, 'talweg.node')
    writeFileSync(broken, 'not a library')
    assert.throws(() => loadAddon(path.join(folder, 'none.node')), isCoded('ENGINE_UNAVAILABLE', /not built.*setup/))
    assert.throws(() => loadAddon(broken), isCoded('ENGINE_UNAVAILABLE', /can't be loaded/))
    rmSync(folder, { recursive: true })
  })
})

describe('native: processes', () => {
  const root = path.resolve(import.meta.dirname, '../../..')

  /** Runs TypeScript in a process of its own; `load` and the rest are not there. */
  function runScript(script: string, environment: Readonly<Record<string, string>> = {}): SpawnSyncReturns<string> {
    const args = ['--import', 'tsx', '--input-type=module', '-e', script]
    return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: { ...process.env, ...environment } })
  }

  const create = `import { createNativeEngine } from './src/engine/native/index.ts'\n`

  test('end cleanly in the middle of a run', () => {
    const { status, stderr } = runScript(`${create}
      import { GraphBuilder } from './src/graph/index.ts'
      import { compileGraph } from './src/compile/index.ts'
      const engine = createNativeEngine()
      const builder = new GraphBuilder('slow')
      const type = { dtype: 'f32', shape: [512, 512] }
      const x = builder.parameter('x', type)
      const [value] = builder.add('tanh', [x], {})
      const { program } = compileGraph(builder.build([{ name: 'y', value }]), engine, { state: { x: 'y' } })
      const executable = await engine.load(program, new Map([['x', engine.allocate(type)]]))
      void executable.run({}, { steps: 1000000 })
      setTimeout(() => process.exit(7), 50)`)
    assert.equal(stderr, '')
    assert.equal(status, 7)
  })

  test('say which instruction set they use, and refuse one that there is not', () => {
    const script = `${create} console.log(createNativeEngine({ threads: 1 }).description)`
    assert.match(runScript(script, { TALWEG_CPU: 'portable' }).stdout, /^native: .*, portable, 1 thread, oneDNN [23]\./)
    const { status, stderr } = runScript(script, { TALWEG_CPU: 'z80' })
    assert.equal(status, 1)
    assert.match(stderr, /TALWEG_CPU is z80.*portable/)
  })
})
