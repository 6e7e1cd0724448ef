/** Workers joined by MPI, through the addon: one thread there alone calls MPI (`native/mpi/`). */
import { invariant, TalwegError } from '../../core/errors.js'
import type { Communicator, Exchanged } from '../communicator.js'
import { fromAddon, loadAddon, type NativeAddonCommunicator, type NativeOpened } from './addon.js'

export interface CommunicatorOptions {
  /** How long an exchange may hear nothing of a worker that it waits for; a minute by default. */
  readonly timeoutMs?: number
  /** How many workers the launcher said there are; another number is refused. */
  readonly size: number
  /** Which of them it said this is. */
  readonly rank: number
}

export class NativeCommunicator implements Communicator {
  #isClosed = false

  constructor(
    readonly addon: NativeAddonCommunicator,
    readonly rank: number,
    readonly size: number,
    private readonly hostNames: readonly string[],
  ) {}

  hosts(): readonly string[] {
    return this.hostNames
  }

  async broadcast(bytes: Uint8Array | undefined, from = 0): Promise<Uint8Array> {
    if (this.rank !== from) return (await this.#exchange('broadcast', nothing, [], [from]))[0]
    invariant(bytes !== undefined, 'who broadcasts has something to say')
    await this.#exchange('broadcast', bytes, this.#others(), [])
    return bytes
  }

  async gather(bytes: Uint8Array): Promise<readonly Uint8Array[] | undefined> {
    if (this.rank === 0) return [bytes, ...(await this.#exchange('gather', nothing, [], this.#others()))]
    await this.#exchange('gather', bytes, [0], [])
    return undefined
  }

  async allGather(bytes: Uint8Array): Promise<readonly Uint8Array[]> {
    const others = this.#others()
    return (await this.#exchange('allGather', bytes, others, others)).toSpliced(this.rank, 0, bytes)
  }

  exchanged(): Exchanged {
    return this.addon.exchanged()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await guard('exchange', this.addon.close())
  }

  #others(): number[] {
    return Array.from({ length: this.size }, (_, worker) => worker).filter((worker) => worker !== this.rank)
  }

  async #exchange(
    name: string,
    bytes: Uint8Array,
    to: readonly number[],
    from: readonly number[],
  ): Promise<Uint8Array[]> {
    // prettier-ignore
    return guard('exchange', this.addon.exchange(`${name} between workers`, bytes, to, from))
  }
}

const nothing = new Uint8Array()

async function guard<T>(operation: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (error) {
    throw fromAddon(error, operation)
  }
}

/**
 * Joins the other workers that the same launcher (mpirun, srun with PMIx) started. Once in a process, and only where there
 * is more than one worker: one alone needs no MPI.
 *
 * @throws TalwegError `MPI_UNAVAILABLE` where Open MPI is not installed; `WORLD_MISMATCH` where MPI knows of other workers
 *   than the launcher's environment; `EXCHANGE_TIMEOUT` where not all of them come
 */
export async function openCommunicator({ timeoutMs = 60_000, size, rank }: CommunicatorOptions): Promise<Communicator> {
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > 2 ** 31 - 1) {
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation: 'exchange',
      problem: `the timeout is ${timeoutMs} ms, not a whole number from 1 to ${2 ** 31 - 1}`,
    })
  }
  sendWithoutAsking()
  const { Communicator: AddonCommunicator } = loadAddon()
  const addon = new AddonCommunicator()
  const opened = await guard('MPI', openInTime(addon, timeoutMs, size))
  if (opened.size !== size || opened.rank !== rank) {
    throw new TalwegError({
      code: 'WORLD_MISMATCH',
      operation: 'MPI',
      problem: `the environment says worker ${rank} of ${size}, ${opened.version} says worker ${opened.rank} of ${opened.size}`,
      hint: "start all workers by one mpirun of the Open MPI that is installed here, or by srun with Open MPI's PMIx",
    })
  }
  return new NativeCommunicator(addon, rank, size, opened.hosts)
}

/**
 * Open MPI asks the receiver before it sends more than 64 KiB over TCP. On a thin link the questions and answers stand in
 * line with the data of both directions, and a fifth of the link's time goes unused; our pieces are asked for beforehand
 * anyway. It reads its settings when it starts; what the user has set there stays.
 */
function sendWithoutAsking(): void {
  process.env['OMPI_MCA_btl_tcp_eager_limit'] ??= `${320 << 10}`
}

/** MPI's own start waits for every worker, and has no deadline. */
async function openInTime(addon: NativeAddonCommunicator, timeoutMs: number, size: number): Promise<NativeOpened> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      addon.abandon()
      const problem = `not all of ${size} workers have started within ${timeoutMs / 1000} s`
      reject(new TalwegError({ code: 'EXCHANGE_TIMEOUT', operation: 'MPI', problem }))
    }, timeoutMs)
  })
  try {
    return await Promise.race([addon.open(timeoutMs), late])
  } finally {
    clearTimeout(timer)
  }
}
