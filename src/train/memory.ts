/** How much memory there is for a run, as far as the system says: what is free, and what the container is allowed. */
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import path from 'node:path'

/** Bytes that can still be taken without swapping or being killed. */
export function availableMemoryBytes(): number {
  const free = linuxAvailableBytes() ?? totalmem()
  return Math.min(free, ...cgroupFreeBytes())
}

function linuxAvailableBytes(): number | undefined {
  const match = /^MemAvailable:\s+(\d+) kB/m.exec(readOrEmpty('/proc/meminfo'))
  return match === null ? undefined : Number(match[1]) * 1024
}

/** For this process's control group and each one around it, what its limit leaves. */
function cgroupFreeBytes(): number[] {
  const groups = readOrEmpty('/proc/self/cgroup')
  const v2 = /^0::(\/.*)$/m.exec(groups)?.[1]
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1]
  const found = [
    ...(v2 === undefined ? [] : limitsOf('/sys/fs/cgroup', v2, 'memory.max', 'memory.current', 'inactive_file')),
    ...(v1 === undefined
      ? []
      : limitsOf('/sys/fs/cgroup/memory', v1, 'memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file')),
  ]
  return found.filter(Number.isFinite)
}

/** Cached files count as used, and are given back when memory is wanted. */
function limitsOf(root: string, group: string, limitName: string, usedName: string, cacheKey: string): number[] {
  const free: number[] = []
  for (let current = group; ; current = path.posix.dirname(current)) {
    const folder = path.posix.join(root, current)
    const limit = Number.parseInt(readOrEmpty(path.posix.join(folder, limitName)), 10)
    const used = Number.parseInt(readOrEmpty(path.posix.join(folder, usedName)), 10)
    const cache = new RegExp(`^${cacheKey} (\\d+)`, 'm').exec(readOrEmpty(path.posix.join(folder, 'memory.stat')))
    free.push(Math.max(0, limit - used + Number(cache?.[1] ?? 0)))
    if (current === '/') return free
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
