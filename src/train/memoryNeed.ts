/**
 * What a training takes in memory, part by part, known before the first byte is allocated; and the refusal of one that
 * this machine has no memory for.
 */
import type { CompiledProgram } from '../compile/index.js'
import { TalwegError } from '../core/errors.js'
import type { EvaluationPlan } from './evaluator.js'
import { availableMemoryBytes } from './memory.js'
import type { PreparedTraining } from './session.js'

/** What a run takes, in bytes, part by part. */
export interface MemoryNeed {
  /** Parameters, optimiser state. */
  readonly stateBytes: number
  /** Activations, gradients and all else that a step computes. */
  readonly stepBytes: number
  /** Batches read ahead, and the engine's own of the step that it works on. */
  readonly batchBytes: number
  readonly evaluationBytes: number
  /** The piece of the state that a checkpoint is written by. */
  readonly checkpointBytes: number
  /** The loaded programs themselves, and what Node's own heap grows by. */
  readonly programBytes: number
  readonly totalBytes: number
}

/** How much of the state is on the host at once while it is written. */
export const pieceBytes = 4 * 2 ** 20

/**
 * What a run takes beside its buffers, measured: garbage that V8 lets wait, and for each instruction its record, its
 * primitive and that primitive's code.
 */
const runtimeBytes = 6e6
const instructionBytes = 14e3

export function memoryNeed(
  compiled: CompiledProgram,
  stackBytes: number,
  evaluation: EvaluationPlan | undefined,
): MemoryNeed {
  const { peakBytes, stateBytes, inputBytes } = compiled.plan
  const programs = [compiled, ...(evaluation?.parts ?? []).map((part) => part.compiled)]
  const numInstructions = programs.reduce((sum, { program }) => sum + program.instructions.length, 0)
  const parts = {
    stateBytes,
    stepBytes: peakBytes - stateBytes - inputBytes,
    batchBytes: stackBytes + inputBytes,
    evaluationBytes: evaluation?.extraBytes ?? 0,
    checkpointBytes: Math.min(stateBytes, pieceBytes),
    programBytes: runtimeBytes + instructionBytes * numInstructions,
  }
  return { ...parts, totalBytes: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) }
}

/**
 * Refuses a training that this machine has no memory for.
 *
 * @param availableBytes for tests
 * @throws DOES_NOT_FIT with both figures
 */
export function checkFits(
  { memory, batchSize, settings }: PreparedTraining,
  availableBytes = availableMemoryBytes(),
): void {
  const { totalBytes, stateBytes, stepBytes, batchBytes, evaluationBytes, checkpointBytes, programBytes } = memory
  if (totalBytes <= availableBytes) return
  const sizes = Object.entries({
    state: stateBytes,
    step: stepBytes,
    batches: batchBytes,
    validation: evaluationBytes,
    checkpoint: checkpointBytes,
    programs: programBytes,
  }).map(([name, sizeBytes]) => `${name} ${megabytes(sizeBytes)}`)
  throw new TalwegError({
    code: 'DOES_NOT_FIT',
    operation: 'train',
    problem: `the training takes ${megabytes(totalBytes)} and ${megabytes(availableBytes)} are free (${sizes.join(', ')})`,
    hint: whatWouldFit(memory, batchSize, settings.accumulate, availableBytes),
  })
}

/** A step's own memory shrinks with the number of parts that its batch is worked through in; the state does not. */
function whatWouldFit(
  { stateBytes, stepBytes, totalBytes }: MemoryNeed,
  batchSize: number,
  accumulate: number,
  availableBytes: number,
): string {
  const leftForStep = availableBytes - (totalBytes - stepBytes)
  if (leftForStep <= 0 && stateBytes >= stepBytes)
    return 'most of it is the state: take a smaller model, or an optimiser with less of its own (optim.sgd, optim.lion)'
  let parts = leftForStep <= 0 ? Infinity : Math.ceil((accumulate * stepBytes) / leftForStep)
  while (parts <= batchSize && batchSize % parts !== 0) parts++
  const smallerParts =
    parts > batchSize ? '' : `work through a batch in smaller parts (--accumulate ${parts} or more), `
  return `${smallerParts}take a smaller batch, or recompute parts of the model in its backward pass (remat)`
}

function megabytes(sizeInBytes: number): string {
  return `${Math.ceil(sizeInBytes / 1e6).toLocaleString('en')} MB`
}
