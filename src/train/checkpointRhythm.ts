/**
 * When checkpoints are due. A number of steps is kept to exactly. Where none is given it goes by the clock as well, for
 * a short training of a large model would spend its time on writing: what half a minute did is soon done again.
 */

const minSecondsApart = 30

export class CheckpointRhythm {
  /** Steps between those at which one may be due. */
  readonly steps: number
  readonly #goesByClock: boolean
  readonly #now: () => number
  #lastSeconds: number

  /**
   * @param steps between checkpoints, where the settings say so
   * @param now seconds by any clock
   */
  constructor(steps: number | undefined, totalSteps: number, now = () => performance.now() / 1000) {
    this.steps = steps ?? Math.ceil(totalSteps / 100)
    this.#goesByClock = steps === undefined
    this.#now = now
    this.#lastSeconds = now()
  }

  isDue(step: number): boolean {
    if (step % this.steps !== 0) return false
    return !this.#goesByClock || this.#now() - this.#lastSeconds >= minSecondsApart
  }

  /** To be told when one is written. */
  written(): void {
    this.#lastSeconds = this.#now()
  }
}
