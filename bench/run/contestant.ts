/**
 * One system at work: a process that is prepared once, runs steps when it is told to, and sleeps in between (its threads
 * wait in the system's queues; what spins for a while after a step has stopped when the pause between turns is over).
 */
import type { LossAt } from './agreement.js'
import { LineProcess } from './lineProcess.js'
import type { Job, System } from './systems.js'

export interface Turn {
  readonly steps: number
  readonly seconds: number
}

interface Ready {
  readonly ready: string
  readonly losses: readonly LossAt[]
}

export class Contestant {
  private constructor(
    readonly system: System,
    /** What it says that it is. */
    readonly version: string,
    readonly losses: readonly LossAt[],
    readonly process: LineProcess,
  ) {}

  /** Starts it and waits until its first steps are done. */
  static async start(system: System, job: Job): Promise<Contestant> {
    const child = new LineProcess(system.name, system.launch(job))
    try {
      await child.next<{ firstLoss: number }>()
      const { ready, losses } = await child.next<Ready>()
      return new Contestant(system, ready, losses, child)
    } catch (error) {
      await child.end()
      throw error
    }
  }

  /** Runs at least so many steps; those of the warm-up before them are not timed. */
  run(steps: number, warmup: number): Promise<Turn> {
    this.process.send({ warmup, steps })
    return this.process.next<Turn>()
  }
}
