/** Whether two systems compute the same: their losses over the first steps, from the same weights on the same batches. */
import { TalwegError } from '../../src/core/errors.js'
import type { Precision } from '../cases/index.js'

export type LossAt = readonly [step: number, loss: number]

/** Largest difference between losses, as a part of the loss. In bf16 two orders of rounding already differ by 2^-8. */
const allowedDifference: { readonly [P in Precision]: number } = { f32: 1e-4, bf16: 1e-2 }

/**
 * Losses of how many steps are averaged. In bf16 it is the curve that is compared: on a batch unlike those before it, rounding
 * alone moves a loss by percents (gpt-10m's 22nd: 3.65 in f32, 3.55 by Talweg and 3.49 by PyTorch in bf16).
 */
const numAveraged: { readonly [P in Precision]: number } = { f32: 1, bf16: 10 }

/** At each step the mean of the last so many losses. */
export function trailingMeans(losses: readonly LossAt[], count: number): LossAt[] {
  return losses.map(([step], index) => {
    const window = losses.slice(Math.max(0, index + 1 - count), index + 1)
    return [step, window.reduce((sum, [, loss]) => sum + loss, 0) / window.length]
  })
}

/** Those of the steps that the others have as well. */
function toldByBoth(losses: readonly LossAt[], others: readonly LossAt[]): LossAt[] {
  const steps = new Set(others.map(([step]) => step))
  return losses.filter(([step]) => steps.has(step))
}

/** Over the steps whose losses both have told. */
export function largestDifference(left: readonly LossAt[], right: readonly LossAt[]): { step: number; part: number } {
  const byStep = new Map(left)
  let worst = { step: 0, part: -1 }
  for (const [step, loss] of right) {
    const other = byStep.get(step)
    if (other === undefined) continue
    const difference = Math.abs(loss - other) / Math.abs(other)
    const part = Number.isFinite(difference) ? difference : Infinity
    if (part > worst.part) worst = { step, part }
  }
  return worst
}

/** @throws ENGINE_FAILED where they differ, or where no step can be compared */
export function checkAgreement(
  where: string,
  name: string,
  expected: readonly LossAt[],
  found: readonly LossAt[],
  precision: Precision,
): number {
  const curve = (losses: readonly LossAt[], others: readonly LossAt[]): LossAt[] =>
    trailingMeans(toldByBoth(losses, others), numAveraged[precision])
  const { step, part } = largestDifference(curve(expected, found), curve(found, expected))
  const fail = (problem: string): never => {
    throw new TalwegError({ code: 'ENGINE_FAILED', operation: 'bench', problem: `${where}: ${problem}` })
  }
  if (step === 0) fail(`${name} tells no loss of a step whose loss Talweg tells`)
  if (part > allowedDifference[precision]) {
    const shown = (losses: readonly LossAt[]): string => JSON.stringify(losses.slice(0, 20))
    fail(
      `${name} does not compute the same as Talweg: at step ${step} the losses differ by ${part.toExponential(1)} of ` +
        `the loss, and ${allowedDifference[precision]} is allowed.\n  Talweg ${shown(expected)}\n  ${name} ${shown(found)}`,
    )
  }
  return part
}
