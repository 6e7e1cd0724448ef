/** Graphs of one composite: with all its results, whatever of them the public function gives back. */
import { invariant } from '../../../src/core/errors.js'
import type { CompositeName } from '../../../src/core/operations.js'
import type { TensorData } from '../../../src/core/shape.js'
import { trace, type AnyTensor, type Graph } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'

/** Composites that a public function makes; the others are made, or taken apart, by the compiler. */
export type KernelComposite = Exclude<
  CompositeName,
  | 'stopGradient'
  | 'remat'
  | 'elementwise'
  | 'dotEpilogue'
  | 'widenedReduce'
  | 'batchNormRelu'
  | 'batchNormReluGradient'
  | 'allReduceStart'
  | 'allReduceDone'
>

/** Calls the public function that makes the composite. */
export type CompositeBody = (...operands: readonly AnyTensor[]) => unknown

/** The graph of the last composite of that name that `body` makes, on parameters `x0`, `x1`, …, with results `y0`, …. */
export function compositeGraph(name: CompositeName, operands: readonly TensorData[], body: CompositeBody): Graph {
  const inputs = operands.map(({ dtype, shape }, index) => ({ name: `x${index}`, type: { dtype, shape } }))
  const traced = trace(name, inputs, (...tensors) => {
    body(...tensors)
    return { unused: tensors[0] }
  })
  const node = traced.nodes.findLast(
    ({ operation, attributes }) => operation === 'composite' && 'name' in attributes && attributes.name === name,
  )
  invariant(node !== undefined, `the case makes a ${name}`)
  return { ...traced, results: node.outputs.map((value, index) => ({ name: `y${index}`, value })) }
}

/** Adam's update of operands in the composite's order; its new parameter, mean and variance. */
export function adamOf(operands: readonly AnyTensor[], coupledDecay: number): AnyTensor[] {
  const [parameter, gradient, mean, variance, kept, learningRate, meanCorrection, varianceCorrection] = operands
  const next = ops.adamUpdate(
    { parameter, gradient, mean, variance, kept, learningRate, meanCorrection, varianceCorrection },
    { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, coupledDecay },
  )
  return [next.parameter, next.mean, next.variance]
}
