/**
 * Coded errors. Everything that a user can cause ends in one of these, never in a bare `Error`: the code is
 * stable (scripts may match on it), the exit code follows from it, and the message always reads
 *
 *     operation: what is wrong: both values. Hint: what to do. At file:line
 *
 * The table below is the single list of codes; `docs/errors.md` documents each, and a test holds them together.
 */

/** Process exit codes of every command (documented in `docs/errors.md`). */
export const exitCodes = {
  done: 0,
  failed: 1,
  wrongRequest: 2,
  diverged: 3,
  doesNotFit: 4,
  workerLost: 5,
  budgetReached: 6,
  preempted: 75,
} as const

/** Each error code with the exit code it leads to. */
const errorTable = {
  SHAPE_MISMATCH: exitCodes.wrongRequest,
  DTYPE_MISMATCH: exitCodes.wrongRequest,
  NOT_DIFFERENTIABLE: exitCodes.wrongRequest,
  TRACE_MISUSE: exitCodes.wrongRequest,
  UNKNOWN_FLAG: exitCodes.wrongRequest,
  UNKNOWN_SETTING: exitCodes.wrongRequest,
  INVALID_SETTING: exitCodes.wrongRequest,
  FILE_NOT_FOUND: exitCodes.wrongRequest,
  INVALID_FILE: exitCodes.wrongRequest,
  INVALID_DATA: exitCodes.wrongRequest,
  INVALID_TRAINING: exitCodes.wrongRequest,
  RUN_EXISTS: exitCodes.wrongRequest,
  CHECKPOINT_MISMATCH: exitCodes.wrongRequest,
  CHECKPOINT_DAMAGED: exitCodes.failed,
  DISK_FULL: exitCodes.failed,
  ENGINE_UNAVAILABLE: exitCodes.wrongRequest,
  ENGINE_FAILED: exitCodes.failed,
  UNSUPPORTED_BY_ENGINE: exitCodes.wrongRequest,
  MPI_UNAVAILABLE: exitCodes.wrongRequest,
  WORLD_MISMATCH: exitCodes.wrongRequest,
  EXCHANGE_TIMEOUT: exitCodes.failed,
  WORKER_LOST: exitCodes.workerLost,
  TRIAL_FAILED: exitCodes.failed,
  DIVERGED: exitCodes.diverged,
  DOES_NOT_FIT: exitCodes.doesNotFit,
  INTERNAL: exitCodes.failed,
} as const

export type ErrorCode = keyof typeof errorTable
export const errorCodes = Object.keys(errorTable) as ErrorCode[]

/** Where in a user's material the fault lies. */
export interface ErrorPlace {
  /** Path of the file at fault, as the user named it. */
  file?: string
  /** Line in a text or source file, from 1. */
  line?: number
  /** Data row, from 1, the header not counted. */
  row?: number
  /** Column's name in a table. */
  column?: string
}

export interface ErrorParts {
  code: ErrorCode
  /** The operation, command or reader that found the fault: `dotGeneral`, `fit`, `checkpoint`. */
  operation: string
  /** What is wrong, with both values and full types where two things disagree. No final full stop. */
  problem: string
  /** What to do about it. No final full stop. */
  hint?: string
  place?: ErrorPlace
  cause?: unknown
}

/**
 * The one error class of Talweg.
 *
 * @example
 * throw new TalwegError({
 *   code: 'SHAPE_MISMATCH',
 *   operation: 'dotGeneral',
 *   problem: 'contracting sizes differ: left dimension 1 is 64, right dimension 0 is 32 (left f32[8,64], right f32[32,16])',
 *   hint: 'transpose the right operand',
 * })
 */
export class TalwegError extends Error {
  override readonly name = 'TalwegError'
  readonly code: ErrorCode
  readonly exitCode: number
  readonly operation: string
  readonly problem: string
  readonly hint: string | undefined
  readonly place: ErrorPlace | undefined

  constructor(parts: ErrorParts) {
    super(formatMessage(parts), parts.cause === undefined ? undefined : { cause: parts.cause })
    this.code = parts.code
    this.exitCode = errorTable[parts.code]
    this.operation = parts.operation
    this.problem = parts.problem
    this.hint = parts.hint
    this.place = parts.place
  }

  /** The same error, with its place known better. */
  at(place: ErrorPlace): TalwegError {
    const { code, operation, problem, hint } = this
    return new TalwegError({
      code,
      operation,
      problem,
      hint,
      place: { ...this.place, ...place },
      cause: this.cause ?? this,
    })
  }
}

function formatMessage({ operation, problem, hint, place }: ErrorParts): string {
  const at = place === undefined ? '' : formatPlace(place)
  return `${operation}: ${problem}.${hint === undefined ? '' : ` Hint: ${hint}.`}${at === '' ? '' : ` At ${at}`}`
}

function formatPlace({ file, line, row, column }: ErrorPlace): string {
  const start =
    file === undefined ? (line === undefined ? '' : `line ${line}`) : line === undefined ? file : `${file}:${line}`
  const parts = [start, row === undefined ? '' : `row ${row}`, column === undefined ? '' : `column "${column}"`]
  return parts.filter((part) => part !== '').join(', ')
}

/** Asserts an invariant of Talweg's own; its failure is a bug here, never the user's fault. */
export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) {
    throw new TalwegError({
      code: 'INTERNAL',
      operation: 'talweg',
      problem: `invariant broken: ${what}`,
      hint: 'this is a bug in Talweg; please report it',
    })
  }
}
