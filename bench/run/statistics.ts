/** From turns to what is printed: a system's seconds a step, and its ratio to Talweg, pair by pair. */
import type { Precision } from '../cases/index.js'

export interface SystemResult {
  readonly case: string
  readonly precision: Precision
  readonly system: string
  readonly secondsPerStep: { readonly median: number; readonly minimum: number }
  /** This system's seconds over Talweg's of the same round. */
  readonly ratio: { readonly median: number; readonly minimum: number; readonly maximum: number }
  /** From the launch of a process to its first step's loss; median of several launches. */
  readonly firstStepSeconds: number | null
  readonly peakMemoryBytes: number | null
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** @param seconds a step's seconds in each round, as `reference` has Talweg's */
export function pairwise(
  seconds: readonly number[],
  reference: readonly number[],
): Pick<SystemResult, 'secondsPerStep' | 'ratio'> {
  const ratios = seconds.map((value, round) => value / reference[round])
  return {
    secondsPerStep: { median: median(seconds), minimum: Math.min(...seconds) },
    ratio: { median: median(ratios), minimum: Math.min(...ratios), maximum: Math.max(...ratios) },
  }
}
