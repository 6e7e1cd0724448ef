/** `tune`: one search in one folder, from the start or from what its journal has to its end. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { TalwegError } from '../core/errors.js'
import { replaceFile } from '../exchange/disk.js'
import { Journal, journalName, type JournalHead, type Outcome } from './journal.js'
import { MemoryPool, threadsEach, trialsAtOnce } from './resources.js'
import { sampleSettings, shuffled, type Sampler } from './sampling.js'
import { runSearch, type JobLength, type SearchBudget, type SearchEnding } from './search.js'
import { isStructural, keyOf, readSpace, type Dimension, type TrialSettings } from './space.js'
import { Asha, Exhaustive, type Job, type Strategy } from './strategy.js'
import { drawReport } from './report.js'
import { rank, type TrialRow } from './table.js'
import { inspectTrial, trainTrial, type CommandLine, type TrialFacts } from './trialProcess.js'
import { readScore } from './score.js'

export interface TuneOptions {
  /** The training file. */
  readonly file: string
  /** Settings of all trials. */
  readonly overrides: Readonly<Record<string, unknown>>
  /** What is searched, as the command line has it; empty for what the file declares. */
  readonly specs: readonly string[]
  readonly sampler: Sampler
  /** One in so many goes on, by successive halving; undefined trains each trial to its end. */
  readonly reduction: number | undefined
  readonly numTrials: number | undefined
  readonly budget: SearchBudget
  /** By default the validation loss, or where nothing is held out the loss. */
  readonly metric: string | undefined
  readonly direction: 'minimize' | 'maximize' | undefined
  /** Of the search, not of its trials. */
  readonly seed: number
  readonly parallel: number | undefined
  readonly folder: string
  readonly command: CommandLine
  readonly stop: AbortController
  readonly observer: TuneObserver
}

export interface TuneObserver {
  /** One line that a user should know. */
  told(message: string): void
  started(start: { readonly numTrials: number; readonly parallel: number; readonly numKnown: number }): void
  finished(outcome: Outcome): void
}

export interface TuneResult {
  readonly ending: SearchEnding
  readonly head: JournalHead
  readonly space: readonly Dimension[]
  readonly outcomes: readonly Outcome[]
  readonly trials: readonly TrialRow[]
  /** Undefined where none came to its end. */
  readonly best: TrialRow | undefined
  /** What `train --settings` reads, where there is a best. */
  readonly settingsFile: string | undefined
  /** A page of plots. */
  readonly report: string
}

/** @throws INVALID_SETTING, UNKNOWN_SETTING, FILE_NOT_FOUND, CHECKPOINT_MISMATCH, TRIAL_FAILED, DISK_FULL */
export async function tune(options: TuneOptions): Promise<TuneResult> {
  const { folder, observer, stop } = options
  await mkdir(path.join(folder, 'trials'), { recursive: true })
  const trials = new Trials(options)
  const base = await trials.facts({})
  const space = readSpace(options.specs, base.tunables)
  trials.searched(space)
  const sampled = sampleSettings(options.sampler, space, options.numTrials, options.seed)
  const settings = options.reduction === undefined ? sampled : shuffled(sampled, options.seed)
  const strategy = strategyOf(options, settings.length)
  const wanted = await headOf(options, base, space, settings.length)
  const journal = await Journal.open(folder, wanted)
  const outcomes: Outcome[] = []
  try {
    const { parallel } = journal.head
    observer.started({ numTrials: settings.length, parallel, numKnown: journal.outcomes.length })
    const ending = await runSearch({
      strategy,
      settings,
      journal,
      budget: options.budget,
      worker: (job, own, length) => trials.train(job, own, length, journal.head),
      planOf: (own) => trials.facts(own),
      stop,
      onOutcome: (outcome, isNew) => {
        outcomes.push(outcome)
        if (isNew) observer.finished(outcome)
      },
    })
    return await conclude(options, journal.head, space, outcomes, ending)
  } finally {
    await journal.close()
  }
}

function strategyOf({ reduction }: TuneOptions, numTrials: number): Strategy {
  return reduction === undefined ? new Exhaustive(numTrials) : new Asha(numTrials, reduction)
}

async function headOf(
  { file, overrides, sampler, reduction, metric, direction, seed, parallel }: TuneOptions,
  base: TrialFacts,
  space: readonly Dimension[],
  numTrials: number,
): Promise<JournalHead> {
  const chosen = metric ?? (base.validates ? 'validationLoss' : 'loss')
  const threads = typeof overrides.threads === 'number' ? overrides.threads : undefined
  return {
    kind: 'search',
    version: 1,
    fileSha256: createHash('sha256')
      .update(await readFile(file))
      .digest('hex'),
    sampler,
    strategy: reduction === undefined ? 'exhaustive' : 'asha',
    reduction: reduction ?? 1,
    space: space.map((dimension) => ({ ...dimension })),
    overrides: { ...overrides },
    metric: chosen,
    direction: direction ?? (/accuracy/i.test(chosen) ? 'maximize' : 'minimize'),
    numTrials,
    seed,
    parallel: parallel ?? trialsAtOnce(threads, base.memoryBytes, numTrials),
  }
}

