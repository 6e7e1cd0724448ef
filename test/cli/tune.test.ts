/** `tune` as a user runs it: grids, halving, tunables, what diverges, kills at any moment, what is said of bad input. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { linesOf, start, talweg, temporaryFolder, tinyTraining, writeFiles, type Finished } from './support/talweg.js'

const folder = temporaryFolder('tune')
const tunableTraining = tinyTraining
  .replace('optim }', 'optim, tunable }')
  .replace(
    'const x',
    `const width = tunable('width', { low: 4, high: 64, scale: 'log', integer: true, default: 8 })\nconst x`,
  )
  .replace('hidden: [8]', 'hidden: [width]')
writeFiles(folder, { 'tiny.ts': tinyTraining, 'wide.ts': tunableTraining })

interface Found {
  readonly ending: string
  readonly trials: readonly Record<string, unknown>[]
  readonly best: { readonly settings: Record<string, unknown>; readonly flag: string; readonly settingsFile: string; readonly score: number } // prettier-ignore
  readonly samples: number
}

function foundBy(finished: Finished): Found {
  assert.equal(finished.code, 0, finished.stderr)
  return linesOf(finished)[0] as unknown as Found
}

/** A page that asks for nothing from anywhere, with these plots, each with something in it. */
function assertReport(file: string, titles: readonly string[]): void {
  const page = readFileSync(path.join(folder, file), 'utf8')
  assert.doesNotMatch(page, /<script|<link|<img|url\((?!#)|@import|(?:src|href)="(?!#)/)
  const pictures = [...page.matchAll(/<figure><svg[^]*?<\/svg><\/figure>/g)].map(([picture]) => picture)
  assert.equal(pictures.length, titles.length)
  for (const [index, title] of titles.entries()) {
    assert(pictures[index].includes(title), title)
    assert((pictures[index].match(/<path/g) ?? []).length > 8)
    assert.doesNotMatch(pictures[index], /NaN|Infinity|undefined/)
  }
}

describe('a grid', () => {
  test('of learning rates: a diverged one is a result, the best can be pasted and read from a file', async () => {
    const found = foundBy(await talweg(folder, 'tune', 'tiny.ts', '--grid', 'learningRate=1e-3:1e5:log:3', '--run', 'rates', '--json')) // prettier-ignore
    assert.equal(found.trials.length, 3)
    assert.deepEqual(found.trials.map(({ status }) => status), ['done', 'done', 'diverged']) // prettier-ignore
    assert.equal(found.best.flag, `--learning-rate ${String(found.best.settings.learningRate)}`)
    const again = await talweg(folder, 'train', 'tiny.ts', '--settings', found.best.settingsFile, '--run', 'again', '--json') // prettier-ignore
    assert.equal(linesOf(again).at(-1)?.validationLoss, found.best.score)
  })

  test('without --resume leaves another search alone; with it repeats nothing', async () => {
    const args = ['tune', 'tiny.ts', '--grid', 'learningRate=1e-3,1e-2', '--run', 'once', '--json']
    const first = foundBy(await talweg(folder, ...args))
    const refused = await talweg(folder, ...args)
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /there is a search in this folder already\. Hint: go on with it by --resume/)
    const journal = readFileSync(path.join(folder, 'once/journal.jsonl'), 'utf8')
    assert.deepEqual(foundBy(await talweg(folder, ...args, '--resume')), first)
    assert.equal(readFileSync(path.join(folder, 'once/journal.jsonl'), 'utf8'), journal)
  })

  test('goes by another metric, and names those that there are', async () => {
    const args = ['tune', 'tiny.ts', '--grid', 'learningRate=1e-3,1e-2', '--metric']
    const found = foundBy(await talweg(folder, ...args, 'loss', '--run', 'by-loss', '--json'))
    assert.equal(found.best.settings.learningRate, 0.01)
    const unknown = await talweg(folder, ...args, 'lss', '--run', 'by-lss')
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /has none\. Hint: it has .*validationLoss/)
  })
})

test('halving over several settings is drawn rung by rung, and as lines through the settings', async () => {
  const args = ['--random', '--range', 'learningRate=1e-3:1e5:log', '--range', 'precision=f32,bf16']
  foundBy(await talweg(folder, 'tune', 'tiny.ts', ...args, '--asha', '--trials', '6', '--run', 'drawn', '--json'))
  const titles = ['validationLoss by learningRate', 'validationLoss by precision', 'validationLoss by step']
  assertReport('drawn/tune.html', [...titles, 'validationLoss at each rung', 'settings and what they came to'])
})

test('a range test raises the rate until the loss rises, and suggests one below that', async () => {
  const finished = await talweg(folder, 'tune', 'tiny.ts', '--range-test', '--range', 'learningRate=1e-5:10:log', '--run', 'range', '--json') // prettier-ignore
  assert.equal(finished.code, 0, finished.stderr)
  const found = linesOf(finished)[0] as unknown as { points: { learningRate: number; loss: number }[]; suggestion: number; lowest: number } // prettier-ignore
  const { points, suggestion, lowest } = found
  assert.equal(points.length, 200)
  assert(Math.abs(points[0].learningRate - 1e-5) < 1e-10 && Math.abs(points[199].learningRate - 10) < 1e-4)
  for (const [index, { learningRate }] of points.slice(1).entries())
    assert(Math.abs(learningRate / points[index].learningRate - 1e6 ** (1 / 199)) < 1e-4)
  assert(1e-4 < suggestion && suggestion < lowest && lowest < 10, `${suggestion}, ${lowest}`)
  assert.match(readFileSync(path.join(folder, 'range/range-test.svg'), 'utf8'), /learning rate/)
  const both = await talweg(folder, 'tune', 'tiny.ts', '--range-test', '--asha')
  assert.equal(both.code, 2)
  assert.match(both.stderr, /--asha and --range-test are given/)
})

describe('tunables', () => {
  test('are searched where nothing else is named, and reached by --set', async () => {
    const found = foundBy(await talweg(folder, 'tune', 'wide.ts', '--sobol', '--trials', '3', '--run', 'wide', '--json')) // prettier-ignore
    assertReport('wide/tune.html', ['validationLoss by width', 'validationLoss by step'])
    assert.deepEqual(Object.keys(found.best.settings), ['width'])
    assert.equal(found.best.flag, `--set width=${String(found.best.settings.width)}`)
    const inspected = await talweg(folder, 'inspect', 'wide.ts', '--set', 'width=16', '--json')
    assert.equal(linesOf(inspected)[0].numParameters, 16 * 3 + 16 + 16 + 1)
  })

  test('of a run are those of its model, also when it goes on', async () => {
    const first = await talweg(
      folder,
      'train',
      'wide.ts',
      '--set',
      'width=16',
      '--set',
      'stopAtStep=20',
      '--run',
      'half',
    )
    assert.equal(first.code, 6, first.stderr)
    assert.equal(
      (await talweg(folder, 'train', 'wide.ts', '--set', 'stopAtStep=40', '--run', 'half', '--resume')).code,
      0,
    )
    await talweg(folder, 'train', 'wide.ts', '--set', 'width=16', '--run', 'one-go')
    const compared = await talweg(folder, 'compare', 'half', 'one-go')
    assert.equal(compared.code, 0, compared.stdout)
  })

  test('out of range, unknown or declared wrongly are refused with the line', async () => {
    const wide = await talweg(folder, 'train', 'wide.ts', '--set', 'width=300')
    assert.equal(wide.code, 2)
    assert.match(wide.stderr, /width is 300; it takes a whole number from 4 to 64\. At wide\.ts:3/)
    assert.match((await talweg(folder, 'train', 'wide.ts', '--set', 'widht=8')).stderr, /did you mean width/)
    writeFiles(folder, { 'wrong.ts': tunableTraining.replace('default: 8', 'default: 80') })
    assert.match((await talweg(folder, 'train', 'wrong.ts')).stderr, /the default of "width" is 80.*At wrong\.ts:3/)
  })
})

describe('a failure that is no result', () => {
  test("ends the search with the training's own message", async () => {
    writeFiles(folder, { 'broken.ts': tinyTraining.replace('batch.y)', 'batch.z)') })
    const finished = await talweg(folder, 'tune', 'broken.ts', '--grid', 'learningRate=1e-3,1e-2', '--run', 'broken')
    assert.equal(finished.code, 1)
    assert.match(finished.stderr, /tune: a trial ended with exit code 2 .*"z"/)
  })

  test('a wrong line of flags says what goes together', async () => {
    for (const [args, message] of [
      [['--random', '--sobol'], /both --random and --sobol/],
      [['--random', '--grid', 'learningRate=1,2'], /by --range/],
      [['--range', 'learningRate=1:2'], /--range is given without/],
      [['--reduction', '3'], /--reduction is of --asha/],
      [[], /nothing is said of what to search/],
    ] as const) {
      const finished = await talweg(folder, 'tune', 'tiny.ts', ...args, '--run', 'none')
      assert.equal(finished.code, 2)
      assert.match(finished.stderr, message)
    }
  })
})

test('killed at several moments and started again, a search ends in the table of one never killed', async () => {
  writeFiles(folder, { 'longer.ts': tinyTraining.replace('steps: 40', 'steps: 20000') })
  const args = ['tune', 'longer.ts', '--random', '--range', 'learningRate=1e-4:1e-1:log', '--asha', '--trials', '6', '--json'] // prettier-ignore
  const whole = foundBy(await talweg(folder, ...args, '--run', 'whole'))
  let numKilled = 0
  for (const delayMs of [700, 1200, 1700, 2500]) {
    const running = start(folder, [...args, '--run', 'killed', '--resume'])
    const ended = running.finished.then(() => true)
    if (await Promise.race([ended, sleep(delayMs, false)])) break
    running.process.kill('SIGKILL')
    await running.finished
    numKilled++
  }
  assert(numKilled > 0)
  const after = foundBy(await talweg(folder, ...args, '--run', 'killed', '--resume'))
  const comparable = (found: Found): object => ({ ...found, best: undefined, run: '', report: '' })
  assert.deepEqual(comparable(after), comparable(whole))
  assert.equal(existsSync(path.join(folder, 'killed/trials/0001/.lock')), false)
})
