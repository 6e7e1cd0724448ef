/**
 * The addon that `native/` builds, loaded when it is first wanted. It checks nothing that is checked here: what it is
 * given is well formed.
 */
import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { errorCodes, TalwegError, type ErrorCode } from '../../core/errors.js'
import type { DType } from '../../core/dtype.js'
import type { Exchanged } from '../communicator.js'

/** Memory and loaded programs of the addon: opaque here. */
export type NativeMemory = object & { readonly __memory: never }
export type NativeProgram = object & { readonly __program: never }

export interface NativeFinding {
  readonly label: string
  readonly operation: string
  readonly dtype: DType
  readonly shape: readonly number[]
}

/** All promises are settled by a thread of the engine's own; arrays given to it must stay unchanged until then. */
export interface NativeAddonEngine {
  describe(): { readonly target: string; readonly threads: number; readonly onednn: string }
  allocate(sizeBytes: number, contents: Uint8Array | undefined): NativeMemory
  read(memory: NativeMemory, into: Uint8Array, offsetBytes: number): Promise<void>
  write(memory: NativeMemory, from: Uint8Array, offsetBytes: number): Promise<void>
  /** Takes `wireOfInstructions`. */
  scratchBytes(bytes: Uint8Array, arrays: readonly Uint8Array[]): readonly number[]
  /** Takes `wireOfProgram`. */
  load(bytes: Uint8Array, arrays: readonly Uint8Array[], state: readonly NativeMemory[]): Promise<NativeProgram>
  run(
    program: NativeProgram,
    inputs: readonly Uint8Array[],
    outputs: readonly Uint8Array[],
    steps: number,
    /** See `RunOptions`. */
    rows: Int32Array | undefined,
    /** Where the marks of a timed run go, see `CallTimes`. */
    marks: Float64Array | undefined,
  ): Promise<void>
  /** Frees a program, which must not be called again. */
  release(program: NativeProgram): void
  findNonFinite(program: NativeProgram, inputs: readonly Uint8Array[]): Promise<NativeFinding | undefined>
  /** FLOP/s of products of two element types, and bytes/s. */
  measurePeaks(): Promise<{ readonly f32: number; readonly bf16?: number; readonly bytes: number }>
}

export interface NativeAddonCommunicator {
  /** Resolved once every worker has done the same. */
  open(timeoutMs: number): Promise<NativeOpened>
  /** The same bytes to each of `to`; gives those of each of `from`. `name` is for messages. */
  exchange(name: string, bytes: Uint8Array, to: readonly number[], from: readonly number[]): Promise<Uint8Array[]>
  exchanged(): Exchanged
  close(): Promise<void>
  /** Node need not stay for `open`, which waits for the others without end. */
  abandon(): void
}

export interface NativeOpened {
  readonly rank: number
  readonly size: number
  readonly hosts: readonly string[]
  /** Of the MPI library. */
  readonly version: string
}

interface Addon {
  readonly Engine: new (
    threads: number,
    target: string,
    communicator: NativeAddonCommunicator | undefined,
  ) => NativeAddonEngine
  readonly Communicator: new () => NativeAddonCommunicator
  /** Pairs, one after the other: the twin of `core/shardTree.ts`, for its test. */
  readonly joinsOfWorkers: (numShards: number, numWorkers: number) => readonly number[]
}

/** From `src/engine/native/` and from `dist/engine/native/` alike. */
export const addonPath = fileURLToPath(new URL('../../../build/native/talweg.node', import.meta.url))

export const howToBuild = 'run ./setup, which says what is missing; on Debian it needs g++, make, cmake and libdnnl-dev'

/** Throws `ENGINE_UNAVAILABLE` where the addon was not built or the system can't load it. */
export function loadAddon(file = addonPath): Addon {
  if (!existsSync(file)) throw unavailable('it was not built here')
  waitWithoutSpinning()
  try {
    return createRequire(import.meta.url)(file) as Addon
  } catch (error) {
    throw unavailable(`its addon can't be loaded: ${(error as Error).message}`, error)
  }
}

/**
 * GNU's OpenMP lets a thread that waits for the others spin for milliseconds. Where another process has one of the cores
 * that costs the step 20 to 50 times its own time; asleep after some microseconds it costs a few per cent. It reads its
 * settings when it is loaded, so they are put into the environment before; what the user has set there stays.
 */
function waitWithoutSpinning(): void {
  if (process.env['OMP_WAIT_POLICY'] === undefined) process.env['GOMP_SPINCOUNT'] ??= '1000'
}

function unavailable(problem: string, cause?: unknown): TalwegError {
  return new TalwegError({ code: 'ENGINE_UNAVAILABLE', operation: 'native engine', problem, hint: howToBuild, cause })
}

/** The addon's error, whose `code` is one of ours, as a `TalwegError`. */
export function fromAddon(error: unknown, operation: string): TalwegError {
  if (error instanceof TalwegError) return error
  const { code, message } = error as { readonly code?: string; readonly message: string }
  const known = errorCodes.find((candidate) => candidate === code)
  const resolved: ErrorCode = known ?? 'ENGINE_FAILED'
  return new TalwegError({ code: resolved, operation, problem: message, cause: error })
}
