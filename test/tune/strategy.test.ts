/** Successive halving as the paper has it; a search whose strategy decides the same whatever the clock does. */
import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { Journal, journalName, type JournalHead, type Outcome } from '../../src/tune/journal.js'
import { runSearch, type SearchEnding } from '../../src/tune/search.js'
import { Asha, Exhaustive, type Strategy } from '../../src/tune/strategy.js'
import { rank } from '../../src/tune/table.js'
import { temporaryFolder } from '../support/folder.js'

const folder = temporaryFolder('strategy')
let numFolders = 0

const head: JournalHead = {
  kind: 'search',
  version: 1,
  fileSha256: '',
  sampler: 'random',
  strategy: 'asha',
  reduction: 3,
  space: [],
  overrides: {},
  metric: 'loss',
  direction: 'minimize',
  numTrials: 27,
  seed: 0,
  parallel: 3,
}

interface Ran {
  readonly ending: SearchEnding
  readonly journal: string
  readonly table: ReturnType<typeof rank>
  /** Jobs that were done rather than read from the journal. */
  readonly numDone: number
}

interface SearchOptions {
  readonly strategy?: Strategy
  readonly place?: string
  readonly delayMs?: (trial: number) => number
  readonly samples?: number
  /** Stops in the middle, as a crash does: what comes after is not written. */
  readonly crashAfter?: number
}

/** A search over trials whose losses are known: trial 13 is the best, every seventh diverges. */
async function search({
  strategy = new Asha(27, 3),
  place = path.join(folder, String(numFolders++)),
  delayMs = () => 0,
  samples,
  crashAfter = Infinity,
}: SearchOptions): Promise<Ran> {
  const journal = await Journal.open(place, head)
  const outcomes: Outcome[] = []
  let numDone = 0
  const stop = new AbortController()
  const ending = await runSearch({
    strategy,
    settings: Array.from({ length: 27 }, (_, trial) => ({ trial })),
    journal,
    budget: { samples, seconds: undefined },
    planOf: async () => ({ totalSteps: 270, batchSize: 2 }),
    stop,
    onOutcome: (outcome) => void outcomes.push(outcome),
    worker: async ({ trial, rung }, settings, { untilStep, totalSteps }) => {
      await sleep(delayMs(trial))
      if (numDone >= crashAfter) return undefined
      numDone++
      const isLost = trial % 7 === 6
      return {
        kind: 'outcome',
        trial,
        rung,
        settings,
        status: isLost ? 'diverged' : untilStep === totalSteps ? 'done' : 'paused',
        score: isLost ? null : Math.abs(((trial * 10) % 27) - 12) + 100 / untilStep,
        step: untilStep,
        samples: 2 * untilStep,
        seconds: 0,
        elapsedSeconds: 0,
      }
    },
  })
  await journal.close()
  return { ending, journal: path.join(place, journalName), table: rank(outcomes, 'minimize'), numDone }
}

describe('asynchronous successive halving', () => {
  test('trains few to the end, the best of them, and no trial twice for the same steps', async () => {
    const { ending, table } = await search({})
    assert.equal(ending, 'done')
    assert.equal(table[0].trial, 13)
    assert.equal(table[0].status, 'done')
    assert(table.filter(({ status }) => status === 'done').length <= 4)
    const samples = table.reduce((sum, row) => sum + row.samples, 0)
    assert(samples < 0.2 * 27 * 540, `${samples} of ${27 * 540} samples`)
  })

  test('what diverged counts as worst and goes no further', async () => {
    const { table } = await search({})
    const lost = table.filter(({ status }) => status === 'diverged')
    assert.deepEqual(lost.map(({ trial }) => trial), [7, 14, 21]) // prettier-ignore
    assert(lost.every(({ rung, score }) => rung === 0 && score === null))
    assert.deepEqual(table.slice(-3), lost)
  })

  test('always brings one to the end, unless all diverge', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 60 }),
        fc.integer({ min: 2, max: 5 }),
        fc.func(fc.nat(99)),
        (n, eta, cost) => {
          const asha = new Asha(n, eta)
          let top = 0
          for (let job = asha.next(); job !== undefined; job = asha.next()) {
            if (job.divisions === 0) top++
            asha.tell({ ...job, cost: cost(job.trial, job.rung) })
          }
          assert(top >= 1)
        },
      ),
    )
  })
})

describe('a search', () => {
  test('asks for the same jobs and gives the same table whichever trial is quick', async () => {
    const first = await search({})
    const other = await search({ delayMs: (trial) => (trial * 5) % 7 })
    assert.deepEqual(other.table, first.table)
  })

  test('killed anywhere, with a line cut short, repeats nothing and ends in the same table', async () => {
    const whole = await search({})
    for (const crashAfter of [0, 1, 9, 26, whole.numDone - 1]) {
      const place = path.join(folder, String(numFolders++))
      const before = await search({ place, crashAfter })
      assert.equal(before.ending, 'stopped')
      appendFileSync(before.journal, '{"kind":"outcome","trial":3,"ru')
      const after = await search({ place })
      assert.equal(before.numDone + after.numDone, whole.numDone)
      assert.deepEqual(after.table, whole.table)
    }
  })

  test('a journal that lost its last line does that job again, and no other', async () => {
    const whole = await search({})
    const place = path.dirname(whole.journal)
    const bytes = readFileSync(whole.journal)
    truncateSync(whole.journal, bytes.length - 5)
    const after = await search({ place })
    assert.equal(after.numDone, 1)
    assert.deepEqual(after.table, whole.table)
  })

  test('ends at its budget of samples, and goes on with a larger one', async () => {
    const place = path.join(folder, String(numFolders++))
    const strategy = (): Strategy => new Exhaustive(27)
    const first = await search({ place, strategy: strategy(), samples: 5 * 540 })
    assert.deepEqual([first.ending, first.numDone], ['budget', 5])
    const after = await search({ place, strategy: strategy() })
    assert.deepEqual([after.ending, after.numDone], ['done', 22])
  })

  test('of something else is refused by its journal', async () => {
    const { journal } = await search({})
    await assert.rejects(Journal.open(path.dirname(journal), { ...head, metric: 'accuracy' }), /metric is "accuracy"/)
    appendFileSync(journal, 'nonsense\n')
    await assert.rejects(Journal.open(path.dirname(journal), head), /a line of it is damaged.*:\d+/)
  })
})
