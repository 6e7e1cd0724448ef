/** `fit` and `predict` as a user runs them: results against closed forms, what is said of bad input, that nothing is left behind. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { TalwegError } from '../../src/core/errors.js'
import { philox4x32 } from '../../src/core/random.js'
import { engineNames, openEngine } from '../../src/train/index.js'
import { linesOf, talweg, temporaryFolder, writeFiles, type Finished } from './support/talweg.js'

const folder = temporaryFolder('fit')

/** Numbers spread evenly over [0, 1), the same in every run. */
function uniform(index: number): number {
  const words = new Uint32Array(4)
  philox4x32([7, 0], [index, 0, 0, 0], words, 0)
  return words[0] / 2 ** 32
}

function csv(header: string, numRows: number, row: (index: number) => readonly (string | number)[]): string {
  return [header, ...Array.from({ length: numRows }, (_, index) => row(index).join(','))].join('\n') + '\n'
}

const numHouses = 400
const house = (index: number): [number, number, number] => {
  const area = 50 + 100 * uniform(3 * index)
  const age = 40 * uniform(3 * index + 1)
  return [area, age, 1000 + 30 * area - 12 * age + 50 * (uniform(3 * index + 2) - 0.5)]
}

/** Flowers whose classes overlap, so that weights are finite. */
const species = ['iris', 'lily', 'rose']
const flower = (index: number): [number, string, string] => [
  (index % 3) + 2 * uniform(2 * index),
  uniform(2 * index + 1) < 0.5 ? 'red' : 'blue',
  species[index % 3],
]

writeFiles(folder, {
  'three.csv': 'x1,x2,y\n1,2,1\n2,3,2\n3,4,3\n',
  'houses.csv': csv('area,age,price', numHouses, house),
  'flowers.csv': csv('length,color,species', 150, flower),
  'exam.csv': csv('hours,passed', 100, (index) => {
    const hours = 6 * uniform(2 * index)
    return [hours, hours + 3 * uniform(2 * index + 1) > 4.5 ? 'true' : 'false']
  }),
  'gaps.csv': 'x,y\n1,1\n,2\n3,3\n4,4.5\n',
  'text.csv': 'x,y\n1,1\n2,2\nthree,3\n4,4\n',
  'infinite.csv': 'x,y\n1,1\n2,2\ninf,3\n4,4\n',
  'empty.csv': '',
})

function fit(...args: readonly string[]): Promise<Finished> {
  return talweg(folder, 'fit', ...args)
}

async function fitted(...args: readonly string[]): Promise<Record<string, never>> {
  const finished = await fit(...args, '--json')
  assert.equal(finished.code, 0, finished.stderr)
  const lines = linesOf(finished)
  assert.equal(lines.length, 1)
  return lines[0] as Record<string, never>
}

function near(actual: number, expected: number, tolerance: number): void {
  assert(Math.abs(actual - expected) <= tolerance, `${actual} is not within ${tolerance} of ${expected}`)
}

/** Least squares for price = b + w·(area, age), by the normal equations about the means. */
function leastSquares(): { area: number; age: number; intercept: number } {
  const rows = Array.from({ length: numHouses }, (_, index) => house(index))
  const mean = [0, 1, 2].map((column) => rows.reduce((sum, row) => sum + row[column], 0) / numHouses)
  const moment = (a: number, b: number): number =>
    rows.reduce((sum, row) => sum + (row[a] - mean[a]) * (row[b] - mean[b]), 0)
  const determinant = moment(0, 0) * moment(1, 1) - moment(0, 1) ** 2
  const area = (moment(0, 2) * moment(1, 1) - moment(1, 2) * moment(0, 1)) / determinant
  const age = (moment(1, 2) * moment(0, 0) - moment(0, 2) * moment(0, 1)) / determinant
  return { area, age, intercept: mean[2] - area * mean[0] - age * mean[1] }
}