/** The trials' processes, with what is known of each. */
class Trials {
  readonly #options: TuneOptions
  readonly #facts = new Map<string, Promise<TrialFacts>>()
  readonly #memory = new MemoryPool()
  #structural: ReadonlySet<string> = new Set()

  constructor(options: TuneOptions) {
    this.#options = options
  }

  /** Says which settings can change what a trial takes. */
  searched(space: readonly Dimension[]): void {
    this.#structural = new Set(space.filter(isStructural).map(({ name }) => name))
  }

  /** Asked once for all trials that are alike in it. */
  facts(settings: TrialSettings): Promise<TrialFacts> {
    const own = Object.fromEntries(Object.entries(settings).filter(([name]) => this.#structural.has(name)))
    const key = keyOf(own)
    const found = this.#facts.get(key) ?? this.#inspect(own, `plan-${this.#facts.size}.json`)
    this.#facts.set(key, found)
    return found
  }

  async #inspect(own: TrialSettings, name: string): Promise<TrialFacts> {
    const { command, file, folder, overrides, stop } = this.#options
    const settingsFile = path.join(folder, name)
    await replaceFile(settingsFile, JSON.stringify({ ...overrides, ...own }))
    return inspectTrial(command, file, settingsFile, stop.signal)
  }

  async train(job: Job, settings: TrialSettings, length: JobLength, head: JournalHead): Promise<Outcome | undefined> {
    const { command, file, folder, overrides, stop } = this.#options
    const { memoryBytes, batchSize, validates } = await this.facts(settings)
    const release = await this.#memory.take(memoryBytes)
    try {
      if (stop.signal.aborted) return undefined
      const start = performance.now()
      const place = trialFolder(folder, job.trial)
      const settingsFile = `${place}.json`
      const given = { threads: threadsEach(head.parallel), ...overrides, ...settings, ...rhythm(length, validates) }
      await replaceFile(settingsFile, `${JSON.stringify(given)}\n`)
      const status = await trainTrial(command, file, settingsFile, place, stop.signal)
      if (status === 'stopped') return undefined
      const { score, step } = await readScore(place, head.metric, status)
      return {
        kind: 'outcome',
        trial: job.trial,
        rung: job.rung,
        settings,
        status,
        score,
        step,
        samples: step * batchSize,
        seconds: Number(((performance.now() - start) / 1000).toFixed(3)),
        elapsedSeconds: 0,
      }
    } finally {
      release()
    }
  }
}

/** A rung ends where a report is due, so that a trial that goes on has measured what one that never paused would have. */
function rhythm({ untilStep, totalSteps, unitSteps }: JobLength, validates: boolean): Record<string, number> {
  if (unitSteps === totalSteps) return {}
  return { stopAtStep: untilStep, [validates ? 'validateEvery' : 'reportEvery']: unitSteps }
}

export function trialFolder(folder: string, trial: number): string {
  return path.join(folder, 'trials', String(trial + 1).padStart(4, '0'))
}

async function conclude(
  { folder, overrides }: TuneOptions,
  head: JournalHead,
  space: readonly Dimension[],
  outcomes: readonly Outcome[],
  ending: SearchEnding,
): Promise<TuneResult> {
  const trials = rank(outcomes, head.direction)
  const [first] = trials
  const best = first?.score === null ? undefined : first
  const settingsFile = best === undefined ? undefined : path.join(folder, 'best.json')
  if (best !== undefined && settingsFile !== undefined)
    await replaceFile(settingsFile, `${JSON.stringify({ ...overrides, ...best.settings }, undefined, 2)}\n`)
  const report = path.join(folder, 'tune.html')
  const title = path.basename(path.resolve(folder))
  const folderOf = (trial: number): string => trialFolder(folder, trial)
  await replaceFile(report, await drawReport({ title, head, space, outcomes, trials, folderOf }))
  return { ending, head, space, outcomes, trials, best, settingsFile, report }
}

/** @throws RUN_EXISTS where there is a search in the folder and it is not to be gone on with */
export function checkFolder(folder: string, resume: boolean): void {
  if (resume || !existsSync(path.join(folder, journalName))) return
  throw new TalwegError({
    code: 'RUN_EXISTS',
    operation: 'tune',
    problem: 'there is a search in this folder already',
    hint: 'go on with it by --resume, or name another with --run',
    place: { file: folder },
  })
}
