/** What a training tells whoever watches it: a terminal, a program that reads its lines, a test. */
import type { Report } from './metrics/index.js'

export interface TrainingStart {
  readonly totalSteps: number
  /** Steps done before, where a run is gone on with. */
  readonly step: number
  readonly numParameters: number
  /** One line on what it runs on. */
  readonly engine: string
  /** What the training is planned to take, in bytes. */
  readonly plannedBytes: number
  readonly runFolder: string
}

/** After each call of the engine. */
export interface TrainingProgress {
  readonly step: number
  readonly loss: number
  readonly stepsPerSecond: number
  readonly samplesPerSecond: number
  readonly tokensPerSecond: number | undefined
  readonly secondsLeft: number
}

export interface TrainingObserver {
  started(start: TrainingStart): void
  progressed(progress: TrainingProgress): void
  reported(report: Report): void
  /** Something to know: a damaged checkpoint passed over, a signal that came. */
  told(message: string): void
}