describe('the textbook’s gradient descent', () => {
  const textbook = 'three.csv --target y --method gd --learning-rate 0.01 --steps 1000 --no-intercept --no-standardize'
  for (const engine of engineNames) {
    test(`gives its weights to 1e-6 on the ${engine} engine`, async (context) => {
      try {
        await openEngine(engine, {}, () => undefined)
      } catch (error) {
        if (!(error instanceof TalwegError && error.code === 'ENGINE_UNAVAILABLE')) throw error
        return context.skip(error.problem)
      }
      const result = await fitted(...textbook.split(' '), '--engine', engine)
      const { x1, x2 } = result.weights as { x1: number; x2: number }
      near(x1, 0.57639553, 1e-6)
      near(x2, 0.29355809, 1e-6)
      assert.equal(result.intercept, 0)
      assert.equal(result.steps, 1000)
      assert.equal(result.learningRate, 0.01)
      assert.equal(result.converged, false)
      const residuals = [1, 2, 3].map((y) => y * x1 + (y + 1) * x2 - y)
      near(result.loss, residuals.reduce((sum, r) => sum + r * r, 0) / 6, 1e-9)
      assert.equal(typeof result.seconds, 'number')
    })
  }

  test('a rate that diverges ends with exit code 3 and names the largest stable one, 2 / λmax', async () => {
    const { code, stdout, stderr } = await fit(...textbook.replace('0.01', '0.2').split(' '), '--json')
    assert.equal(code, 3)
    assert.equal(stdout, '')
    // XᵀX / 3 = [[14, 20], [20, 29]] / 3.
    const largest = (43 + Math.sqrt(43 ** 2 - 4 * 6)) / 6
    const [, named] = /largest stable one is (\d+\.\d+)/.exec(stderr) ?? []
    near(Number(named), 2 / largest, 1e-5)
    assert(Number(named) <= 2 / largest, `${named} is itself stable`)
  })

  test('a rate just below the one named is stable, one just above is not', async () => {
    const at = (rate: number): Promise<Finished> => fit(...textbook.replace('0.01', String(rate)).split(' '))
    assert.equal((await at(0.13999)).code, 0)
    assert.equal((await at(0.1415)).code, 3)
  })

  for (const steps of [3, 1000]) {
    test(`a rate so little too large that ${steps} steps don't show it is reported all the same`, async () => {
      const args = textbook.replace('0.01', '0.14').replace('1000', String(steps)).split(' ')
      const { code, stdout, stderr } = await fit(...args)
      assert.equal(code, 3)
      assert.equal(stdout, '')
      assert.match(
        stderr,
        new RegExp(`diverges, too slowly to show in ${steps} steps: .* is 0.14, .*stable one is 0.13999`),
      )
    })
  }

  test('a rate that is twice the inverse curvature goes to and fro for ever, and has not diverged', async () => {
    writeFiles(folder, { 'one.csv': 'x,y\n1,1\n1,1\n' })
    const args = ['one.csv', '--target', 'y', '--no-intercept', '--no-standardize', '--steps', '101', '--lr']
    const result = await fitted(...args, '2')
    assert.deepEqual([result.weights, result.converged], [{ x: 2 }, false])
    assert.equal((await fit(...args, '2.0001')).code, 3)
  })

  test('single precision tells a rate just above from one just below', async () => {
    const rows = csv('x1,x2,y', 400_000, (index) => [uniform(2 * index), uniform(2 * index + 1), index % 2])
    writeFiles(folder, { 'many.csv': rows })
    const args = [
      'many.csv',
      '--target',
      'y',
      '--model',
      'linear',
      '--no-intercept',
      '--no-standardize',
      '--steps',
      '20',
      '--lr',
    ]
    const { stderr } = await fit(...args, '9')
    const named = Number(/largest stable one is (\d+\.\d+)/.exec(stderr)?.[1])
    // E[x²] + E[x₁x₂] = 1/3 + 1/4.
    near(named, 2 / (7 / 12), 0.02)
    assert.equal((await fit(...args, String(named))).code, 0)
    assert.equal((await fit(...args, String(named * 1.001))).code, 3)
  })
})

