/** Cases worked out by hand from StableHLO's specification: operands, attributes, and what has to come out. */
import type { NoAttributes, OperationAttributes, OperationName } from '../../../src/core/operations.js'
import type { TensorData } from '../../../src/core/shape.js'

/** Sources of graphs have nothing to compute; composites have a table of their own; exchanges are tested with MPI. */
export type KnownOperation = Exclude<
  OperationName,
  | 'parameter'
  | 'constant'
  | 'composite'
  | 'optimizationBarrier'
  | 'allReduce'
  | 'allGather'
  | 'reduceScatter'
  | 'collectivePermute'
>

/** @typeParam A the operation's attributes */
export interface KnownCase<A = OperationAttributes[KnownOperation]> {
  readonly what: string
  readonly operands: readonly TensorData[]
  readonly attributes: A
  readonly result: TensorData
}

export type KnownCases<O extends KnownOperation> = {
  readonly [K in O]: readonly KnownCase<OperationAttributes[K]>[]
}

/** A case without attributes. */
export function plain(what: string, operands: readonly TensorData[], result: TensorData): KnownCase<NoAttributes> {
  return { what, operands, attributes: {}, result }
}
