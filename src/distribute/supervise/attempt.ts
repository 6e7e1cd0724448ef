/**
 * One attempt: workers started by mpirun, watched until all of them are gone. It ends by what the workers came to, by the loss
 * of one, or because mpirun itself had nothing to start; whichever, when `run` returns no process of it is left.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { mpirunCall, readDeath, readPrintedLine, type MpirunOptions, type NoticedDeath } from '../launch/mpirun.js'
import { WorkerListener, type WorkerState } from './listener.js'
import { onLines, type FromWorker } from './messages.js'
import { descendantsOf, identify, isRunning, signalAll, type ProcessIdentity } from './processes.js'

/** What the attempt tells while it goes on. */
export interface AttemptWatcher {
  readonly event: (name: string, data: unknown) => void
  readonly output: (text: string) => void
  /** A line that a worker wrote on standard error. */
  readonly said: (rank: number, line: string) => void
}

export interface AttemptOptions extends Omit<MpirunOptions, 'endpoint'> {
  readonly version: string
  /** For how long a worker may be silent before it counts as hung. */
  readonly silenceMs: number
  readonly watcher: AttemptWatcher
}

export type AttemptEnding =
  | { readonly kind: 'ended'; readonly exitCode: number }
  /** By errors of workers; the first that failed is the first. */
  | { readonly kind: 'failed'; readonly failures: readonly Failure[] }
  /** Starting again may help. */
  | { readonly kind: 'lost'; readonly problem: string; readonly rank: number | undefined }

export type Failure = Extract<FromWorker, { kind: 'failed' }> & { readonly rank: number }

/** Errors of workers to which another worker's loss leads. */
const lossCodes = new Set(['EXCHANGE_TIMEOUT', 'WORKER_LOST'])

const watchMs = 250
/** Time for mpirun to see that a worker has ended, before the others are ended too. */
const goneGraceMs = 500
/** Time for mpirun to take its workers down by itself. */
const graceMs = 3_000
/** Node and mpirun have to be loaded, perhaps from a slow disk, before a worker can be heard. */
const startupMs = 30_000

export class Attempt {
  readonly #options: AttemptOptions
  readonly #listener: WorkerListener
  readonly #failures: Failure[] = []
  #child: ChildProcess | undefined
  /** Every process of the attempt that was ever seen. */
  readonly #seen = new Map<number, ProcessIdentity>()
  /** What mpirun itself printed. */
  readonly #printed: string[] = []
  #problem: { readonly problem: string; readonly rank: number | undefined } | undefined
  #gone: WorkerState | undefined
  #isEnding = false
  /** Whether a worker has written something on standard error, which then is why it failed. */
  #hasSaid = false
  #stopSignal: string | undefined

  constructor(options: AttemptOptions) {
    this.#options = options
    this.#listener = new WorkerListener((rank, message) => this.#take(rank, message))
  }

  /** Whether the workers were asked to stop. */
  get isStopping(): boolean {
    return this.#stopSignal !== undefined
  }

  /** Hands a signal on to the workers, once. */
  stop(signal: string): void {
    this.#stopSignal ??= signal
    this.#listener.tell(signal)
  }

