import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { passNames, type CompileTarget, type PassName } from '../../src/compile/index.js'
import { reshapeStrides } from '../../src/compile/views.js'
import { planOffsets } from '../../src/compile/memory/offsets.js'
import { contiguousStrides } from '../../src/core/shape.js'
import { allPasses, argumentsFor, assertClose, compileFor, fusing, reference, runProgram } from './support.js'
import { graphChoices, randomGraph } from './randomGraphs.js'

const everyOutput = { seed: Number(process.env.TALWEG_SEED ?? 20_260_101) }

async function assertAgrees(
  choices: readonly number[],
  target: CompileTarget,
  disabledPasses?: ReadonlySet<PassName>,
): Promise<void> {
  const { graph, state } = randomGraph(choices)
  const values = argumentsFor(graph)
  const plain = compileFor(reference, graph, { state, disabledPasses: allPasses })
  const compiled = compileFor(target, graph, { state, disabledPasses })
  assertClose(await runProgram(compiled, values, 2), await runProgram(plain, values, 2), 1e-5)
}

test('random graphs compute the same with all passes as with none, and no live memory is written over', async () => {
  await fc.assert(
    fc.asyncProperty(graphChoices, (choices) => assertAgrees(choices, fusing)),
    { ...everyOutput, numRuns: 400 },
  )
})

test('random graphs compute the same on an engine without composites or strided operands', async () => {
  await fc.assert(
    fc.asyncProperty(graphChoices, (choices) => assertAgrees(choices, reference)),
    { ...everyOutput, numRuns: 200 },
  )
})

for (const pass of passNames) {
  test(`random graphs compute the same without ${pass}`, async () => {
    const disabled = new Set([pass])
    await fc.assert(
      fc.asyncProperty(graphChoices, (choices) => assertAgrees(choices, fusing, disabled)),
      { ...everyOutput, numRuns: 40 },
    )
  })
}

test('the same graph gives the same program', () => {
  fc.assert(
    fc.property(graphChoices, (choices) => {
      const compile = (): unknown => {
        const { graph, state } = randomGraph(choices)
        const { program } = compileFor(fusing, graph, { state })
        return JSON.stringify(program)
      }
      assert.equal(compile(), compile())
    }),
    { ...everyOutput, numRuns: 50 },
  )
})

test('offsets never overlap for intervals that meet, and are at best the lower bound', () => {
  const interval = fc.record({ sizeBytes: fc.nat(5000), start: fc.nat(40), length: fc.nat(10) })
  fc.assert(
    fc.property(fc.array(interval, { maxLength: 40 }), (given) => {
      const intervals = given.map(({ sizeBytes, start, length }) => ({ sizeBytes, start, end: start + length }))
      const { offsets, sizeBytes, lowerBoundBytes } = planOffsets(intervals)
      assert.ok(sizeBytes >= lowerBoundBytes)
      intervals.forEach((left, i) => {
        assert.equal(offsets[i] % 64, 0)
        assert.ok(offsets[i] + left.sizeBytes <= sizeBytes)
        intervals.slice(0, i).forEach((right, j) => {
          const together = left.start <= right.end && right.start <= left.end
          const apart = offsets[i] + left.sizeBytes <= offsets[j] || offsets[j] + right.sizeBytes <= offsets[i]
          assert.ok(!together || apart || left.sizeBytes === 0 || right.sizeBytes === 0)
        })
      })
    }),
    everyOutput,
  )
})

test('a reshaped view reads the same elements in the same order', () => {
  const factors = fc.array(fc.constantFrom<number[]>(1, 2, 3), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(factors, fc.nat(), (shape, seed) => {
      const permutation = shape.map((_, dim) => dim).sort((a, b) => ((a * 7 + seed) % 5) - ((b * 7 + seed) % 5))
      const strides = contiguousStrides(shape)
      const permuted = permutation.map((dim) => shape[dim])
      const view = permutation.map((dim) => strides[dim])
      const newShape = [permuted.slice(0, 2).reduce((a, b) => a * b, 1), ...permuted.slice(2), 1]
      const reshaped = reshapeStrides(permuted, view, newShape)
      if (reshaped !== undefined) assert.deepEqual(visit(newShape, reshaped), visit(permuted, view))
    }),
    everyOutput,
  )
})

/** The places that a view's elements have, in order. */
function visit(shape: readonly number[], strides: readonly number[]): number[] {
  let places = [0]
  shape.forEach((size, dim) => {
    places = places.flatMap((place) => Array.from({ length: size }, (_, index) => place + index * strides[dim]))
  })
  return places
}
