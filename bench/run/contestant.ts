/**
 * One system at work: a process that is prepared once, runs steps when it is told to, and sleeps in between (its threads
 * wait in the system's queues; what spins for a while after a step has stopped when the pause between turns is over).
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { TalwegError } from '../../src/core/errors.js'
import type { LossAt } from './agreement.js'
import type { Job, Launch, System } from './systems.js'

export interface Turn {
  readonly steps: number
  readonly seconds: number
}

interface Ready {
  readonly ready: string
  readonly losses: readonly LossAt[]
}

/** A process that speaks in JSON lines. */
export class LineProcess {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #name: string
  readonly #start = performance.now()
  #errors = ''

  constructor(name: string, { file, args, env }: Launch) {
    this.#name = name
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    this.#child.stdin?.on('error', () => undefined)
    this.#child.stderr?.on('data', (piece: Buffer) => {
      this.#errors = (this.#errors + piece.toString()).slice(-4000)
    })
    const { stdout } = this.#child
    if (stdout === null) throw new TalwegError({ code: 'INTERNAL', operation: 'bench', problem: 'no standard output' })
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  }

  get secondsSinceStart(): number {
    return (performance.now() - this.#start) / 1000
  }

  send(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  /** The next line that is JSON; others are a library's chatter. */
  async next<T>(): Promise<T> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done === true) throw this.#ended()
      if (value.startsWith('{')) return JSON.parse(value) as T
    }
  }

  #ended(): TalwegError {
    return new TalwegError({
      code: 'ENGINE_FAILED',
      operation: 'bench',
      problem: `${this.#name} ended before it answered:\n${this.#errors.trim()}`,
    })
  }

  /** The most memory that the process has had, in bytes, so far. */
  peakMemoryBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  /** Ends it at once and waits until it is gone. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.kill('SIGKILL')
    await gone
  }

  /** Lets it end by itself, as its input ends. */
  async finish(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.stdin?.end()
    await gone
  }
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
