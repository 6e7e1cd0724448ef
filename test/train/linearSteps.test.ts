/** Steps of linear models by the kernels that do many rows or many steps at once, against the steps one by one. */
import assert from 'node:assert/strict'
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { table, type TableSource } from '../../src/data/index.js'
import type { Engine } from '../../src/engine/engine.js'
import { gradientDescent } from '../../src/train/fit/gradientDescent.js'
import type { FitModel } from '../../src/train/fit/model.js'
import { loadRows } from '../../src/train/fit/rows.js'
import { stochasticDescent } from '../../src/train/fit/stochastic.js'
import { openEngine } from '../../src/train/engines.js'

const folder = mkdtempSync(path.join(tmpdir(), 'talweg-linear-steps-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const numRows = 601
const kinds = ['linear', 'logistic'] as const

async function openTable(kind: (typeof kinds)[number]): Promise<TableSource> {
  const file = path.join(folder, `${kind}.csv`)
  const rows = Array.from({ length: numRows }, (_, row) => {
    const [a, b, c] = [Math.sin(row * 1.7), Math.cos(row * 2.9), ((row * 37) % 101) / 101]
    const score = 2 * a - b + 0.5 * c + 0.3 * Math.sin(row * 11.3)
    return [a, b, c, kind === 'linear' ? score : score > 0.2 ? 'yes' : 'no'].join(',')
  })
  writeFileSync(file, ['a,b,c,y', ...rows].join('\n'))
  return table(file, { target: 'y', task: kind === 'linear' ? 'regression' : 'classification' })
}

function modelOf(kind: (typeof kinds)[number], dtype: 'f32' | 'f64', hasIntercept: boolean): FitModel {
  return { kind, numFeatures: 3, numOutputs: 1, hasIntercept, dtype }
}

/** The engine, as if it knew of no steps over resident rows. */
function withoutDescent(engine: Engine): Engine {
  const composites = new Set([...engine.composites].filter((name) => name !== 'linearDescent'))
  return Object.create(engine, { composites: { value: composites } }) as Engine
}

function near(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, what)
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs(actual[index] - expected[index])
    assert.ok(difference <= tolerance, `${what}, number ${index}: ${actual[index]} and ${expected[index]}`)
  }
}

for (const kind of kinds) {
  for (const [batchSize, hasIntercept] of [
    [1, true],
    [3, false],
    [200, true],
  ] as const) {
    // prettier-ignore
    test(`stochastic descent, ${kind}, batches of ${batchSize}: steps over resident rows are those over gathered ones`, async () => {
      const engine = await openEngine('native', { threads: 2 }, () => undefined)
      const source = await openTable(kind)
      const steps = Math.ceil((2.4 * numRows) / batchSize)
      const losses: number[][] = []
      const [resident, gathered] = [engine, withoutDescent(engine)].map((chosen) => {
        const seen: number[] = []
        losses.push(seen)
        return stochasticDescent(modelOf(kind, 'f32', hasIntercept), source, chosen, {
          learningRate: 0.05,
          batchSize,
          steps,
          tolerance: 0,
          seed: 4,
          shouldStop: () => false,
          progressed: (step, loss) => void seen.push(step, loss),
        })
      })
      const [one, other] = [await resident, await gathered]
      near(one.weights, other.weights, 2e-6, 'weights')
      near(one.intercept, other.intercept, 2e-6, 'intercept')
      near([one.loss], [other.loss], 2e-6, 'loss')
      near(losses[0], losses[1], 2e-6, 'what was told')
      await source.close()
    })
  }

  test(`gradient descent, ${kind}: rows gone over once in f32 give what f64 gives`, async () => {
    const engine = await openEngine('native', { threads: 2 }, () => undefined)
    const source = await openTable(kind)
    const descend = async (dtype: 'f32' | 'f64'): Promise<Awaited<ReturnType<typeof gradientDescent>>> => {
      const model = modelOf(kind, dtype, true)
      const rows = await loadRows(source, model, engine)
      const options = { learningRate: 0.5, steps: 60, tolerance: 0 }
      return gradientDescent(model, rows, engine, { ...options, shouldStop: () => false, progressed: () => undefined })
    }
    const [single, double] = [await descend('f32'), await descend('f64')]
    assert.equal(single.steps, double.steps)
    near(single.weights, double.weights, 2e-5, 'weights')
    near(single.intercept, double.intercept, 2e-5, 'intercept')
    near([single.loss], [double.loss], 2e-6, 'loss')
    await source.close()
  })
}
