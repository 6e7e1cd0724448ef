/** The supervisor's side: where the workers of one attempt call in, and what is known of each. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import path from 'node:path'
import { onLines, parseFromWorker, sendMessage, type Endpoint, type FromWorker } from './messages.js'

/** A worker that has called in. */
export interface WorkerState {
  readonly rank: number
  readonly pid: number
  readonly host: string
  readonly version: string
  /** When it was heard last, in milliseconds of `performance.now()`. */
  heardMs: number
  step: number | undefined
  failed: Extract<FromWorker, { kind: 'failed' }> | undefined
  /** The exit code, once it has said that it is done. */
  ended: number | undefined
  /** When its connection ended, in the same milliseconds. */
  goneMs: number | undefined
}

export class WorkerListener {
  readonly workers = new Map<number, WorkerState>()
  readonly #server: Server
  readonly #sockets = new Map<Socket, number | undefined>()
  readonly #token = randomBytes(16).toString('hex')
  #folder: string | undefined
  #endpoint: Endpoint | undefined

  /** @param take is told what workers say, beside what is kept here */
  constructor(take: (rank: number, message: FromWorker) => void) {
    this.#server = createServer((socket) => this.#accept(socket, take))
  }

  /** @param isRemote whether workers are on other machines too */
  async open(isRemote: boolean): Promise<Endpoint> {
    if (isRemote) {
      await this.#listen({ port: 0, host: '0.0.0.0' })
      const address = this.#server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      this.#endpoint = { addresses: reachableAddresses(), port, token: this.#token }
    } else {
      this.#folder = await mkdtemp(path.join(tmpdir(), 'talweg-workers-'))
      const file = path.join(this.#folder, 'socket')
      await this.#listen({ path: file })
      this.#endpoint = { path: file, token: this.#token }
    }
    return this.#endpoint
  }

  tell(signal: string): void {
    for (const socket of this.#sockets.keys()) sendMessage(socket, { kind: 'stop', signal })
  }

  /** Workers that are still connected end by this. */
  async close(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy()
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()))
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true })
  }

  #listen(place: { path: string } | { port: number; host: string }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(place, () => resolve())
    })
  }

  #accept(socket: Socket, take: (rank: number, message: FromWorker) => void): void {
    this.#sockets.set(socket, undefined)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      const rank = this.#sockets.get(socket)
      this.#sockets.delete(socket)
      const worker = rank === undefined ? undefined : this.workers.get(rank)
      if (worker !== undefined) worker.goneMs = performance.now()
    })
    onLines(socket, (line) => {
      const message = parseFromWorker(line)
      const isAllowed =
        message !== undefined && (message.kind === 'hello' ? message.token === this.#token : this.#rankOf(socket) >= 0)
      if (!isAllowed) return void socket.destroy()
      if (message.kind === 'hello') this.#welcome(socket, message)
      const rank = this.#rankOf(socket)
      this.#note(rank, message)
      take(rank, message)
    })
  }

  #welcome(socket: Socket, { rank, pid, host, version }: Extract<FromWorker, { kind: 'hello' }>): void {
    this.#sockets.set(socket, rank)
    this.workers.set(rank, {
      rank,
      pid,
      host,
      version,
      heardMs: performance.now(),
      step: undefined,
      failed: undefined,
      ended: undefined,
      goneMs: undefined,
    })
  }

  #rankOf(socket: Socket): number {
    return this.#sockets.get(socket) ?? -1
  }

  #note(rank: number, message: FromWorker): void {
    const worker = this.workers.get(rank)
    if (worker === undefined) return
    worker.heardMs = performance.now()
    if (message.kind === 'alive') worker.step = message.step ?? worker.step
    if (message.kind === 'event') worker.step = stepOf(message.data) ?? worker.step
    if (message.kind === 'failed') worker.failed = message
    if (message.kind === 'ended') worker.ended = message.exitCode
  }
}

/** What is told of a training's progress has its step. */
function stepOf(data: unknown): number | undefined {
  const { step } = Object(data) as { step?: unknown }
  return typeof step === 'number' ? step : undefined
}

/** Addresses of this machine that others may reach, then its own. */
function reachableAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const inner = all.filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address)
  return [...inner, '127.0.0.1']
}
