/** What training reports of itself: one object a report, the same on the screen, in `metrics.jsonl` and in TensorBoard. */

export interface Report {
  /** Steps done. */
  readonly step: number
  readonly samples: number
  /** The mean over the steps since the last report. */
  readonly loss: number
  readonly learningRate: number
  /** Time spent training, over all resumptions, in seconds. */
  readonly secondsElapsed: number
  readonly tokensPerSecond?: number
  readonly samplesPerSecond?: number
  readonly gradientNorm?: number
  readonly validationLoss?: number
  /** The part of validation samples whose class was right, from 0 to 1. */
  readonly validationAccuracy?: number
  /** Whatever else the training measures. */
  readonly [metric: string]: number | undefined
}

/** The numbers that tell where a report is rather than what was measured. */
export const placeKeys: ReadonlySet<string> = new Set(['step', 'samples', 'secondsElapsed'])
