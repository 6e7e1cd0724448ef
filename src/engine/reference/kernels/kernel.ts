/** What an operation is to the reference engine: a function from its operands' numbers to its results'. */
import type { OperationAttributes } from '../../../core/operations.js'
import type { TensorType } from '../../../core/shape.js'
import type { InstructionOperation, ProgramBody } from '../../program.js'
import type { Numbers, ReferenceTensor } from '../tensor.js'

export type Kernel<O extends InstructionOperation> = (
  operands: readonly ReferenceTensor[],
  attributes: OperationAttributes[O],
  /** The results' types. */
  results: readonly TensorType[],
  body: ProgramBody | undefined,
) => readonly Numbers[]

/** The rules for some of the operations. */
export type Kernels<O extends InstructionOperation> = { readonly [K in O]: Kernel<K> }
