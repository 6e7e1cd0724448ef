/** Timed runs: the same bits as without, marks in order, and the work's time inside its instruction. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tensorType } from '../../src/core/shape.js'
import { marksPerStep } from '../../src/engine/timeline.js'
import { trace } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'
import { assertSameBits } from './support/compare.js'
import { f32, randomTensor } from './support/data.js'
import { forEachEngine } from './support/engines.js'
import { lower } from './support/lower.js'

const vector = tensorType('f32', [4])

forEachEngine('timed runs', (engine) => {
  const { profiling } = engine
  if (profiling === undefined) {
    test('only the portable engine has none', () => assert.equal(engine.name, 'portable'))
    return
  }

  test('many steps: the same outputs and state as without, and marks that never go back', async () => {
    const graph = trace('program', [{ name: 'weight', type: vector }, { name: 'x', type: vector }], (weight, x) => {
      const next = ops.add(ops.multiply(weight, 0.5), x)
      return { next, sum: ops.sum(next) }
    }) // prettier-ignore
    const program = lower(graph, engine, { state: { weight: 'next' }, stepped: ['x'] })
    const x = f32([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [3, 4])
    const load = async () => {
      const weight = engine.allocate(vector, f32([1, 2, 3, 4]))
      return { weight, executable: await engine.load(program, new Map([['weight', weight]])) }
    }
    const [plain, timed] = [await load(), await load()]
    const expected = await plain.executable.run({ x }, { steps: 3 })
    const start = performance.now()
    const { outputs, times } = await profiling.run(timed.executable, { x }, { steps: 3 })
    const seconds = (performance.now() - start) / 1000
    assertSameBits(outputs['sum'], expected['sum'], 'sum')
    assertSameBits(await timed.weight.read(), await plain.weight.read(), 'weight')
    assert.equal(times.steps, 3)
    assert.equal(times.marks.length, 3 * marksPerStep(program))
    assert(times.marks[0] >= 0)
    for (let index = 1; index < times.marks.length; index++)
      assert(times.marks[index] >= times.marks[index - 1], `mark ${index}`)
    assert(times.marks[times.marks.length - 1] <= seconds, 'the last step ends before the call does')
  })

  test('a large product: its instruction has most of the call’s time', async () => {
    const type = tensorType('f32', engine.name === 'native' ? [768, 768] : [96, 96])
    const graph = trace('program', [{ name: 'x', type }], (x) => ({ y: ops.matmul(x, x) }))
    const program = lower(graph, engine)
    const product = program.instructions.findIndex(({ operation }) => operation === 'dotGeneral')
    const executable = await engine.load(program, new Map())
    const x = randomTensor('x', type)
    const shares: number[] = []
    for (let call = 0; call < 8; call++) {
      const start = performance.now()
      const { times } = await profiling.run(executable, { x })
      const seconds = (performance.now() - start) / 1000
      shares.push((times.marks[product + 2] - times.marks[product + 1]) / seconds)
    }
    // Others may be at work on this machine between a call and its steps: the best of some calls.
    assert(Math.max(...shares) > 0.5, `shares ${shares.join(' ')}`)
    assert(Math.max(...shares) <= 1)
  })

  test('peaks, where there are any, are those of products and of memory', async () => {
    if (profiling.measurePeaks === undefined) return assert.equal(engine.name, 'reference')
    const { productFlopsPerSecond, bytesPerSecond } = await profiling.measurePeaks()
    for (const peak of [...Object.values(productFlopsPerSecond), bytesPerSecond])
      assert(Number.isFinite(peak) && peak > 1e6, `${peak}`)
    assert(productFlopsPerSecond.f32 > 0)
  })
})
