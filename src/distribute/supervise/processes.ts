/** Processes of this machine: who descends from whom, and ending them for certain. */
import { readdirSync, readFileSync } from 'node:fs'

/** A process by its number and the time at which it started: numbers are used again. */
export interface ProcessIdentity {
  readonly pid: number
  readonly started: string | undefined
}

export interface ProcessStatus {
  /** `Z` is dead, and not yet asked for by whoever started it: in a container nobody may ever ask. */
  readonly state: string
  readonly parent: number
  /** In the kernel's own units, since it was booted. */
  readonly started: string
}

/** Of a process that is there, where the system has /proc. */
export function statusOf(pid: number): ProcessStatus | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // After the command's name, which may have spaces and brackets of its own.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0], parent: Number(fields[1]), started: fields[19] }
  } catch {
    return undefined
  }
}

export function identify(pid: number): ProcessIdentity {
  return { pid, started: statusOf(pid)?.started }
}

/** All that descend from a process, as far as this system tells. */
export function descendantsOf(pid: number): ProcessIdentity[] {
  let names: string[]
  try {
    names = readdirSync('/proc')
  } catch {
    return []
  }
  const children = new Map<number, ProcessIdentity[]>()
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue
    const status = statusOf(Number(name))
    if (status === undefined) continue
    const siblings = children.get(status.parent) ?? []
    siblings.push({ pid: Number(name), started: status.started })
    children.set(status.parent, siblings)
  }
  const found: ProcessIdentity[] = []
  for (const queue = [pid]; queue.length > 0;) {
    const next = children.get(queue.pop() ?? 0) ?? []
    found.push(...next)
    queue.push(...next.map((child) => child.pid))
  }
  return found
}

/** Whether a process is there and can still do something. */
export function isRunning({ pid, started }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  const status = statusOf(pid)
  return status === undefined || (status.state !== 'Z' && (started === undefined || status.started === started))
}

/** Sends a signal to those of the processes that are still the ones that were meant. */
export function signalAll(processes: Iterable<ProcessIdentity>, signal: NodeJS.Signals): void {
  for (const each of processes) {
    if (!isRunning(each)) continue
    try {
      process.kill(each.pid, signal)
    } catch {
      // It ended between the question and the signal.
    }
  }
}
