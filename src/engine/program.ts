/**
 * The flat program: what an engine is given. A graph has been fused, planned and put in order; what is left is a list
 * of instructions over values, values that are views of buffers, and buffers that have a place.
 *
 * An engine need not think about memory: every buffer's place in one arena is planned, and each instruction says which
 * values nobody reads after it (engines that own arrays one by one, as the portable one, release them there).
 *
 * ## State, inputs, outputs
 * - `state` is what a step updates: parameters, optimiser slots, the step counter. It is bound to `EngineBuffer`s when
 *   the program is loaded. A state entry with an `output` is updated in place: once the step is done, the buffer holds
 *   that value. Where the planner could not let the instruction write straight into the state's buffer it has put a
 *   copy (`isAliased` false) and the engine copies after the last instruction.
 * - `inputs` are given afresh for each call. A *stepped* input has one more dimension in front: call with `steps: n`
 *   and step i reads row i. This is how many small steps run in one call.
 * - `outputs` are returned by each call, with `steps` rows where `steps` was given.
 *
 * ## Views and sharing
 * - An instruction's outputs are row-major and begin at the start of their buffer. Reshapes and slices that stay row-major
 *   are never instructions but views; strided views are given only to instructions of `Engine.stridedInputs`.
 * - An output of an elementwise operation or of an `elementwise` group may lie in the buffer of one of its operands, with
 *   the same number of elements of the same size: the kernel must have read an element (or a block) of all operands before it writes that
 *   element (block). The output of `scatter` may lie in the buffer of its first operand, which then needs no copying.
 * - `convert` to the same element type is how the compiler asks for a copy.
 */
import type { OperationAttributes, OperationName } from '../core/operations.js'
import type { TensorData, TensorType } from '../core/shape.js'

/** Where a buffer lives. `arena` buffers share memory when they are not alive together. */
export type BufferStorage = 'arena' | 'constant' | 'state' | 'input' | 'output'

export interface ProgramBuffer {
  readonly storage: BufferStorage
  readonly sizeBytes: number
  /** For `arena`: the place in the arena, a multiple of 64. 0 otherwise. */
  readonly offsetBytes: number
  /** For `constant`: its contents. */
  readonly data?: TensorData
}

/** A typed, possibly strided view of a buffer. */
export interface ProgramValue extends TensorType {
  /** Index in `Program.buffers`. */
  readonly buffer: number
  /** Where the first element is, in elements of `dtype`. */
  readonly offsetElements: number
  /** Strides in elements; row-major where undefined. 0 repeats. */
  readonly strides?: readonly number[]
}

interface InstructionOf<O extends OperationName> {
  readonly operation: O
  readonly attributes: OperationAttributes[O]
  /** Indices in `Program.values`. */
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  /** For a `composite`: its decomposition. */
  readonly body?: ProgramBody
  /** Arena values nobody reads after this instruction, its own outputs included; a value goes together with its views. */
  readonly lastUses: readonly number[]
  /** An arena buffer alive during this instruction alone, where the engine's `scratchBytes` asked for one. */
  readonly scratch?: number
  /** `train.ts:14`, and the place in the graph; for messages and profiles. */
  readonly label: string
}

/** `parameter` and `constant` nodes become buffers, not instructions. */
export type InstructionOperation = Exclude<OperationName, 'parameter' | 'constant'>
export type Instruction<O extends InstructionOperation = InstructionOperation> = { [K in O]: InstructionOf<K> }[O]

/** The inside of a composite: instructions over values of its own. No buffers: the engine's kernel decides. */
export interface ProgramBody {
  readonly values: readonly TensorType[]
  /** Constants among the values. */
  readonly constants: readonly { readonly value: number; readonly data: TensorData }[]
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  readonly instructions: readonly Instruction[]
}

export interface ProgramInput {
  readonly name: string
  readonly value: number
  readonly stepped: boolean
}

export interface ProgramState {
  readonly name: string
  /** The value that holds the state when the step begins. */
  readonly value: number
  /** The value to be kept as the new state; undefined for state that is only read. */
  readonly output?: number
  /** Whether `output` already lies in the state's own buffer. */
  readonly isAliased: boolean
}

export interface ProgramOutput {
  readonly name: string
  readonly value: number
}

export interface Program {
  readonly name: string
  readonly buffers: readonly ProgramBuffer[]
  readonly values: readonly ProgramValue[]
  readonly instructions: readonly Instruction[]
  readonly inputs: readonly ProgramInput[]
  readonly state: readonly ProgramState[]
  readonly outputs: readonly ProgramOutput[]
  readonly arenaSizeBytes: number
}
