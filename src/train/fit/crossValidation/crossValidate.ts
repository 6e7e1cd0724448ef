/**
 * Cross-validation of learning rates: what is held out costs how much, split by split, for each rate; the best rate, and the
 * slowest that is as good as that to one standard error.
 */
import { TalwegError } from '../../../core/errors.js'
import { descendTogether, scoreTogether, type Candidates } from './candidates.js'
import { descendByMoments, hasFewMoments } from './moments.js'
import type { Folds } from './folds.js'

export interface CrossValidation {
  readonly metric: 'meanSquaredError' | 'logLoss'
  readonly splits: readonly { readonly training: number; readonly heldOut: number }[]
  readonly rates: readonly RateScore[]
  readonly best: number
  /**
   * Of rates whose mean is within a standard error of the best one's, the one that has gone least far from where it began.
   * Descents that converged have all gone as far; where there are no others it is the best.
   */
  readonly oneStandardError: number
  readonly seconds: number
}

export interface RateScore {
  readonly learningRate: number
  /** By split; null where it diverged. In the target's own units. */
  readonly scores: readonly (number | null)[]
  readonly mean: number | null
  readonly standardError: number | null
  /** By split, for classes: the share of held-out rows that are right. */
  readonly accuracies?: readonly (number | null)[]
  /** By split. */
  readonly steps: readonly number[]
  readonly converged: boolean
}

/** Means that differ by less than this part of a standard error differ by when their descents stopped. */
const sameMean = 0.01

/** @throws DIVERGED where all rates do */
export async function crossValidate(
  candidates: Candidates,
  limits: { readonly steps: number; readonly tolerance: number; readonly shouldStop: () => boolean },
  targetScale: number,
): Promise<CrossValidation> {
  const start = performance.now()
  const { folds, rates, model } = candidates
  const descend = hasFewMoments(candidates) ? descendByMoments : descendTogether
  const { progress, weights } = await descend(candidates, limits)
  const { losses, correct } = await scoreTogether(candidates, weights)
  // The objective is half a square; what is reported is the square.
  const unit = model.kind === 'linear' ? 2 * targetScale ** 2 : 1
  const found = rates.map((learningRate, rate): RateScore => {
    const places = folds.splits.map((_, split) => split * rates.length + rate)
    const scores = places.map((place, split) => {
      const score = (unit * losses[place]) / folds.splits[split].numHeldOut
      return progress.diverged[place] || !Number.isFinite(score) ? null : score
    })
    const steps = places.map((place) => progress.steps[place])
    const accuracies = correct && places.map((place, split) => scores[split] === null ? null : correct[place] / folds.splits[split].numHeldOut) // prettier-ignore
    const converged = places.every((place) => progress.converged[place])
    return { learningRate, scores, ...meanOf(scores), ...(accuracies && { accuracies }), steps, converged }
  })
  const best = bestOf(found)
  return {
    metric: model.kind === 'linear' ? 'meanSquaredError' : 'logLoss',
    splits: splitsOf(folds),
    rates: found,
    best: best.learningRate,
    oneStandardError: simplestOf(found, best),
    seconds: (performance.now() - start) / 1000,
  }
}

function splitsOf({ splits }: Folds): CrossValidation['splits'] {
  return splits.map(({ numTraining, numHeldOut }) => ({ training: numTraining, heldOut: numHeldOut }))
}

function meanOf(scores: readonly (number | null)[]): Pick<RateScore, 'mean' | 'standardError'> {
  const known = scores.filter((score) => score !== null)
  if (known.length < scores.length) return { mean: null, standardError: null }
  const mean = known.reduce((sum, score) => sum + score, 0) / known.length
  const variance = known.reduce((sum, score) => sum + (score - mean) ** 2, 0) / (known.length - 1)
  return { mean, standardError: Math.sqrt(variance / known.length) }
}

/** The least mean; of rates that came to the same, the one that took the fewest steps. */
function bestOf(rates: readonly RateScore[]): RateScore {
  const means = rates.flatMap(({ mean }) => mean ?? [])
  if (means.length === 0) {
    throw new TalwegError({
      code: 'DIVERGED',
      operation: 'fit',
      problem: `gradient descent diverges with each of the ${rates.length} learning rates, ${rates[0].learningRate} among them`,
      hint: 'use smaller ones, or --learning-rate auto',
    })
  }
  const least = Math.min(...means)
  const { standardError } = rates.find(({ mean }) => mean === least) ?? rates[0]
  const mostSteps = ({ steps }: RateScore): number => Math.max(...steps)
  return rates
    .filter(({ mean }) => mean !== null && mean <= least + sameMean * (standardError ?? 0))
    .reduce((first, other) => (mostSteps(other) < mostSteps(first) ? other : first))
}

function simplestOf(rates: readonly RateScore[], best: RateScore): number {
  const limit = (best.mean ?? 0) + (best.standardError ?? 0)
  const early = rates.filter(({ mean, converged }) => mean !== null && mean <= limit && !converged)
  return early.length === 0 ? best.learningRate : Math.min(...early.map(({ learningRate }) => learningRate))
}
