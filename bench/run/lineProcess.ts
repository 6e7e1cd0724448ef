/** A process that speaks in JSON lines. */
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { TalwegError } from '../../src/core/errors.js'
import type { Launch } from './systems.js'

/** How often its memory is looked at, where that is wanted: a process that has ended can't be asked any more. */
const watchMs = 20

/** Those that run: they must not outlive the bench, however it ends. */
const running = new Set<ChildProcess>()

process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) process.on(signal, () => process.exit(code)) // prettier-ignore

export class LineProcess {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #name: string
  readonly #start = performance.now()
  readonly #gone: Promise<number | null>
  readonly #watch: NodeJS.Timeout
  #peakBytes = 0
  #errors = ''

  constructor(name: string, { file, args, env }: Launch) {
    this.#name = name
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    running.add(this.#child)
    this.#gone = new Promise((resolve) =>
      this.#child.once('close', (code) => {
        running.delete(this.#child)
        resolve(code)
      }),
    )
    const { stdin, stdout, stderr } = this.#child
    // Writing to a child that has died; the read that follows says so.
    stdin?.on('error', () => undefined)
    stderr?.on('data', (piece: Buffer) => {
      this.#errors = (this.#errors + piece.toString()).slice(-4000)
    })
    if (stdout === null) throw new TalwegError({ code: 'INTERNAL', operation: 'bench', problem: 'no standard output' })
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
    this.#watch = setInterval(() => this.peakMemoryBytes(), watchMs)
  }

  get secondsSinceStart(): number {
    return (performance.now() - this.#start) / 1000
  }

  send(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  /** The next line that is JSON; others are a library's chatter. @throws ENGINE_FAILED where the process has ended */
  async next<T>(): Promise<T> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done === true) break
      if (value.startsWith('{')) return JSON.parse(value) as T
    }
    await this.#gone
    throw new TalwegError({
      code: 'ENGINE_FAILED',
      operation: 'bench',
      problem: `${this.#name} ended before it answered:\n${this.#errors.trim()}`,
    })
  }

  /** The most memory that the process has had, in bytes, as far as is known. */
  peakMemoryBytes(): number {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${this.#child.pid}/status`))
    this.#peakBytes = Math.max(this.#peakBytes, Number(found?.[1] ?? 0) * 1024)
    return this.#peakBytes
  }

  /** Ends it at once and waits until it is gone. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#gone
    clearInterval(this.#watch)
  }

  /** Waits until it has ended by itself, as its input ends. @returns its exit code */
  async finish(): Promise<number | null> {
    this.#child.stdin?.end()
    const code = await this.#gone
    clearInterval(this.#watch)
    return code
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
