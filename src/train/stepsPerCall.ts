/**
 * How many steps to run in one call of the engine. A call costs some hundred microseconds however small its steps are; one that
 * takes a twentieth of a second hides that, and is still short enough for a signal to be answered at once.
 *
 * The choice is by the clock, so it differs from run to run; nothing that is computed may depend on it.
 */
import type { Cost } from '../compile/index.js'

const targetSeconds = 0.06
/** More than this is never wanted, and neither are batches of more bytes in one call. */
export const maxSteps = 512
const maxStackBytes = 16 * 2 ** 20
/** What a processor does at best. Too low, and calls of a faster one are shorter than they might be, which costs little. */
const flopsPerThread = 1e11
const bytesPerSecond = 2.5e10

/**
 * The steps that a call will have at most, for which batches get room: as many as a fast processor does in the time
 * that a call shall take.
 *
 * @param batchBytes of one step
 */
export function stepsToPlanFor({ flops, bytes }: Cost, batchBytes: number, numThreads: number): number {
  const leastSeconds = flops / (flopsPerThread * numThreads) + bytes / bytesPerSecond
  const most = Math.min(maxSteps, targetSeconds / Math.max(leastSeconds, 1e-9), maxStackBytes / Math.max(batchBytes, 1))
  return Math.max(1, Math.floor(most))
}
/** A first call includes what happens once; so the estimate is not believed all at once. */
const maxGrowth = 4

export class StepsPerCall {
  readonly #most: number
  #steps = 1

  /** @param most as many as there is room for batches */
  constructor(most: number) {
    this.#most = most
  }

  /** For the next call, which has to end after at most `untilBoundary` steps. */
  next(untilBoundary: number): number {
    return Math.min(this.#steps, untilBoundary, this.#most)
  }

  /** Tells how long a call took. */
  observe(steps: number, seconds: number): void {
    const fitting = Math.floor(targetSeconds / Math.max(seconds / steps, 1e-9))
    this.#steps = Math.max(1, Math.min(fitting, this.#steps * maxGrowth, this.#most))
  }
}
