/**
 * A worker's side of the connection to its supervisor. While it lives the worker says every second that it is there and how far
 * it has come; when it is cut off the worker ends at once: nobody would hear what it says, and a worker that is left behind
 * would keep a core and the run's lock.
 */
import { connect, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { TalwegError } from '../../core/errors.js'
import { readVersion } from '../version.js'
import type { World } from '../world.js'
import { endpointSchema, onLines, parseToWorker, sendMessage, supervisorVariable, type Endpoint } from './messages.js'

const aliveMs = 1_000
const connectMs = 10_000

export class SupervisorLink {
  readonly #socket: Socket
  readonly #pulse: NodeJS.Timeout
  #isClosing = false
  /** The last step done. */
  step: number | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#pulse = setInterval(() => sendMessage(socket, { kind: 'alive', step: this.step }), aliveMs)
    this.#pulse.unref()
    // A connection that fails is a connection that ends.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (!this.#isClosing) process.kill(process.pid, 'SIGKILL')
    })
    onLines(socket, (line) => {
      const message = parseToWorker(line)
      if (message !== undefined) process.kill(process.pid, message.signal as NodeJS.Signals)
    })
  }

  /**
   * Finds the supervisor that started this worker; undefined where none did.
   *
   * @throws WORKER_LOST where it is gone already
   */
  static async open(
    env: Readonly<Record<string, string | undefined>>,
    { rank, size }: World,
  ): Promise<SupervisorLink | undefined> {
    const text = env[supervisorVariable]
    if (text === undefined) return undefined
    const endpoint = endpointSchema.parse(JSON.parse(text))
    const socket = await connectAny(endpoint)
    const { token } = endpoint
    const version = readVersion()
    sendMessage(socket, { kind: 'hello', token, rank, size, pid: process.pid, host: hostname(), version })
    return new SupervisorLink(socket)
  }

  /** Standard output goes to the supervisor from here on, which alone knows where the user wants it. */
  takeOutput(): void {
    process.stdout.write = ((piece: string | Uint8Array, encoding?: unknown, done?: () => void): boolean => {
      sendMessage(this.#socket, {
        kind: 'output',
        text: typeof piece === 'string' ? piece : Buffer.from(piece).toString(),
      })
      const whenDone = typeof encoding === 'function' ? (encoding as () => void) : done
      if (whenDone !== undefined) process.nextTick(whenDone)
      return true
    }) as typeof process.stdout.write
  }

  event(name: string, data: unknown): void {
    sendMessage(this.#socket, { kind: 'event', name, data })
  }

  /** Says what the worker failed with, and waits until that is sent. */
  async failed(code: string, exitCode: number, message: string): Promise<void> {
    sendMessage(this.#socket, { kind: 'failed', code, exitCode, message })
    await this.#close()
  }

  /** Says that the worker has done what it had to. */
  async ended(exitCode: number): Promise<void> {
    sendMessage(this.#socket, { kind: 'ended', exitCode })
    await this.#close()
  }

  async #close(): Promise<void> {
    this.#isClosing = true
    clearInterval(this.#pulse)
    await new Promise<void>((resolve) => {
      this.#socket.once('close', () => resolve())
      this.#socket.end()
    })
  }
}

/** @throws WORKER_LOST where none of the addresses answers */
async function connectAny({ path, addresses = [], port }: Endpoint): Promise<Socket> {
  const places = path === undefined ? addresses.map((host) => ({ host, port: port ?? 0 })) : [{ path }]
  const failures: string[] = []
  for (const place of places) {
    const socket = connect(place)
    const failure = await new Promise<string | undefined>((resolve) => {
      socket.setTimeout(connectMs, () => resolve('no answer'))
      socket.once('connect', () => resolve(undefined))
      socket.once('error', ({ message }) => resolve(message))
    })
    socket.setTimeout(0)
    if (failure === undefined) return socket
    socket.destroy()
    failures.push(failure)
  }
  throw new TalwegError({
    code: 'WORKER_LOST',
    operation: 'workers',
    problem: `the supervisor that started this worker can't be reached: ${failures.join('; ')}`,
    hint: 'start the training again; a worker is not started by hand',
  })
}
