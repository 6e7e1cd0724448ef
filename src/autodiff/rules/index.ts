/** The derivative of every operation: one exhaustive table. */
import type { OperationName } from '../../core/operations.js'
import { applyAll } from '../../ops/lift.js'
import { zerosLike } from '../../ops/creation.js'
import { tensorOf } from '../../graph/trace.js'
import { compositeRule } from './composites.js'
import { elementwiseRules } from './elementwise.js'
import { movementRules, notDifferentiable } from './movement.js'
import { productRules } from './products.js'
import { simple, zeroDerivative, type Rule } from './rule.js'

export const rules: { readonly [O in OperationName]: Rule<O> } = {
  ...elementwiseRules,
  ...movementRules,
  ...productRules,
  parameter: zeroDerivative,
  constant: zeroDerivative,
  iota: zeroDerivative,
  rngBitGenerator: zeroDerivative,
  // y = x: dy, held together as the values were
  optimizationBarrier: ({ cotangents, inputs }) =>
    applyAll(
      'optimizationBarrier',
      cotangents.map((cotangent, index) => cotangent ?? zerosLike(inputs[index])),
      {},
    ).map(tensorOf),
  composite: compositeRule,
  // y = sum over workers of x, and every worker's result counts: the sum over workers of dy
  allReduce: simple(({ dy, attributes }) => {
    if (attributes.kind !== 'add') throw notDifferentiable(`allReduce of kind ${attributes.kind}`)
    return applyAll('allReduce', [dy], attributes).map(tensorOf)
  }),
  // y joins all workers' x: each worker's part of the sum of dy
  allGather: simple(({ dy, attributes }) =>
    applyAll('reduceScatter', [dy], { ...attributes, kind: 'add' }).map(tensorOf),
  ),
  // y is this worker's part of the sum of x: all workers' dy joined
  reduceScatter: simple(({ dy, attributes: { kind, ...attributes } }) => {
    if (kind !== 'add') throw notDifferentiable(`reduceScatter of kind ${kind}`)
    return applyAll('allGather', [dy], attributes).map(tensorOf)
  }),
  // y is another worker's x: dy is sent back
  collectivePermute: simple(({ dy, attributes }) => {
    const pairs = attributes.pairs.map(([source, target]) => [target, source] as const)
    return applyAll('collectivePermute', [dy], { ...attributes, pairs }).map(tensorOf)
  }),
}
