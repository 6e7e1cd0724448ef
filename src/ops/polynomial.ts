/** Polynomials, of which approximations of functions are made. */
import type { AnyTensor } from '../graph/tensor.js'
import { add, multiply } from './elementwise.js'

/** c[0] x^n + c[1] x^(n-1) + ... by Horner's rule. */
export function polynomial(x: AnyTensor, coefficients: readonly number[]): AnyTensor {
  const [first, second, ...rest] = coefficients
  return rest.reduce<AnyTensor>(
    (sum, coefficient) => add(multiply(sum, x), coefficient),
    add(multiply(x, first), second),
  )
}
