/**
 * The one interface behind which every engine stands. The test suite in `test/engines` runs over each of them.
 */
import type { DType } from '../core/dtype.js'
import type { Communicator } from './communicator.js'
import type { CompositeName } from '../core/operations.js'
import type { TensorData, TensorType } from '../core/shape.js'
import type { Instruction, InstructionOperation, Program, ProgramValue } from './program.js'

export type EngineName = 'reference' | 'native' | 'portable'

/** Memory of an engine that outlives calls: a parameter, an optimiser slot. Freed when nobody holds it. */
export interface EngineBuffer {
  readonly type: TensorType
  /**
   * A copy of what it holds, taken between calls.
   *
   * @param into memory for it, of the buffer's type; new memory by default
   */
  read(into?: TensorData): Promise<TensorData>
  /** A copy of some rows, dimension 0 counting them. Absent where memory is read whole. */
  readRows?(firstRow: number, into: TensorData): Promise<void>
  write(data: TensorData): Promise<void>
  /**
   * Writes some rows, dimension 0 counting them, so that what is large need never be on the host at once. Absent where
   * memory is replaced whole.
   */
  writeRows?(firstRow: number, rows: TensorData): Promise<void>
}

export interface RunOptions {
  /** How many steps to run in this call; stepped inputs have so many rows, and so have the outputs then. */
  readonly steps?: number
  /**
   * For each step, which rows of the data make up its batch. Stepped inputs are then the whole data, all with as many rows,
   * `[rows, …]`, and a step takes as many rows as its inputs have. For engines of which `takesRows`.
   */
  readonly rows?: Int32Array
}

/** The first value found not to be finite, by a run in which each instruction's results are looked at. */
export interface NonFiniteFinding {
  /** The instruction's label, or `state NAME` / `input NAME` where it came from outside. */
  readonly label: string
  readonly operation: string
  readonly type: TensorType
}

export interface Executable {
  readonly program: Program
  /** Runs the program; calls are carried out in the order in which they were made. Inputs by name. */
  run(inputs: Readonly<Record<string, TensorData>>, options?: RunOptions): Promise<Record<string, TensorData>>
  /** Runs one step without keeping its new state and names the first value that is NaN or infinite. */
  findNonFinite(inputs: Readonly<Record<string, TensorData>>): Promise<NonFiniteFinding | undefined>
  /**
   * Gives its memory back now, where it would else be held until V8 next looks for garbage. It must not be called again.
   * Absent where there is nothing to give.
   */
  release?(): void
}

/** When the parts of a call happened, as the engine's own clock has it. */
export interface CallTimes {
  readonly steps: number
  /**
   * Seconds since the call was made, `marksPerStep` a step: when it began, when each instruction began, when the last one
   * ended, when the step ended. Before the instructions inputs are taken in; after them outputs and new state are kept.
   */
  readonly marks: Float64Array
}

export interface TimedRun {
  readonly outputs: Record<string, TensorData>
  readonly times: CallTimes
}

/** What the machine reaches at best, measured by the engine. */
export interface MachinePeaks {
  /** Of matrix products, by the element type of their operands; only types that it has products of. */
  readonly productFlopsPerSecond: { readonly f32: number; readonly bf16?: number }
  /** To and from memory, beyond any cache. */
  readonly bytesPerSecond: number
}

/** How an engine times itself. */
export interface EngineProfiling {
  /** What `Executable.run` does, to the same bits, with the times of its parts. */
  run(executable: Executable, inputs: Readonly<Record<string, TensorData>>, options?: RunOptions): Promise<TimedRun>
  /** Takes part of a second. Absent where an engine is too far from the machine for its peaks to mean anything. */
  measurePeaks?(): Promise<MachinePeaks>
}

export interface Engine {
  readonly name: EngineName
  /** Composites that the engine runs by kernels of its own; the compiler takes all others apart. */
  readonly composites: ReadonlySet<CompositeName>
  readonly dtypes: ReadonlySet<DType>
  /**
   * Operations and composites that take strided views (transposed, sliced, repeated) for operands; for any other the
   * compiler makes a row-major copy first. None by default.
   */
  readonly stridedInputs?: ReadonlySet<InstructionOperation | CompositeName>
  /**
   * Elementwise composites (`gelu`, …) that may stand as one instruction inside the body of an `elementwise` group.
   * A subset of `composites`; none by default.
   */
  readonly elementwiseComposites?: ReadonlySet<CompositeName>
  /**
   * Composites whose activations may be bf16 where `precision` is: those of attention and GELU both ways, results of
   * normalisations and softmax, the logits' gradient. Statistics, weights and losses stay f32. None by default.
   */
  readonly bfloat16Composites?: ReadonlySet<CompositeName>
  /**
   * Whether exchanges between workers go on while it computes: it then runs `allReduceStart` and `allReduceDone`. False
   * by default.
   */
  readonly asynchronousExchange?: boolean
  /** Whether `RunOptions.rows` may be given: what is in memory need not be gathered into batches by the caller. */
  readonly takesRows?: boolean
  /** One line for the user: what it runs on (processor, instruction set, threads). */
  readonly description: string
  /** Bytes of working memory that each instruction wants; planned into the arena, see `Instruction.scratch`. */
  scratchBytes?(instructions: readonly Instruction[], values: readonly ProgramValue[]): readonly number[]
  allocate(type: TensorType, data?: TensorData): EngineBuffer
  /** @param state a buffer for each of the program's state entries, by name */
  load(program: Program, state: ReadonlyMap<string, EngineBuffer>): Promise<Executable>
  /** Absent where instructions can't be told apart: the portable engine compiles many of them into one function. */
  readonly profiling?: EngineProfiling
}

export interface EngineOptions {
  /** Threads of the team; all cores by default. Only the native engine has a choice. */
  readonly threads?: number
  /** The other workers, with whom programs exchange tensors; none by default. Only the native engine takes one. */
  readonly communicator?: Communicator
}
