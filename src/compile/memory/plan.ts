/** The memory plan: from a draft to buffers with places, and the figures that `inspect` prints and `train` checks. */
import type { ProgramBuffer } from '../../engine/program.js'
import type { Draft } from './draft.js'
import { findLifetimes } from './liveness.js'
import { planOffsets, type Interval } from './offsets.js'
import { planSharing, type Sharing } from './sharing.js'

/** What a program needs, in bytes. Inputs and outputs are those of a call of one step. */
export interface MemoryFigures {
  readonly arenaBytes: number
  /** The most that is alive at once in the arena: no plan could be smaller. */
  readonly arenaLowerBoundBytes: number
  readonly stateBytes: number
  readonly inputBytes: number
  readonly outputBytes: number
  readonly constantBytes: number
  /** The largest working memory of one instruction; part of the arena. */
  readonly scratchBytes: number
  /** All of the above that is held at once. */
  readonly peakBytes: number
}

export interface PlannedMemory {
  readonly buffers: readonly ProgramBuffer[]
  /** The buffer of each storage. */
  readonly bufferOf: Int32Array
  /** For each instruction, the storages that nobody reads afterwards. */
  readonly dying: readonly (readonly number[])[]
  /** For each instruction, its scratch buffer or undefined. */
  readonly scratch: readonly (number | undefined)[]
  readonly isAliased: readonly boolean[]
  readonly figures: MemoryFigures
}

export function planMemory(draft: Draft, scratchSizes: readonly number[], allowInPlace: boolean): PlannedMemory {
  const lifetimes = findLifetimes(draft)
  const sharing = planSharing(draft, lifetimes, allowInPlace)
  const { buffers, bufferOf, intervals, bufferOfInterval } = collectBuffers(draft, sharing)
  const scratch = scratchSizes.map((sizeBytes, position) => {
    if (sizeBytes === 0) return undefined
    intervals.push({ sizeBytes, start: position, end: position })
    bufferOfInterval.push(buffers.length)
    return buffers.push({ storage: 'arena', sizeBytes, offsetBytes: 0 }) - 1
  })
  const arena = planOffsets(intervals)
  arena.offsets.forEach((offsetBytes, index) => {
    buffers[bufferOfInterval[index]] = { ...buffers[bufferOfInterval[index]], offsetBytes }
  })
  const figures = sumUp(buffers, arena.sizeBytes, arena.lowerBoundBytes, Math.max(0, ...scratchSizes))
  const dying = findDying(draft, lifetimes.lastRead)
  return { buffers, bufferOf, dying, scratch, isAliased: sharing.isAliased, figures }
}

interface CollectedBuffers {
  readonly buffers: ProgramBuffer[]
  readonly bufferOf: Int32Array
  readonly intervals: Interval[]
  readonly bufferOfInterval: number[]
}

function collectBuffers(draft: Draft, { owner, start, end }: Sharing): CollectedBuffers {
  const buffers: ProgramBuffer[] = []
  const bufferOf = new Int32Array(draft.storages.length)
  const intervals: Interval[] = []
  const bufferOfInterval: number[] = []
  draft.storages.forEach(({ kind, sizeBytes, data }, storage) => {
    if (owner[storage] !== storage) return
    bufferOf[storage] = buffers.push({ storage: kind, sizeBytes, offsetBytes: 0, data }) - 1
    if (kind !== 'arena') return
    intervals.push({ sizeBytes, start: start[storage], end: end[storage] })
    bufferOfInterval.push(bufferOf[storage])
  })
  owner.forEach((owned, storage) => (bufferOf[storage] = bufferOf[owned]))
  return { buffers, bufferOf, intervals, bufferOfInterval }
}

/** The arena storages whose last reader each instruction is. */
function findDying(draft: Draft, lastRead: Int32Array): number[][] {
  const outputs = new Set(draft.state.map(({ output }) => (output === undefined ? -1 : draft.values[output].storage)))
  const dying = draft.instructions.map((): number[] => [])
  draft.storages.forEach(({ kind }, storage) => {
    if (kind === 'arena' && !outputs.has(storage)) dying[lastRead[storage]].push(storage)
  })
  return dying
}

function sumUp(
  buffers: readonly ProgramBuffer[],
  arenaBytes: number,
  arenaLowerBoundBytes: number,
  scratchBytes: number,
): MemoryFigures {
  const total = (storage: ProgramBuffer['storage']): number =>
    buffers.reduce((sum, buffer) => (buffer.storage === storage ? sum + buffer.sizeBytes : sum), 0)
  const [stateBytes, inputBytes, outputBytes, constantBytes] = [
    total('state'),
    total('input'),
    total('output'),
    total('constant'),
  ]
  const peakBytes = arenaBytes + stateBytes + inputBytes + outputBytes + constantBytes
  return {
    arenaBytes,
    arenaLowerBoundBytes,
    stateBytes,
    inputBytes,
    outputBytes,
    constantBytes,
    scratchBytes,
    peakBytes,
  }
}
