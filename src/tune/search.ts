/**
 * The search: takes jobs from the strategy, has them done as far as cores and memory go, and tells it what came of them.
 *
 * Strategies decide by what is done, and which of two trials is done first is a matter of the clock. Here it is not: jobs end,
 * for the strategy, in the order in which they would if each took as long as its samples are many. So a search asks for the
 * same jobs whenever it is run, and one that was killed goes on as if it had not been: outcomes that the journal has are
 * told again, at no cost.
 */
import { performance } from 'node:perf_hooks'
import type { Job, Strategy } from './strategy.js'
import type { Journal, Outcome } from './journal.js'
import type { TrialSettings } from './space.js'

/** Does a job. Undefined where it was stopped before its end. */
export type Worker = (job: Job, settings: TrialSettings, length: JobLength) => Promise<Outcome | undefined>

/** How far a job goes. */
export interface JobLength {
  /** Where it ends: a step of the trial's training. */
  readonly untilStep: number
  readonly totalSteps: number
  /** Steps of the first rung, of which all rungs but the last are multiples. */
  readonly unitSteps: number
  /** Samples that are seen by this job. */
  readonly samples: number
}

export interface SearchBudget {
  readonly samples: number | undefined
  readonly seconds: number | undefined
}

export type SearchEnding = 'done' | 'budget' | 'stopped'

export interface SearchParts {
  readonly strategy: Strategy
  readonly settings: readonly TrialSettings[]
  readonly journal: Journal
  readonly budget: SearchBudget
  readonly worker: Worker
  /** A trial's whole training. */
  readonly planOf: (settings: TrialSettings) => Promise<{ readonly totalSteps: number; readonly batchSize: number }>
  readonly stop: AbortController
  readonly onOutcome: (outcome: Outcome, isNew: boolean) => void
}

interface Running {
  readonly job: Job
  /** By the strategy's own time. */
  readonly endsAt: number
  readonly outcome: Promise<Outcome | undefined>
}

/** @returns why it ended; all that came of it is in the journal */
export async function runSearch(parts: SearchParts): Promise<SearchEnding> {
  return new Search(parts).run()
}

/** Smaller is better. */
export function costOf({ status, score }: Outcome, direction: 'minimize' | 'maximize'): number | undefined {
  if (score === null || (status !== 'done' && status !== 'paused')) return undefined
  return direction === 'minimize' ? score : -score
}

class Search {
  readonly #parts: SearchParts
  readonly #known: ReadonlyMap<string, Outcome>
  readonly #start = performance.now()
  readonly #secondsBefore: number
  #time = 0
  #samples = 0
  #isOutOfBudget = false

  constructor(parts: SearchParts) {
    this.#parts = parts
    const { outcomes } = parts.journal
    this.#known = new Map(outcomes.map((outcome) => [nameOf(outcome), outcome]))
    this.#secondsBefore = outcomes.at(-1)?.elapsedSeconds ?? 0
  }

  async run(): Promise<SearchEnding> {
    const { strategy, journal, stop } = this.#parts
    const timer = this.#watchTime()
    const running: Running[] = []
    let isStopped = false
    try {
      for (;;) {
        while (running.length < journal.head.parallel && !stop.signal.aborted && !this.#isOutOfBudget) {
          const job = strategy.next()
          if (job === undefined) break
          const started = await this.#begin(job)
          if (started === undefined) break
          running.push(started)
        }
        isStopped = stop.signal.aborted
        if (running.length === 0) break
        const next = running.reduce((first, other) => (other.endsAt < first.endsAt ? other : first))
        const outcome = await next.outcome
        running.splice(running.indexOf(next), 1)
        if (outcome === undefined) return this.#isOutOfBudget ? 'budget' : 'stopped'
        this.#time = next.endsAt
        strategy.tell({ ...next.job, cost: costOf(outcome, journal.head.direction) })
      }
    } finally {
      clearTimeout(timer)
      stop.abort()
      await Promise.allSettled(running.map(({ outcome }) => outcome))
    }
    return this.#isOutOfBudget ? 'budget' : isStopped ? 'stopped' : 'done'
  }

  /** Stops all at the end of the time that there is. */
  #watchTime(): NodeJS.Timeout | undefined {
    const { seconds } = this.#parts.budget
    if (seconds === undefined) return undefined
    const end = (): void => {
      this.#isOutOfBudget = true
      this.#parts.stop.abort()
    }
    return setTimeout(end, Math.max(0, seconds - this.#secondsBefore) * 1000)
  }

  /** Undefined where there is no budget left for it. */
  async #begin(job: Job): Promise<Running | undefined> {
    const { settings, planOf, budget } = this.#parts
    const { totalSteps, batchSize } = await planOf(settings[job.trial])
    const length = this.#lengthOf(job, totalSteps, batchSize)
    if (this.#samples + length.samples > (budget.samples ?? Infinity)) {
      this.#isOutOfBudget = true
      return undefined
    }
    this.#samples += length.samples
    const endsAt = this.#time + length.samples
    const outcome = this.#outcomeOf(job, length)
    // A failure is thrown where the job's turn comes.
    outcome.catch(() => undefined)
    return { job, endsAt, outcome }
  }

  async #outcomeOf(job: Job, length: JobLength): Promise<Outcome | undefined> {
    const { settings, journal, worker, onOutcome } = this.#parts
    const known = this.#known.get(nameOf(job))
    if (known !== undefined) {
      onOutcome(known, false)
      return known
    }
    const found = await worker(job, settings[job.trial], length)
    if (found === undefined) return undefined
    const elapsedSeconds = this.#secondsBefore + (performance.now() - this.#start) / 1000
    const outcome = { ...found, elapsedSeconds: Number(elapsedSeconds.toFixed(3)) }
    await journal.append(outcome)
    onOutcome(outcome, true)
    return outcome
  }

  #lengthOf({ rung, divisions }: Job, totalSteps: number, batchSize: number): JobLength {
    const { reduction, numPromotions } = this.#parts.strategy
    const unitSteps = Math.max(1, Math.floor(totalSteps / reduction ** numPromotions))
    const stepsAt = (numDivisions: number): number =>
      numDivisions <= 0 ? totalSteps : Math.min(totalSteps, unitSteps * reduction ** (numPromotions - numDivisions))
    const untilStep = stepsAt(divisions)
    const fromStep = rung === 0 ? 0 : stepsAt(divisions + 1)
    return { untilStep, totalSteps, unitSteps, samples: Math.max(0, untilStep - fromStep) * batchSize }
  }
}

function nameOf({ trial, rung }: { readonly trial: number; readonly rung: number }): string {
  return `${trial}.${rung}`
}
