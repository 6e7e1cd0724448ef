/**
 * How a batch is cut into virtual shards, which of them a worker has, and how what workers have each a part of the sum of
 * becomes the whole sum at each.
 *
 * The mesh has one axis of workers, `data`. What is summed goes in buckets: a message for each small tensor would cost
 * more than what is in it, and one message for all could only be sent after the last.
 */
import { sizeBytes } from '../core/shape.js'
import { shardsOfWorkers, type ShardRange } from '../core/shardTree.js'
import { tensorOf, type AnyTensor } from '../graph/index.js'
import { applyAll } from '../ops/lift.js'

/** The axis of a mesh along which each worker has another part of the batch. */
export const dataAxis = 'data'

export interface BatchSharding {
  /** Virtual shards of a batch: what the bits depend on. */
  readonly numShards: number
  /** Workers that share them: what no bit depends on. */
  readonly numWorkers: number
  /** The shards of this worker, a subtree of the tree over all. */
  readonly own: ShardRange
}

/** One shard, one worker. */
export const wholeBatch: BatchSharding = { numShards: 1, numWorkers: 1, own: { first: 0, count: 1 } }

export function shardBatch(numShards: number, numWorkers: number, rank: number): BatchSharding {
  return { numShards, numWorkers, own: shardsOfWorkers(numShards, numWorkers)[rank] }
}

/** Large enough that sending costs little beside the bytes, small enough that there are several to a large model. */
const bucketBytes = 4 * 2 ** 20

/** The sums over all workers, in the order of the tree over shards. With one worker nothing is done. */
export function sumOverWorkers(
  { numShards, numWorkers }: BatchSharding,
  values: readonly AnyTensor[],
): readonly AnyTensor[] {
  if (numWorkers === 1) return values
  const sums = new Map<AnyTensor, AnyTensor>()
  for (const bucket of intoBuckets(values)) {
    const attributes = { axis: dataAxis, size: numWorkers, kind: 'add', shards: numShards } as const
    applyAll('allReduce', bucket, attributes).forEach((sum, index) => sums.set(bucket[index], tensorOf(sum)))
  }
  return values.map((value) => sums.get(value)!)
}

/** Neighbours of one element type together, the last first: a backward pass makes the last gradients first. */
function intoBuckets(values: readonly AnyTensor[]): AnyTensor[][] {
  const buckets: AnyTensor[][] = []
  let room = 0
  for (const value of values.toReversed()) {
    const bytes = sizeBytes(value.type)
    const last = buckets.at(-1)
    if (last !== undefined && last[0].dtype === value.dtype && bytes <= room) last.push(value)
    else {
      buckets.push([value])
      room = bucketBytes
    }
    room -= bytes
  }
  return buckets
}
