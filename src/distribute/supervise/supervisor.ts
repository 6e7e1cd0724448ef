/**
 * Keeps a training of several workers going. When a worker is lost everything of that attempt is ended, and the run goes on
 * from its newest whole checkpoint: with as many workers again, or with those that are left. The bits are those of a run that
 * nothing happened to, since they depend neither on where it was interrupted nor on how many take part.
 */
import { exitCodes, TalwegError } from '../../core/errors.js'
import type { Host } from '../launch/hosts.js'
import { Attempt, type AttemptEnding, type AttemptWatcher, type Failure } from './attempt.js'

export interface Elastic {
  readonly least: number
  readonly most: number
}

export interface SuperviseOptions {
  readonly numWorkers: number
  readonly hosts: readonly Host[]
  readonly elastic: Elastic | undefined
  readonly maxRestarts: number
  readonly silenceMs: number
  readonly version: string
  /** What a worker runs; in later attempts it goes on with the run. */
  readonly command: (isResuming: boolean) => readonly string[]
  /** Whether the run has been begun: fewer workers can go on with it from then on. */
  readonly isBegun: () => Promise<boolean>
  readonly watcher: SupervisorWatcher
}

export interface SupervisorWatcher extends AttemptWatcher {
  /** Something to know: a worker is lost, and what is done about it. */
  readonly told: (message: string) => void
  /** Why it failed, as a whole message. */
  readonly failed: (message: string) => void
}

export class Supervisor {
  readonly #options: SuperviseOptions
  #attempt: Attempt | undefined
  #isStopping = false

  constructor(options: SuperviseOptions) {
    this.#options = options
  }

  /** Hands a signal on to the workers. */
  stop(signal: string): void {
    this.#isStopping = true
    this.#attempt?.stop(signal)
  }

  /** For a process that is about to end: leaves nothing behind. */
  kill(): void {
    this.#attempt?.kill()
  }

  /**
   * Runs to the end.
   *
   * @returns the exit code
   * @throws WORKER_LOST where restarts are used up or too few workers are left
   */
  async run(): Promise<number> {
    const { maxRestarts, watcher } = this.#options
    let { numWorkers } = this.#options
    for (let restart = 0; ; restart++) {
      const ending = await this.#runAttempt(numWorkers, restart > 0)
      if (ending.kind === 'ended') return ending.exitCode
      if (ending.kind === 'failed') return this.#tellFailures(ending.failures, numWorkers)
      if (this.#isStopping) throw this.#lostForGood(ending.problem, 'it was stopping')
      if (restart === maxRestarts) throw this.#lostForGood(ending.problem, describeRestarts(restart))
      numWorkers = await this.#numLeft(numWorkers, ending.problem)
      watcher.told(
        `${ending.problem}. Going on from the newest checkpoint with ${numWorkers} ${numWorkers === 1 ? 'worker' : 'workers'} (restart ${restart + 1} of ${maxRestarts})`,
      )
    }
  }

  #runAttempt(numWorkers: number, isResuming: boolean): Promise<AttemptEnding> {
    const { command, hosts, version, silenceMs, watcher } = this.#options
    const told = new Set<string>()
    this.#attempt = new Attempt({
      numWorkers,
      hosts,
      version,
      silenceMs,
      command: command(isResuming),
      watcher: {
        event: watcher.event,
        output: watcher.output,
        said: (rank, line) => {
          // What all workers say alike is said once.
          if (told.has(line)) return
          told.add(line)
          watcher.said(rank, line)
        },
      },
    })
    return this.#attempt.run()
  }

  /** How many go on: all again, or one fewer where that was allowed and the run's own folder says how it was begun. */
  async #numLeft(numWorkers: number, problem: string): Promise<number> {
    const { elastic, isBegun } = this.#options
    if (elastic === undefined || !(await isBegun())) return numWorkers
    if (numWorkers - 1 >= elastic.least) return numWorkers - 1
    throw this.#lostForGood(problem, `fewer than ${elastic.least} workers are left`)
  }

  #tellFailures(failures: readonly Failure[], numWorkers: number): number {
    const [{ exitCode, message, rank }] = failures
    const isOfAll =
      new Set(failures.filter((each) => each.message === message).map((each) => each.rank)).size === numWorkers
    this.#options.watcher.failed(rank <= 0 || isOfAll ? message : `worker ${rank}: ${message}`)
    return exitCode === exitCodes.done ? exitCodes.failed : exitCode
  }

  #lostForGood(problem: string, why: string): TalwegError {
    return new TalwegError({
      code: 'WORKER_LOST',
      operation: 'workers',
      problem: `${problem}, and ${why}`,
      hint: 'checkpoints are whole: go on by --resume once the cause is found; --max-restarts allows more restarts',
    })
  }
}

function describeRestarts(count: number): string {
  return count === 0
    ? 'no restart is allowed'
    : count === 1
      ? 'the one restart is used up'
      : `${count} restarts are used up`
}
