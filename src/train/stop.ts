/**
 * Being asked to stop. A signal sets a flag that the loop looks at between calls, so that a checkpoint can be written; a
 * second one ends the process at once.
 */
import { constants } from 'node:os'

/** Each with what it means; exit codes are 128 + the signal's number, as a shell gives them, but for preemption. */
const signals = {
  SIGINT: { exitCode: 128 + constants.signals.SIGINT, means: 'Ctrl-C' },
  SIGTERM: { exitCode: 128 + constants.signals.SIGTERM, means: 'SIGTERM' },
  SIGHUP: { exitCode: 128 + constants.signals.SIGHUP, means: 'the terminal is gone' },
  /** What a scheduler can be told to send before it takes the machine away (`sbatch --signal=USR2@60`). */
  SIGUSR2: { exitCode: 75, means: 'preempted' },
} as const

/** The environment variable by which a process is told to stop when its standard input ends. */
export const supervisedVariable = 'TALWEG_SUPERVISED'

export type StopSignal = keyof typeof signals

export interface StopRequest {
  readonly signal: StopSignal
  /** Why, in words. */
  readonly reason: string
  readonly exitCode: number
}

/** Listens for signals until closed. */
export class StopListener {
  #request: StopRequest | undefined
  readonly #listener: (signal: NodeJS.Signals) => void

  /** @param onRequest is told of the first signal */
  constructor(onRequest: (request: StopRequest) => void) {
    this.#listener = (name) => {
      const signal = name as StopSignal
      const request = { signal, reason: signals[signal].means, exitCode: signals[signal].exitCode }
      // Nothing is flushed here: checkpoints on the disk are whole at every moment.
      if (this.#request !== undefined) process.exit(request.exitCode)
      this.#request = request
      onRequest(request)
    }
    for (const signal of Object.keys(signals)) process.on(signal, this.#listener)
  }

  /** The signal that came, if one has. */
  get request(): StopRequest | undefined {
    return this.#request
  }

  close(): void {
    for (const signal of Object.keys(signals)) process.off(signal, this.#listener)
  }
}