  /** Ends everything at once, without waiting: for a process that is about to end itself. */
  kill(): void {
    this.#look()
    signalAll(this.#seen.values(), 'SIGKILL')
  }

  async run(): Promise<AttemptEnding> {
    const endpoint = await this.#listener.open(this.#options.hosts.length > 0)
    try {
      const { program, args, env } = mpirunCall({ ...this.#options, endpoint })
      const child = spawn(program, args, {
        // A group of its own: Ctrl-C is for the supervisor, which lets the workers finish their step.
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env,
      })
      this.#child = child
      onLines(child.stdout, (line) => this.#read(line))
      onLines(child.stderr, (line) => this.#read(line))
      const ended = new Promise<Exit>((resolve, reject) => {
        child.once('error', reject)
        child.once('close', (code, signal) => resolve({ code, signal }))
      })
      const watching = this.#watch()
      const exit = await ended.finally(() => clearInterval(watching))
      return this.#judge(exit)
    } finally {
      await this.#endAll()
      await this.#listener.close()
    }
  }

  #take(rank: number, message: FromWorker): void {
    const { watcher, version } = this.#options
    if (message.kind === 'event') watcher.event(message.name, message.data)
    else if (message.kind === 'output') watcher.output(message.text)
    else if (message.kind === 'failed') this.#failures.push({ ...message, rank })
    else if (message.kind === 'hello') {
      this.#see(identify(message.pid))
      if (message.version !== version) this.#refuseVersion(rank, message)
      // It came too late to be told with the others.
      if (this.#stopSignal !== undefined) this.#listener.tell(this.#stopSignal)
    }
  }

  #refuseVersion(rank: number, { host, version }: { readonly host: string; readonly version: string }): void {
    const message = `workers: worker ${rank} on host ${host} has version ${version} of Talweg, and this is ${this.#options.version}. Hint: install the same version on all hosts.`
    this.#failures.unshift({ kind: 'failed', code: 'WORLD_MISMATCH', exitCode: 2, message, rank })
    void this.#endAll()
  }

  #read(line: string): void {
    const { rank, text } = readPrintedLine(line)
    if (rank === undefined) this.#printed.push(text)
    else {
      this.#hasSaid = true
      this.#options.watcher.said(rank, text)
    }
  }

  #see(identity: ProcessIdentity): void {
    this.#seen.set(identity.pid, identity)
  }

  #look(): void {
    const pid = this.#child?.pid
    if (pid === undefined) return
    if (!this.#seen.has(pid)) this.#see(identify(pid))
    for (const each of descendantsOf(pid)) this.#see(each)
  }

  /** Looks for workers that are silent, or gone while mpirun waits for them. */
  #watch(): NodeJS.Timeout {
    const start = performance.now()
    let last = start
    return setInterval(() => {
      const now = performance.now()
      const gap = now - last
      last = now
      // This process was stopped itself, or the machine slept: nobody could be heard.
      if (gap > 4 * watchMs) for (const worker of this.#listener.workers.values()) worker.heardMs += gap
      this.#look()
      if (this.#problem !== undefined) return
      this.#findGone(now)
      this.#findHung(now, now - start)
    }, watchMs)
  }

  /** A worker that ended without a word is lost; mpirun says later how it ended, and takes the others down too slowly. */
  #findGone(now: number): void {
    const isGone = ({ ended, failed, goneMs }: WorkerState): boolean =>
      ended === undefined && failed === undefined && goneMs !== undefined && now - goneMs > goneGraceMs
    const gone = [...this.#listener.workers.values()].find(isGone)
    if (gone === undefined || this.#isEnding) return
    this.#gone = gone
    void this.#endAll('workers')
  }

  #findHung(now: number, sinceStart: number): void {
    const { numWorkers, silenceMs } = this.#options
    const workers = [...this.#listener.workers.values()]
    const seconds = Math.round(silenceMs / 1000)
    const isSilent = ({ heardMs, ended, failed }: WorkerState): boolean =>
      ended === undefined && failed === undefined && now - heardMs > silenceMs
    const hung = workers.find(isSilent)
    if (hung !== undefined) {
      const problem = `worker ${hung.rank} on host ${hung.host} was not heard for ${seconds} s (${this.#where()})`
      return this.#lose(problem, hung.rank)
    }
    const missing = Array.from({ length: numWorkers }, (_, rank) => rank).find(
      (rank) => !this.#listener.workers.has(rank),
    )
    if (missing !== undefined && sinceStart > startupMs + silenceMs)
      this.#lose(`worker ${missing} did not start within ${Math.round((startupMs + silenceMs) / 1000)} s`, missing)
  }

  #lose(problem: string, rank: number | undefined): void {
    this.#problem = { problem, rank }
    void this.#endAll()
  }

  /** @param first what is ended at once; mpirun, left alone for a while, says which of its workers ended first and how */
  async #endAll(first: 'all' | 'workers' = 'all'): Promise<void> {
    this.#isEnding = true
    this.#look()
    const { pid } = this.#child ?? {}
    if (pid === undefined) return
    const own = identify(pid)
    const workers = [...this.#seen.values()].filter((each) => each.pid !== pid)
    signalAll(workers, 'SIGKILL')
    // On other machines workers are ended by mpirun.
    if (first === 'all') signalAll([own], 'SIGTERM')
    const end = performance.now() + graceMs
    while (performance.now() < end && [own, ...workers].some(isRunning)) await sleep(20)
    this.#look()
    signalAll(this.#seen.values(), 'SIGKILL')
  }

  #judge({ code, signal }: Exit): AttemptEnding {
    if (this.#problem !== undefined) return { kind: 'lost', ...this.#problem }
    const death = readDeath(this.#printed.join('\n'))
    const [first] = this.#failures
    if (first !== undefined) {
      const cause = this.#failures.find((failure) => !lossCodes.has(failure.code))
      if (cause !== undefined) return { kind: 'failed', failures: [cause, ...this.#failures] }
      if (death === undefined || death.signal === constants.signals.SIGTERM)
        return { kind: 'lost', problem: first.message.replace(/\.$/, ''), rank: undefined }
    }
    const done = this.#listener.workers.get(0)?.ended
    if (done !== undefined && (code === 0 || this.isStopping)) return { kind: 'ended', exitCode: done }
    if (this.#stopSignal !== undefined) return { kind: 'ended', exitCode: exitCodeOf(this.#stopSignal) }
    if (death !== undefined) return { kind: 'lost', problem: this.#describeDeath(death), rank: death.rank }
    if (this.#gone !== undefined) {
      const { rank, host } = this.#gone
      return {
        kind: 'lost',
        problem: `worker ${rank} on host ${host} is gone without a word, ${this.#where()}`,
        rank,
      }
    }
    if (signal !== null) return { kind: 'lost', problem: `mpirun was ended by ${signal}`, rank: undefined }
    if (code !== null && code > 0 && (this.#listener.workers.size > 0 || this.#hasSaid))
      return { kind: 'ended', exitCode: code }
    return { kind: 'failed', failures: [this.#startFailure(code)] }
  }

  /** How far the workers had come together. */
  #where(): string {
    const steps = [...this.#listener.workers.values()].flatMap(({ step }) => step ?? [])
    return steps.length === 0 ? 'before the first step' : `after step ${Math.max(...steps)}`
  }

  #describeDeath({ rank, host, signal }: NoticedDeath): string {
    const where = this.#where()
    const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0]
    const why = signal === constants.signals.SIGKILL ? '; the likely cause is that memory ran out' : ''
    return `worker ${rank} on host ${host} was killed by signal ${signal}${name === undefined ? '' : ` (${name})`} ${where}${why}`
  }

  /** mpirun ended before any worker was heard: what it printed says why. */
  #startFailure(code: number | null): Failure {
    const text = this.#printed.filter((line) => !/^-*$/.test(line.trim())).map((line) => line.trim())
    const said = text.length === 0 ? '' : `: ${text.join(' ').replace(/\.$/, '')}`
    const message = `workers: mpirun could not start the workers (exit code ${code})${said}.`
    return { kind: 'failed', code: 'WORKER_LOST', exitCode: code === 0 ? 1 : 2, message, rank: -1 }
  }
}

interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

function exitCodeOf(signal: string): number {
  return 128 + constants.signals[signal as NodeJS.Signals]
}
