/** What a derivative rule is: from a node and the cotangents of its results to the cotangents of its operands. */
import type { OperationAttributes, OperationName } from '../../core/operations.js'
import type { Node, Value } from '../../graph/graph.js'
import type { AnyTensor } from '../../graph/tensor.js'

/** The derivative of the final result by one value; undefined where it is zero throughout. */
export type Cotangent = AnyTensor | undefined

export interface Seed {
  readonly value: Value
  readonly cotangent: AnyTensor
}

/** The cotangents of `wanted`, given those of some results; undefined for what the results don't depend on. */
export type PullBack = (seeds: readonly Seed[], wanted: readonly Value[]) => Cotangent[]

export interface RuleContext<O extends OperationName> {
  readonly node: Node<O>
  readonly attributes: OperationAttributes[O]
  readonly inputs: readonly AnyTensor[]
  readonly outputs: readonly AnyTensor[]
  /** Of each result; at least one is defined. */
  readonly cotangents: readonly Cotangent[]
  /** Whether anyone wants the cotangent of operand `index`: what nobody wants need not be built. */
  readonly wants: (index: number) => boolean
  /** For rules that differentiate a graph within. */
  readonly pullBack: PullBack
}

/** The cotangent of each operand. */
export type Rule<O extends OperationName> = (context: RuleContext<O>) => readonly Cotangent[]

/** A rule for operations with one result: `dy` is its cotangent, `x` the first operand, `y` the result. */
export interface SimpleContext<O extends OperationName> extends RuleContext<O> {
  readonly dy: AnyTensor
  readonly x: AnyTensor
  readonly y: AnyTensor
}

export function simple<O extends OperationName>(rule: (context: SimpleContext<O>) => readonly Cotangent[]): Rule<O> {
  return (context) => rule({ ...context, dy: context.cotangents[0]!, x: context.inputs[0], y: context.outputs[0] })
}

/** A step function, or one whose operands or results are no real numbers: its derivative is zero. */
export const zeroDerivative = (): readonly Cotangent[] => []
