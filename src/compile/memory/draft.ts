/**
 * A program before its memory is planned: every instruction's result has a storage of its own. Planning decides which
 * storages share a buffer and where each buffer lies.
 */
import type { ProgramBody, BufferStorage } from '../../engine/program.js'
import type { TensorData, TensorType } from '../../core/shape.js'
import type { InstructionOperation } from '../../engine/program.js'

export interface DraftStorage {
  readonly kind: BufferStorage
  readonly sizeBytes: number
  /** For `constant`. */
  readonly data?: TensorData
}

export interface DraftValue extends TensorType {
  readonly storage: number
  readonly offsetElements: number
  readonly strides?: readonly number[]
}

export interface DraftInstruction {
  readonly operation: InstructionOperation
  readonly attributes: unknown
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  readonly body: ProgramBody | undefined
}

export interface DraftState {
  readonly name: string
  readonly value: number
  readonly output: number | undefined
}

export interface Draft {
  readonly storages: readonly DraftStorage[]
  readonly values: readonly DraftValue[]
  readonly instructions: readonly DraftInstruction[]
  readonly state: readonly DraftState[]
}
