/** `grad` and its kin: derivatives of functions from tensors to a scalar. */
import { isFloat } from '../core/dtype.js'
import { TalwegError } from '../core/errors.js'
import { formatType } from '../core/shape.js'
import { treeLeaves, treeMap, type Tree } from '../core/tree.js'
import { currentPlace } from '../graph/location.js'
import { isTensor, type AnyTensor } from '../graph/tensor.js'
import { zerosLike } from '../ops/creation.js'
import { full } from '../ops/lift.js'
import { alias, composite } from '../ops/structure.js'
import { pullBack } from './backward.js'

function requireScalar(operation: string, result: AnyTensor): void {
  if (result.rank === 0 && isFloat(result.dtype)) return
  throw new TalwegError({
    code: 'SHAPE_MISMATCH',
    operation,
    problem: `the result is ${formatType(result.type)}, not a floating-point scalar`,
    hint: result.rank === 0 ? 'convert it to f32' : 'take its mean or sum',
    place: currentPlace(),
  })
}

/** The derivatives of a traced scalar by tensors that it was computed from; zeros where it doesn't depend on one. */
export function gradients(result: AnyTensor, by: readonly AnyTensor[]): AnyTensor[] {
  requireScalar('grad', result)
  const seed = { value: result.value, cotangent: full([], 1, result.dtype) }
  const found = pullBack(
    [seed],
    by.map((tensor) => tensor.value),
  )
  return found.map((gradient, index) => gradient ?? zerosLike(by[index]))
}

export interface ValueAndGradient<T> {
  readonly value: AnyTensor
  /** One tensor for each of the first argument's, in the same form. */
  readonly gradient: T
}

/**
 * A function that gives both `f`'s value and its derivative by its first argument, a tensor or a tree of them.
 *
 * @example
 * const { value, gradient } = valueAndGrad((w, x) => x.matmul(w).square().sum())(weight, batch)
 */
export function valueAndGrad<T extends Tree<AnyTensor>, Rest extends unknown[]>(
  f: (first: T, ...rest: Rest) => AnyTensor,
): (first: T, ...rest: Rest) => ValueAndGradient<T> {
  return (first, ...rest) => {
    // So that uses of the same tensor outside `first` count as constants.
    const aliases = treeMap<AnyTensor, AnyTensor>(first, isTensor, alias)
    const value = f(aliases as T, ...rest)
    const found = gradients(
      value,
      treeLeaves<AnyTensor>(aliases, isTensor).map(({ leaf }) => leaf),
    )
    let next = 0
    return { value, gradient: treeMap<AnyTensor, AnyTensor>(aliases, isTensor, () => found[next++]) as T }
  }
}

/** The derivative of a scalar function by its first argument. `grad(grad(f))` is the second derivative. */
export function grad<T extends Tree<AnyTensor>, Rest extends unknown[]>(
  f: (first: T, ...rest: Rest) => AnyTensor,
): (first: T, ...rest: Rest) => T {
  const withValue = valueAndGrad(f)
  return (first, ...rest) => withValue(first, ...rest).gradient
}

/**
 * A function like `f` whose inside is computed again in the backward pass instead of being kept: less memory for more
 * arithmetic. Source: Chen et al., "Training deep nets with sublinear memory cost", 2016.
 */
export function remat<Inputs extends AnyTensor[]>(
  f: (...inputs: Inputs) => AnyTensor,
): (...inputs: Inputs) => AnyTensor {
  return (...inputs) => composite('remat', {}, inputs, (...traced) => [f(...(traced as Inputs))])[0]
}
