/** What an operation is to the portable engine: how it is composed of jax-js' operations. */
import type { OperationAttributes } from '../../../core/operations.js'
import type { TensorType } from '../../../core/shape.js'
import type { InstructionOperation, ProgramBody } from '../../program.js'
import type { Scope, Term } from '../term.js'

/** What a rule may ask besides its operands and attributes. */
export interface Call {
  readonly scope: Scope
  /** The results' types. At least one of them has elements: the others never reach a rule. */
  readonly results: readonly TensorType[]
  readonly body: ProgramBody | undefined
}

export type Rule<O extends InstructionOperation> = (
  operands: readonly Term[],
  attributes: OperationAttributes[O],
  call: Call,
) => Term | readonly Term[]

/** The rules for some of the operations. */
export type Rules<O extends InstructionOperation> = { readonly [K in O]: Rule<K> }
