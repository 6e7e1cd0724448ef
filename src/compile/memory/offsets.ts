/**
 * Where each buffer lies in the arena. Buffers whose lifetimes don't meet may share memory.
 *
 * Finding the smallest arena is NP-hard (dynamic storage allocation). Greedy by size, each buffer put into the smallest
 * gap that holds it (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020), is at or near the lower
 * bound on training steps. Placing by lifetime first does better on some graphs: the smaller of the two is taken.
 */

export interface Interval {
  readonly sizeBytes: number
  /** First and last instruction at which it is in use, both included. */
  readonly start: number
  readonly end: number
}

export const alignmentBytes = 64

export interface ArenaPlan {
  /** For each interval, in order. */
  readonly offsets: readonly number[]
  readonly sizeBytes: number
  /** The most that is in use at any instruction: no plan can be smaller. */
  readonly lowerBoundBytes: number
}

export function planOffsets(intervals: readonly Interval[]): ArenaPlan {
  const aligned = intervals.map((interval) => ({ ...interval, sizeBytes: align(interval.sizeBytes) }))
  const lowerBoundBytes = mostInUse(aligned)
  const bySize = place(aligned, (a, b) => b.sizeBytes - a.sizeBytes || a.start - b.start)
  if (bySize.sizeBytes === lowerBoundBytes) return { ...bySize, lowerBoundBytes }
  const byLifetime = place(aligned, (a, b) => b.end - b.start - (a.end - a.start) || b.sizeBytes - a.sizeBytes)
  return { ...(byLifetime.sizeBytes < bySize.sizeBytes ? byLifetime : bySize), lowerBoundBytes }
}

function align(sizeBytes: number): number {
  return Math.ceil(sizeBytes / alignmentBytes) * alignmentBytes
}

function mostInUse(intervals: readonly Interval[]): number {
  const change = new Map<number, number>()
  const add = (position: number, bytes: number): void => void change.set(position, (change.get(position) ?? 0) + bytes)
  for (const { start, end, sizeBytes } of intervals) {
    add(start, sizeBytes)
    add(end + 1, -sizeBytes)
  }
  let inUse = 0
  let most = 0
  for (const position of [...change.keys()].sort((a, b) => a - b)) {
    inUse += change.get(position)!
    most = Math.max(most, inUse)
  }
  return most
}

interface Placed extends Interval {
  readonly offset: number
}

function place(
  intervals: readonly Interval[],
  order: (a: Interval, b: Interval) => number,
): { offsets: number[]; sizeBytes: number } {
  const offsets = new Array<number>(intervals.length).fill(0)
  const sorted = [...intervals.keys()].sort((a, b) => order(intervals[a], intervals[b]) || a - b)
  const placed: Placed[] = [] // by offset
  let total = 0
  for (const index of sorted) {
    const interval = intervals[index]
    if (interval.sizeBytes === 0) continue
    const offset = bestGap(placed, interval)
    offsets[index] = offset
    total = Math.max(total, offset + interval.sizeBytes)
    insert(placed, { ...interval, offset })
  }
  return { offsets, sizeBytes: total }
}

/** The offset of the smallest gap, among the placed buffers that are alive at the same time, that holds the interval. */
function bestGap(placed: readonly Placed[], { sizeBytes, start, end }: Interval): number {
  let best = -1
  let bestSize = Infinity
  let free = 0
  for (const other of placed) {
    if (other.end < start || other.start > end) continue
    const gap = other.offset - free
    if (gap >= sizeBytes && gap < bestSize) {
      best = free
      bestSize = gap
    }
    if (other.offset + other.sizeBytes > free) free = other.offset + other.sizeBytes
  }
  return best >= 0 ? best : free
}

function insert(placed: Placed[], item: Placed): void {
  let low = 0
  let high = placed.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (placed[middle].offset <= item.offset) low = middle + 1
    else high = middle
  }
  placed.splice(low, 0, item)
}