describe('linear regression', () => {
  for (const flags of ['', '--no-standardize --learning-rate 1e-4 --steps 200 --tolerance 0']) {
    test(`has weights in the table's own units: ${flags || 'standardised'}`, async () => {
      const result = await fitted('houses.csv', '--target', 'price', ...flags.split(' ').filter(Boolean))
      const { area } = result.weights as { area: number }
      // Raw columns are so badly conditioned that 200 steps find little more than the main slope.
      const expected = leastSquares()
      if (flags !== '') return near(area, expected.area, 10)
      near(area, expected.area, 1e-3)
      near((result.weights as { age: number }).age, expected.age, 1e-3)
      near(result.intercept, expected.intercept, 0.1)
      assert.equal(result.converged, true)
    })
  }

  test('sgd, one row a step, comes within 1e-2 of least squares, the same in every run with a seed', async () => {
    const args = ['houses.csv', '--target', 'price', '--method', 'sgd', '--epochs', '50', '--seed', '4']
    const first = await fitted(...args)
    const second = await fitted(...args)
    const expected = leastSquares()
    near((first.weights as { area: number }).area / expected.area, 1, 1e-2)
    near((first.weights as { age: number }).age / expected.age, 1, 1e-2)
    assert.deepEqual(second.weights, first.weights)
    const other = await fitted(...args.slice(0, -1), '5')
    assert.notDeepEqual(other.weights, first.weights)
  })

  test('sgd by batches that do not divide the rows sees every epoch whole', async () => {
    const result = await fitted(
      'houses.csv',
      '--target',
      'price',
      '--method',
      'sgd',
      '--epochs',
      '3',
      '--batch-size',
      '7',
    )
    assert.equal(result.steps, Math.ceil((3 * numHouses) / 7))
  })

  test('sgd that diverges ends with exit code 3', async () => {
    const { code, stderr } = await fit('houses.csv', '--target', 'price', '--method', 'sgd', '--lr', '50')
    assert.equal(code, 3)
    assert.match(stderr, /diverged/)
  })

  test('a missing value is refused with its row, or dealt with as asked', async () => {
    const { code, stderr } = await fit('gaps.csv', '--target', 'y')
    assert.equal(code, 2)
    assert.match(stderr, /missing.*gaps\.csv, row 2, column "x"/)
    const dropped = await fitted('gaps.csv', '--target', 'y', '--missing', 'drop')
    assert.equal(dropped.rows, 3)
    assert.equal(dropped.rowsDropped, 1)
    const indicated = await fitted('gaps.csv', '--target', 'y', '--missing', 'indicator')
    assert.deepEqual(Object.keys(indicated.weights), ['x', 'x:missing'])
    assert.equal((await fitted('gaps.csv', '--target', 'y', '--missing', 'mean')).rows, 4)
  })
})

describe('classes', () => {
  test('two are told apart by logistic regression, whose gradient vanishes at the result', async () => {
    const result = await fitted('exam.csv', '--target', 'passed')
    assert.equal(result.model, 'logistic')
    assert.deepEqual(result.classes, ['false', 'true'])
    const { hours } = result.weights as { hours: number }
    const rows = readFileSync(path.join(folder, 'exam.csv'), 'utf8').trim().split('\n').slice(1)
    const errors = rows.map((row) => {
      const [x, passed] = row.split(',')
      return 1 / (1 + Math.exp(-(hours * Number(x) + (result.intercept as number)))) - (passed === 'true' ? 1 : 0)
    })
    near(errors.reduce((sum, error) => sum + error, 0) / rows.length, 0, 1e-4)
    near(rows.reduce((sum, row, index) => sum + errors[index] * Number(row.split(',')[0]), 0) / rows.length, 0, 1e-4)
  })

  test('more by softmax, with weights for each; the model saved predicts, and its table needs no target', async () => {
    const result = await fitted('flowers.csv', '--target', 'species', '--save', 'flowers.json')
    assert.equal(result.model, 'softmax')
    assert.deepEqual(Object.keys(result.weights), species)
    const weights = result.weights as Record<string, { length: number; 'color=red': number }>
    const intercept = result.intercept as Record<string, number>
    writeFiles(folder, { 'new.csv': 'color,length\nred,0.2\nblue,3.9\n' })
    const finished = await talweg(folder, 'predict', 'flowers.json', 'new.csv', '--json')
    assert.equal(finished.code, 0, finished.stderr)
    const [predicted] = linesOf(finished)
    assert.deepEqual(predicted.predictions, ['iris', 'rose'])
    const powers = species.map((name) =>
      Math.exp(intercept[name] + 0.2 * weights[name].length + weights[name]['color=red']),
    )
    const sum = powers.reduce((left, right) => left + right, 0)
    const [probabilities] = predicted.probabilities as number[][]
    for (const [index, power] of powers.entries()) near(probabilities[index], power / sum, 1e-6)
    const text = await talweg(folder, 'predict', 'flowers.json', 'new.csv')
    assert.match(text.stdout, /^prediction,probability:iris,probability:lily,probability:rose\niris,/)
    assert.equal((await talweg(folder, 'predict', 'flowers.json', 'new.csv', '--out', 'out.csv')).code, 0)
    assert.equal(readFileSync(path.join(folder, 'out.csv'), 'utf8'), text.stdout)
  })

  test('numbers are classes where --model says so', async () => {
    const result = await fitted('three.csv', '--target', 'y', '--model', 'softmax', '--steps', '10')
    assert.deepEqual(result.classes, ['1', '2', '3'])
  })
})

