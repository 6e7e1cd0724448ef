/**
 * What the loop remembers between steps: sums for the next report, the best validation so far. It is kept with each
 * checkpoint, so that a resumed run reports, and stops, where one that never stopped would have.
 */
import * as z from 'zod'
import type { JsonValue, Manifest } from './checkpoint/index.js'

const schema = z.strictObject({
  /** Of the losses since the last report. */
  lossSum: z.number(),
  numLosses: z.number().int(),
  /** The loss of the last report. */
  previousLoss: z.number().nullable(),
  bestValidationLoss: z.number().nullable(),
  /** Validations since the best one. */
  numWithoutImprovement: z.number().int(),
})

export interface LoopProgress {
  lossSum: number
  numLosses: number
  previousLoss: number | undefined
  bestValidationLoss: number | undefined
  numWithoutImprovement: number
}

export function newProgress(): LoopProgress {
  return { lossSum: 0, numLosses: 0, previousLoss: undefined, bestValidationLoss: undefined, numWithoutImprovement: 0 }
}

/** JSON has no `undefined`; and always in the same order, so that equal states are equal bytes. */
export function saveProgress(progress: LoopProgress): Record<string, JsonValue> {
  return {
    lossSum: progress.lossSum,
    numLosses: progress.numLosses,
    previousLoss: progress.previousLoss ?? null,
    bestValidationLoss: progress.bestValidationLoss ?? null,
    numWithoutImprovement: progress.numWithoutImprovement,
  }
}

export function restoreProgress({ progress }: Manifest): LoopProgress {
  const { previousLoss, bestValidationLoss, ...rest } = schema.parse(progress)
  return { ...rest, previousLoss: previousLoss ?? undefined, bestValidationLoss: bestValidationLoss ?? undefined }
}
