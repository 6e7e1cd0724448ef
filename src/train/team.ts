/**
 * The workers of one training, and all that they agree about besides tensors. Worker 0 decides what its clock decides; a
 * signal to any worker stops all, at the same step. One worker alone agrees with itself and exchanges nothing.
 */
import { createHash } from 'node:crypto'
import { TalwegError } from '../core/errors.js'
import { readVersion } from '../distribute/version.js'
import type { Communicator, Exchanged } from '../engine/communicator.js'
import type { JsonValue } from './checkpoint/index.js'
import { describeSettings, type PreparedTraining } from './session.js'
import type { StopRequest } from './stop.js'

/** What is decided after each call of the engine. */
export interface Decisions {
  readonly stop: StopRequest | undefined
  readonly isBudgetReached: boolean
  readonly isCheckpointDue: boolean
}

export interface Team {
  /** Undefined for one worker alone. */
  readonly communicator: Communicator | undefined
  /** Steps that a call has at most, at the worker that has least room. */
  readonly maxStepsPerCall: number
  /** Steps of the next call: worker 0's wish. To be asked for by all, in the same order as all else. */
  stepsOfCall(wanted: number): Promise<number>
  agree(own: Decisions): Promise<Decisions>
  /** What was exchanged since this was last asked, by the names that reports have for it; nothing by one worker alone. */
  exchanged(): Promise<Readonly<Record<string, number>>>
}

/** One worker. */
export function alone({ maxStepsPerCall }: PreparedTraining): Team {
  return {
    communicator: undefined,
    maxStepsPerCall,
    stepsOfCall: (wanted) => Promise.resolve(wanted),
    agree: (own) => Promise.resolve(own),
    exchanged: () => Promise.resolve({}),
  }
}

/**
 * Several workers, once each has shown that it trains the same.
 *
 * @param flags what this worker was told at its launch
 * @throws WORLD_MISMATCH naming the worker, its host and what differs
 */
export async function assemble(
  prepared: PreparedTraining,
  flags: Readonly<Record<string, unknown>>,
  communicator: Communicator,
): Promise<Team> {
  const parts = (await communicator.allGather(toBytes(introduce(prepared, flags)))).map(
    (bytes) => fromBytes(bytes) as Introduction,
  )
  parts.forEach((part, worker) => refuseDifference(parts[0], part, worker, communicator))
  return {
    communicator,
    maxStepsPerCall: Math.min(...parts.map((part) => part.maxStepsPerCall)),
    stepsOfCall: async (wanted) =>
      fromBytes(await communicator.broadcast(communicator.rank === 0 ? toBytes(wanted) : undefined)) as number,
    agree: async (own) => {
      const all = (await communicator.allGather(toBytes(own))).map((bytes) => fromBytes(bytes) as Decisions)
      return { ...all[0], stop: all.find(({ stop }) => stop !== undefined)?.stop }
    },
    exchanged: async () => {
      const all = await communicator.allGather(toBytes(communicator.exchanged()))
      return summarize(all.map((bytes) => fromBytes(bytes) as Exchanged))
    },
  }
}

/** Bytes of all workers; seconds of a worker on average, and of the one that waited most: the others were waited for. */
function summarize(all: readonly Exchanged[]): Record<string, number> {
  const sum = (name: keyof Exchanged): number => all.reduce((total, each) => total + each[name], 0)
  const seconds = (value: number): number => Number(value.toFixed(3))
  return {
    bytesSent: sum('bytesSent'),
    secondsExchanging: seconds(sum('secondsExchanging') / all.length),
    secondsWaiting: seconds(sum('secondsWaiting') / all.length),
    mostSecondsWaiting: seconds(Math.max(...all.map(({ secondsWaiting }) => secondsWaiting))),
  }
}

/** What has to be the same at all workers, by the names that a message has for it. */
interface Introduction {
  readonly same: Readonly<Record<string, JsonValue>>
  readonly maxStepsPerCall: number
}

function introduce(prepared: PreparedTraining, flags: Readonly<Record<string, unknown>>): Introduction {
  // Threads are the machine's, and come to the same bits.
  const { threads: _threads, ...settings } = describeSettings(prepared)
  const { threads: _given, ...given } = flags
  return {
    same: {
      "Talweg's version": readVersion(),
      data: prepared.source.fingerprint,
      ...prefixed('the flag ', jsonOf(given)),
      ...prefixed('', settings),
      'the traced step (model, loss, optimiser)': createHash('sha256').update(prepared.stepText()).digest('hex'),
    },
    maxStepsPerCall: prepared.maxStepsPerCall,
  }
}

function prefixed(prefix: string, values: Readonly<Record<string, JsonValue>>): Record<string, JsonValue> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]))
}

/** @throws WORLD_MISMATCH */
function refuseDifference(first: Introduction, other: Introduction, worker: number, communicator: Communicator): void {
  const names = new Set([...Object.keys(first.same), ...Object.keys(other.same)])
  const text = (value: JsonValue | undefined): string => (value === undefined ? 'not given' : JSON.stringify(value))
  for (const name of names) {
    const [here, there] = [text(first.same[name]), text(other.same[name])]
    if (here === there) continue
    throw new TalwegError({
      code: 'WORLD_MISMATCH',
      operation: 'workers',
      problem: `${name} differs: worker 0 on ${communicator.hosts()[0]} has ${here}, worker ${worker} on ${communicator.hosts()[worker]} has ${there}`,
      hint: 'start all workers with the same command, on the same files and data',
    })
  }
}

/** What `JSON` has of it. */
export function jsonOf(settings: Readonly<Record<string, unknown>>): Record<string, JsonValue> {
  return JSON.parse(JSON.stringify(settings)) as Record<string, JsonValue>
}

/** What worker 0 says, to all. */
export async function toldByFirst<T>(communicator: Communicator | undefined, own: () => Promise<T>): Promise<T> {
  if (communicator === undefined) return own()
  const bytes = communicator.rank === 0 ? toBytes((await own()) ?? null) : undefined
  return fromBytes(await communicator.broadcast(bytes)) as T
}

function toBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function fromBytes(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes))
}