describe('a wrong request', () => {
  const wrong: readonly [what: string, args: readonly string[], message: RegExp][] = [
    ['a missing file', ['none.csv', '--target', 'y'], /none\.csv/],
    ['an empty file', ['empty.csv', '--target', 'y'], /empty.*empty\.csv/],
    ['no target', ['three.csv'], /--target is missing/],
    ['a target that the table lacks', ['three.csv', '--target', 'z'], /"z" is no column.*x1, x2, y.*three\.csv/],
    ['text in a column of numbers', ['text.csv', '--target', 'y'], /"three".*text\.csv, row 3, column "x"/],
    ['infinity in one', ['infinite.csv', '--target', 'y'], /inf.*infinite\.csv, row 3, column "x"/],
    ['an unknown column of categories', ['three.csv', '--target', 'y', '--categorical', 'x3'], /"x3" is no column/],
    ['text to be regressed on', ['flowers.csv', '--target', 'species', '--model', 'linear'], /column "species"/],
    ['two classes of three', ['flowers.csv', '--target', 'species', '--model', 'logistic'], /two classes.*has 3/],
    ['sgd’s flags with gd', ['three.csv', '--target', 'y', '--batch-size', '2'], /--batch-size is of --method sgd/],
    [
      'a batch larger than the table',
      ['three.csv', '--target', 'y', '--method', 'sgd', '--batch-size', '9'],
      /is 9.*3 rows/,
    ],
    [
      'both steps and epochs',
      ['three.csv', '--target', 'y', '--steps', '1', '--epochs', '1'],
      /both --steps and --epochs/,
    ],
    ['a rate of 0', ['three.csv', '--target', 'y', '--lr', '0'], /--learning-rate is 0/],
    ['a word for a rate', ['three.csv', '--target', 'y', '--lr', 'fast'], /a number of at least 0 or "auto"/],
    ['an unknown flag', ['three.csv', '--target', 'y', '--step', '3'], /did you mean --steps/],
  ]
  for (const [what, args, message] of wrong) {
    test(`${what}: exit code 2, one message, nothing written`, async () => {
      const before = readdirSync(folder)
      const { code, stdout, stderr } = await fit(...args, '--save', 'wrong.json')
      assert.match(stderr, message)
      assert.equal(stderr.trim().split('\n').length, 1, stderr)
      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.deepEqual(readdirSync(folder), before)
    })
  }

  test('predict refuses what is no model, another table, and an unseen category, and leaves no file', async () => {
    assert.equal((await fit('flowers.csv', '--target', 'species', '--steps', '5', '--save', 'model.json')).code, 0)
    writeFiles(folder, { 'unseen.csv': 'length,color\n1,red\n2,green\n' })
    const cases: readonly [string, string, RegExp][] = [
      ['none.json', 'flowers.csv', /no file "none\.json"/],
      ['flowers.csv', 'flowers.csv', /no model saved by talweg fit.*flowers\.csv/],
      ['model.json', 'three.csv', /needs "length".*three\.csv/],
      ['model.json', 'unseen.csv', /"green".*unseen\.csv, row 2, column "color"/],
    ]
    const before = readdirSync(folder)
    for (const [model, file, message] of cases) {
      const { code, stdout, stderr } = await talweg(folder, 'predict', model, file, '--out', 'wrong.csv')
      assert.match(stderr, message)
      assert.equal(code, 2)
      assert.equal(stdout, '')
    }
    assert.deepEqual(readdirSync(folder), before)
  })
})
