/** Composites and what shapes derivatives: named operations with a decomposition, `stopGradient`, barriers. */
import type { CompositeAttributes, CompositeCall, CompositeName } from '../core/operations.js'
import type { DType } from '../core/dtype.js'
import { formatType, type Shape } from '../core/shape.js'
import { tensorOf, traceNested, traceShared } from '../graph/trace.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { apply, applyAll } from './lift.js'

/**
 * A named operation, meant as `body` says. An engine that knows the name runs a kernel of its own; for any other the
 * compiler puts the body in its place.
 *
 * @param body from the inputs to the results, in terms of other operations: the same for the same name, attributes and
 *   types, except of `remat`, whose body is the user's
 */
export function composite<N extends CompositeName>(
  name: N,
  attributes: CompositeAttributes[N],
  inputs: readonly AnyTensor[],
  body: (...inputs: AnyTensor[]) => readonly AnyTensor[],
): AnyTensor[] {
  const types = inputs.map(({ type }) => type)
  const { graph, captures } =
    name === 'remat'
      ? traceNested(name, types, body)
      : traceShared(`${name} ${textOf(attributes)} ${types.map(formatType).join()}`, name, types, body)
  const call = { name, attributes } as unknown as CompositeCall
  return applyAll('composite', [...inputs, ...captures.map(tensorOf)], call, graph).map(tensorOf)
}

/** Text that two sets of attributes share exactly if they are equal. JSON has neither infinities nor a negative zero. */
function textOf(attributes: object): string {
  return JSON.stringify(attributes, (_name, value: unknown) =>
    typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
      ? `${Math.sign(1 / value)} ${value}`
      : value,
  )
}

/** The same value, through which no derivative passes. */
export function stopGradient<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  const [result] = composite('stopGradient', {}, [x], (input) => [input])
  return result as Tensor<S, D>
}

/** The same values as a value of its own: a derivative by it sees no other use of `x`. */
export function alias(x: AnyTensor): AnyTensor {
  return apply('reshape', [x], { shape: x.shape })
}

/** The same values, which the compiler must compute as written: nothing is merged or moved across. */
export function optimizationBarrier(values: readonly AnyTensor[]): AnyTensor[] {
  return applyAll('optimizationBarrier', values, {}).map(tensorOf)
}
