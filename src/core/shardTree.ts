/**
 * The tree in which sums over a batch's virtual shards are taken, and how its leaves are given to workers.
 *
 * Neighbours are paired, and pairs of pairs, with what is left over going up: ((0+1)+(2+3))+(4+5) for six shards. A worker has
 * one subtree: it sums that alone, and the rest of the tree is summed between workers. So the order of every addition, and
 * with it every bit, depends on the number of shards and not on the number of workers. `native/mpi/tree.cpp` has the same.
 */
import { invariant } from './errors.js'

/** A run of neighbouring shards. */
export interface ShardRange {
  readonly first: number
  readonly count: number
}

/** `value[into] += value[from]`: one node of the tree, between workers. */
export type Join = readonly [into: number, from: number]

/** How many of `count` neighbours are below a node's left branch: the largest power of two that leaves some for its right. */
function leftCount(count: number): number {
  let left = 1
  while (left * 2 < count) left *= 2
  return left
}

/** Shards of each worker, in the workers' order. The largest part is halved until there are enough; of equals the last. */
export function shardsOfWorkers(numShards: number, numWorkers: number): readonly ShardRange[] {
  invariant(
    Number.isInteger(numWorkers) && numWorkers >= 1 && numWorkers <= numShards,
    `${numWorkers} workers have at least a shard each of ${numShards}`,
  )
  const parts: ShardRange[] = [{ first: 0, count: numShards }]
  while (parts.length < numWorkers) {
    const largest = Math.max(...parts.map(({ count }) => count))
    const index = parts.findLastIndex(({ count }) => count === largest)
    const { first, count } = parts[index]
    const left = leftCount(count)
    parts.splice(index, 1, { first, count: left }, { first: first + left, count: count - left })
  }
  return parts
}

/** The rows that a run of shards has: shard k of S has rows floor(k · B / S) up to floor((k + 1) · B / S) of a batch of B. */
export function rowsOfShards(
  { first, count }: ShardRange,
  numShards: number,
  batchSize: number,
): { start: number; end: number } {
  const firstRowOf = (shard: number): number => Math.floor((shard * batchSize) / numShards)
  return { start: firstRowOf(first), end: firstRowOf(first + count) }
}

/** The sum over all of a tree's leaves, leaf by leaf from the left, in the tree's order. */
export function sumOverShards<T>(range: ShardRange, leaf: (shard: number) => T, add: (left: T, right: T) => T): T {
  const { first, count } = range
  if (count === 1) return leaf(first)
  const left = leftCount(count)
  const before = sumOverShards({ first, count: left }, leaf, add)
  return add(before, sumOverShards({ first: first + left, count: count - left }, leaf, add))
}

/** The additions between workers, in an order in which they can be done; the sum of all is then at worker 0. */
export function joinsOfWorkers(numShards: number, numWorkers: number): readonly Join[] {
  const parts = shardsOfWorkers(numShards, numWorkers)
  const joins: Join[] = []
  const below = ({ first, count }: ShardRange): number => {
    const owner = parts.findIndex((part) => part.first === first)
    if (parts[owner].count === count) return owner
    const left = leftCount(count)
    const into = below({ first, count: left })
    joins.push([into, below({ first: first + left, count: count - left })])
    return into
  }
  below({ first: 0, count: numShards })
  return joins
}
