/**
 * Which trial is trained next, and how far. A strategy is told outcomes in an order that does not depend on the clock (see
 * `search.ts`), so what it asks for is the same whenever the search is run.
 */

export interface Job {
  readonly trial: number
  /** How often this trial has been gone on with. */
  readonly rung: number
  /** What part of the whole training it is to have seen then, as so many divisions by the reduction factor. */
  readonly divisions: number
}

/** How a job ended. */
export interface Verdict {
  readonly trial: number
  readonly rung: number
  /** The smaller the better; undefined where it diverged or did not fit. */
  readonly cost: number | undefined
}

export interface Strategy {
  /** What the rungs' lengths are powers of. */
  readonly reduction: number
  /** Rungs above the first. */
  readonly numPromotions: number
  /** What to do now; undefined where there is nothing, or nothing before a running job is done. */
  next(): Job | undefined
  tell(verdict: Verdict): void
}

/** Each trial in turn, to its end. */
export class Exhaustive implements Strategy {
  readonly reduction = 1
  readonly numPromotions = 0
  readonly #numTrials: number
  #started = 0

  constructor(numTrials: number) {
    this.#numTrials = numTrials
  }

  next(): Job | undefined {
    return this.#started < this.#numTrials ? { trial: this.#started++, rung: 0, divisions: 0 } : undefined
  }

  tell(_verdict: Verdict): void {}
}

interface Rung {
  readonly verdicts: Verdict[]
  readonly promoted: Set<number>
}

/**
 * Asynchronous successive halving: all trials begin with a small part of the training, the best of each rung go on to the
 * next, as soon as there are enough to tell. Nobody waits for a rung to be full.
 *
 * Source: Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020, algorithm 2.
 */
export class Asha implements Strategy {
  readonly numPromotions: number
  readonly #rungs: readonly Rung[]
  #started = 0

  /** @param reduction one in so many goes on */
  constructor(
    readonly numTrials: number,
    readonly reduction: number,
  ) {
    // So many rungs that of all trials one at least comes to the top.
    this.numPromotions = Math.floor(Math.log(numTrials) / Math.log(reduction) + 1e-9)
    this.#rungs = Array.from({ length: this.numPromotions + 1 }, () => ({ verdicts: [], promoted: new Set() }))
  }

  next(): Job | undefined {
    for (let rung = this.numPromotions - 1; rung >= 0; rung--) {
      const trial = this.#promotable(this.#rungs[rung])
      if (trial === undefined) continue
      this.#rungs[rung].promoted.add(trial)
      return this.#job(trial, rung + 1)
    }
    return this.#started < this.numTrials ? this.#job(this.#started++, 0) : undefined
  }

  tell(verdict: Verdict): void {
    this.#rungs[verdict.rung].verdicts.push(verdict)
  }

  #job(trial: number, rung: number): Job {
    return { trial, rung, divisions: this.numPromotions - rung }
  }

  #promotable({ verdicts, promoted }: Rung): number | undefined {
    const ranked = verdicts.toSorted((a, b) => (a.cost ?? Infinity) - (b.cost ?? Infinity) || a.trial - b.trial)
    const best = ranked.slice(0, Math.floor(verdicts.length / this.reduction))
    return best.find(({ trial, cost }) => cost !== undefined && !promoted.has(trial))?.trial
  }
}
