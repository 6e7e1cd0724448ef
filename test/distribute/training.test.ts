/** A training on several workers: the bits of one worker, and a refusal of workers that don't train the same. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { lackingNative } from '../engines/support/native.js'
import { lackingMpirun, runWorkers } from './support/mpirun.js'

const skip = (await lackingNative()) ?? lackingMpirun ?? false
const runs = mkdtempSync(path.join(tmpdir(), 'talweg-workers-'))
after(() => rmSync(runs, { recursive: true, force: true }))

async function runTraining(numWorkers: number, name: string, settings: object): Promise<void> {
  const folder = path.join(runs, name)
  const { status, stderr } = await runWorkers(numWorkers, 'training.ts', [folder, JSON.stringify(settings)])
  assert.equal(status, 0, stderr)
}

/** The sum of all that is in a run's checkpoint. */
function digest(name: string, step: number): string {
  const folder = path.join(runs, name, 'checkpoints', `step-${String(step).padStart(8, '0')}`)
  const hash = createHash('sha256')
  for (const file of readdirSync(folder).sort()) hash.update(file).update(readFileSync(path.join(folder, file)))
  return hash.digest('hex')
}

/** What was reported, without what a clock says, and what workers say of each other. */
function reports(name: string): unknown[] {
  const lines = readFileSync(path.join(runs, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
  return lines.map((line) => {
    const report = Object.entries(JSON.parse(line) as Record<string, number>)
    return Object.fromEntries(report.filter(([name]) => !/second|bytesSent/i.test(name)))
  })
}

describe('a training of 8 virtual shards', { skip }, () => {
  test('has the same checkpoints and reports on 1, 3 and 8 workers', async () => {
    for (const numWorkers of [1, 3, 8]) await runTraining(numWorkers, `on${numWorkers}`, { shards: 8 })
    for (const numWorkers of [3, 8]) {
      for (const step of [6, 12]) assert.equal(digest(`on${numWorkers}`, step), digest('on1', step))
      assert.deepEqual(reports(`on${numWorkers}`), reports('on1'))
    }
  })

  test('goes on with another number of workers to the same checkpoints', async () => {
    await runTraining(1, 'whole', { shards: 8, accumulate: 2 })
    await runTraining(4, 'changed', { shards: 8, accumulate: 2, stopAtStep: 6 })
    await runTraining(2, 'changed', { resume: true, stopAtStep: 12 })
    assert.equal(digest('changed', 12), digest('whole', 12))
  })
})

describe('workers', { skip }, () => {
  test('share a batch by their number where nothing is said, and the run remembers it', async () => {
    await runTraining(2, 'two', { steps: 3 })
    const { overrides } = JSON.parse(readFileSync(path.join(runs, 'two', 'training.json'), 'utf8')) as { overrides: object } // prettier-ignore
    assert.deepEqual(overrides, { steps: 3, shards: 2 })
  })

  test('with other settings are refused, naming the worker and what differs', async () => {
    const settings = JSON.stringify({ shards: 8 })
    const folder = path.join(runs, 'odd')
    const { status, stderr } = await runWorkers(2, 'training.ts', [folder, settings, '1', '{"learningRate":0.5}'])
    assert.equal(status, 2, stderr)
    assert.match(stderr, /WORLD_MISMATCH: workers: the flag learningRate differs: worker 0 on \S+ has not given, worker 1 on \S+ has 0.5/) // prettier-ignore
  })

  test('more than there are shards are refused', async () => {
    const { status, stderr } = await runWorkers(3, 'training.ts', [path.join(runs, 'many'), '{"shards":2}'])
    assert.equal(status, 2, stderr)
    assert.match(stderr, /2 shards can't be shared by 3 workers/)
  })
})
