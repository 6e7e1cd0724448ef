/** What the table of gradients says of each operation and each composite. */
import type { OperationAttributes, OperationName } from '../../../src/core/operations.js'
import type { Shape, TensorData } from '../../../src/core/shape.js'
import { applyAll } from '../../../src/ops/lift.js'
import { tensorOf, type AnyTensor } from '../../../src/graph/index.js'
import { randomTensor, type Range } from '../../engines/support/data.js'
import type { Body, GradientCase } from './gradients.js'

export interface Derivative {
  /** `real`: what differences say. `zero`: a step function, or one of numbers that aren't real. `stopped`: zero, whatever
   * differences say. */
  readonly kind: 'real' | 'zero' | 'stopped'
  readonly cases: readonly GradientCase[]
  /** What has no derivative here: refused with NOT_DIFFERENTIABLE. */
  readonly refused?: readonly GradientCase[]
}

export type Derivatives<N extends string> = { readonly [K in N]: Derivative }

export function real(cases: readonly GradientCase[], refused: readonly GradientCase[] = []): Derivative {
  return { kind: 'real', cases, refused }
}

export function zero(...cases: readonly GradientCase[]): Derivative {
  return { kind: 'zero', cases }
}

/** A random f64 tensor; the same name and shape give the same numbers. */
export function random(name: string, shape: Shape, range?: Range): TensorData {
  return randomTensor(`${name} [${shape}]`, { dtype: 'f64', shape }, range)
}

/** A case of one operation as it stands. */
export function applied<O extends OperationName>(
  operation: O,
  what: string,
  operands: readonly TensorData[],
  attributes: OperationAttributes[O],
  rest: Partial<GradientCase> = {},
): GradientCase {
  return { what, operands, body: bodyOf(operation, attributes), ...rest }
}

export function bodyOf<O extends OperationName>(operation: O, attributes: OperationAttributes[O]): Body {
  return (...xs: AnyTensor[]) => applyAll(operation, xs, attributes).map(tensorOf)
}
