/** What a search found, best first: how far each trial came and what it measured there. */
import type { Outcome } from './journal.js'
import { costOf } from './search.js'
import type { TrialSettings } from './space.js'

/** A trial at the highest rung that it reached. Nothing in it is of the clock. */
export interface TrialRow {
  /** From 1, in the order of the search. */
  readonly trial: number
  readonly rung: number
  readonly settings: TrialSettings
  readonly status: Outcome['status']
  readonly score: number | null
  readonly step: number
  readonly samples: number
}

/** Those that came furthest first, of these the best; what diverged or did not fit comes last. */
export function rank(outcomes: readonly Outcome[], direction: 'minimize' | 'maximize'): TrialRow[] {
  const furthest = new Map<number, Outcome>()
  for (const outcome of outcomes) {
    const before = furthest.get(outcome.trial)
    if (before === undefined || before.rung < outcome.rung) furthest.set(outcome.trial, outcome)
  }
  const cost = (outcome: Outcome): number => costOf(outcome, direction) ?? Infinity
  const isRanked = (outcome: Outcome): number => (Number.isFinite(cost(outcome)) ? 0 : 1)
  return [...furthest.values()]
    .toSorted((a, b) => isRanked(a) - isRanked(b) || b.rung - a.rung || compare(cost(a), cost(b)) || a.trial - b.trial)
    .map(({ trial, rung, settings, status, score, step, samples }) => ({
      trial: trial + 1,
      rung,
      settings,
      status,
      score,
      step,
      samples,
    }))
}

function compare(left: number, right: number): number {
  return left === right ? 0 : left < right ? -1 : 1
}
