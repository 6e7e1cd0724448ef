/** Cases of exchanges between four workers. */
import type { OperationAttributes, ReductionKind } from '../../../src/core/operations.js'
import { dtypeOf, input, makeCase, single, type Case, type InputSpec } from './case.js'
import type { Value } from '../../../src/graph/index.js'

const workers = { axis: 'data', size: 4 } as const

/** Exchanges along one axis of four workers, and along each axis of a mesh of two by two. */
export function collectiveCases<O extends 'allReduce' | 'allGather' | 'reduceScatter' | 'collectivePermute'>(
  operation: O,
  others: readonly Omit<OperationAttributes[O], 'axis' | 'size'>[],
): Case[] {
  const specOf = (attributes: object): InputSpec =>
    input([8, 3], 'kind' in attributes ? dtypeOf(attributes.kind as ReductionKind) : 'f32')
  const line = others.map((rest, index) =>
    single(operation, `of four, ${index}`, { ...rest, ...workers } as OperationAttributes[O], [specOf(rest)], 4),
  )
  const [first] = others
  const square = makeCase(
    `${operation} of two by two`,
    [specOf(first)],
    (builder, inputs) => {
      const settings = 'pairs' in first ? { pairs: [[0, 1]] } : first
      const along = (axis: string, value: Value): Value =>
        builder.add(operation, [value], { ...settings, axis, size: 2 } as never)[0]
      return [along('data', inputs[0]), along('model', inputs[0])]
    },
    4,
  )
  return [...line, square]
}
