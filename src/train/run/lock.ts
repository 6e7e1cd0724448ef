/**
 * One process a run's folder: two that write the same checkpoints would undo each other's.
 *
 * The lock is a file that names its holder. A holder on this machine is asked for by its process number and the time
 * at which that process started (numbers are used again). A holder on another machine, or in another container, can't be
 * asked: it touches the file every few seconds, and when that has stopped for long enough its lock is taken over, which
 * is what lets a job that was killed be started again elsewhere.
 */
import { readFileSync } from 'node:fs'
import { link, open, readFile, rename, stat, unlink, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { TalwegError } from '../../core/errors.js'
import { statusOf } from '../../distribute/supervise/processes.js'
import { isSystemError } from '../../exchange/disk.js'

const lockName = '.lock'
const heartbeatMs = 3_000
/** How long a foreign lock must stay untouched while it is watched. */
const staleAfterMs = 15_000

const holderSchema = z.object({ host: z.string(), pid: z.number().int(), started: z.string() })
type Holder = z.infer<typeof holderSchema>

export class RunLock {
  readonly #file: string
  readonly #text: string
  readonly #heartbeat: NodeJS.Timeout

  private constructor(file: string, text: string) {
    this.#file = file
    this.#text = text
    this.#heartbeat = setInterval(() => {
      const now = new Date()
      utimes(file, now, now).catch(() => undefined)
    }, heartbeatMs)
    this.#heartbeat.unref()
  }

  /**
   * Takes the lock of a run's folder, which must exist.
   *
   * @param notify is told, in a sentence, when a lock is watched or taken over
   * @throws RUN_EXISTS where another process is writing this run
   */
  static async take(folder: string, notify: (message: string) => void): Promise<RunLock> {
    const file = path.join(folder, lockName)
    const text = JSON.stringify({
      host: hostname(),
      pid: process.pid,
      started: startTimeOf(process.pid) ?? '',
    } satisfies Holder)
    for (;;) {
      if (await createWith(file, text)) return new RunLock(file, text)
      const found = await readFile(file, 'utf8').catch(() => undefined)
      if (found === undefined) continue
      if (await isHeld(file, found, notify)) throw heldError(folder, found)
      await removeStale(file, found)
    }
  }

  async release(): Promise<void> {
    clearInterval(this.#heartbeat)
    const found = await readFile(this.#file, 'utf8').catch(() => undefined)
    if (found === this.#text) await unlink(this.#file).catch(() => undefined)
  }
}

/** Whether a process of this machine is writing a run now. */
export async function isBeingWritten(folder: string): Promise<boolean> {
  const holder = parseHolder(await readFile(path.join(folder, lockName), 'utf8').catch(() => ''))
  return holder?.host === hostname() && isAlive(holder)
}

async function createWith(file: string, text: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx')
    await handle.writeFile(text).finally(() => handle.close())
    return true
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false
    throw error
  }
}

async function isHeld(file: string, text: string, notify: (message: string) => void): Promise<boolean> {
  const holder = parseHolder(text)
  if (holder?.host === hostname()) return isAlive(holder)
  notify(`the run is locked by ${describe(holder)}: watching for ${staleAfterMs / 1000} s whether that is still alive`)
  const before = await touchedAt(file)
  const end = Date.now() + staleAfterMs
  while (Date.now() < end) {
    await sleep(Math.min(500, staleAfterMs))
    const now = await touchedAt(file)
    if (now === undefined) return false
    if (now !== before) return true
  }
  return false
}

async function touchedAt(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )
}

function parseHolder(text: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return isSystemError(error, 'EPERM')
  }
  if (statusOf(pid)?.state === 'Z') return false
  const now = startTimeOf(pid)
  return now === undefined || started === '' || now === started
}

/** When a process started, in the kernel's own units; undefined where there is no /proc. */
function startTimeOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const status = statusOf(pid)
    return status && `${boot} ${status.started}`
  } catch {
    return undefined
  }
}

/** Removes a stale lock, unless another process has taken its place between reading and removing. */
async function removeStale(file: string, stale: string): Promise<void> {
  const aside = `${file}.${process.pid}`
  try {
    await rename(file, aside)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return
    throw error
  }
  if ((await readFile(aside, 'utf8')) !== stale) await link(aside, file).catch(() => undefined)
  await unlink(aside)
}

function describe(holder: Holder | undefined): string {
  return holder === undefined ? 'a process that did not say which' : `process ${holder.pid} on ${holder.host}`
}

function heldError(folder: string, text: string): TalwegError {
  return new TalwegError({
    code: 'RUN_EXISTS',
    operation: 'train',
    problem: `this run is being written by ${describe(parseHolder(text))}`,
    hint: 'stop that process, or train under another name with --run',
    place: { file: folder },
  })
}
