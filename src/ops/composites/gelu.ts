/** The Gaussian error function and GELU in both its forms. Source: Hendrycks, Gimpel, "Gaussian Error Linear Units", 2016. */
import type { DType } from '../../core/dtype.js'
import type { Shape } from '../../core/shape.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import {
  abs,
  add,
  divide,
  exp,
  greater,
  less,
  multiply,
  negate,
  sign,
  square,
  subtract,
  tanh,
  where,
} from '../elementwise.js'
import { composite } from '../structure.js'

/** c[0] x^n + c[1] x^(n-1) + ... by Horner's rule. */
export function polynomial(x: AnyTensor, coefficients: readonly number[]): AnyTensor {
  const [first, second, ...rest] = coefficients
  return rest.reduce<AnyTensor>(
    (sum, coefficient) => add(multiply(sum, x), coefficient),
    add(multiply(x, first), second),
  )
}

/**
 * erf(x), to double precision.
 *
 * Three ranges, each a rational function. Source: W. J. Cody, "Rational Chebyshev approximations for the error
 * function", Mathematics of Computation 23, 1969.
 */
export function erf<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  const [result] = composite('erf', {}, [x], (input) => [erfDecomposition(input)])
  return result as Tensor<S, D>
}

const near = {
  numerator: [
    1.85777706184603153e-1, 3.1611237438705656, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3,
  ],
  denominator: [1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3],
}
const middle = {
  numerator: [2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2, 8.8195222124176909e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3], // prettier-ignore
  denominator: [1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3], // prettier-ignore
}
const far = {
  numerator: [1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4], // prettier-ignore
  denominator: [
    1, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3,
  ],
}
const nearLimit = 0.46875
const farLimit = 4
const largest = 6

function rational(x: AnyTensor, { numerator, denominator }: typeof near): AnyTensor {
  return divide(polynomial(x, numerator), polynomial(x, denominator))
}

function erfDecomposition(x: AnyTensor): AnyTensor {
  // Each range's formula is given an argument inside the range, so that the ones not chosen stay finite.
  const size = abs(x)
  const inside = where(less(size, nearLimit) as Tensor<Shape, 'bool'>, x, 0)
  const nearValue = multiply(inside, rational(square(inside), near)) as AnyTensor
  const middleSize = where(less(size, farLimit) as Tensor<Shape, 'bool'>, size, farLimit)
  const middleValue = subtract(1, multiply(exp(negate(square(middleSize))), rational(middleSize, middle)) as AnyTensor)
  const farSize = where(
    less(size, farLimit) as Tensor<Shape, 'bool'>,
    farLimit,
    where(less(size, largest) as Tensor<Shape, 'bool'>, size, largest),
  )
  const inverseSquare = divide(1, square(farSize))
  const tail = divide(
    subtract(1 / Math.sqrt(Math.PI), multiply(inverseSquare, rational(inverseSquare, far)) as AnyTensor),
    farSize,
  )
  const farValue = subtract(1, multiply(exp(negate(square(farSize))), tail) as AnyTensor)
  const outer = where(greater(size, farLimit) as Tensor<Shape, 'bool'>, farValue, middleValue)
  return where(less(size, nearLimit) as Tensor<Shape, 'bool'>, nearValue, multiply(sign(x), outer) as AnyTensor)
}

export type GeluApproximation = 'tanh' | 'none'
const tanhScale = Math.sqrt(2 / Math.PI)
const tanhCubic = 0.044715

/** GELU: x Φ(x), or with `approximate: 'tanh'` (GPT-2's) 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))). */
export function gelu<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  approximate: GeluApproximation = 'none',
): Tensor<S, D> {
  const [result] = composite('gelu', { approximate }, [x], (input) => [
    multiply(multiply(input, 0.5), add(gate(input, approximate), 1)),
  ])
  return result as Tensor<S, D>
}

/** tanh(√(2/π) (x + 0.044715 x³)), or erf(x / √2). */
function gate(x: AnyTensor, approximate: GeluApproximation): AnyTensor {
  if (approximate === 'none') return erf(multiply(x, Math.SQRT1_2) as AnyTensor)
  return tanh(multiply(multiply(x, add(multiply(square(x), tanhCubic), 1)), tanhScale) as AnyTensor)
}

/** dx = dy (0.5 (1 + g) + 0.5 x g'), g being the gate and g' its derivative by x. */
export function geluGradient(dy: AnyTensor, x: AnyTensor, approximate: GeluApproximation): AnyTensor {
  const [result] = composite('geluGradient', { approximate }, [dy, x], (outer, input) => {
    const g = gate(input, approximate)
    const slope =
      approximate === 'none'
        ? multiply(exp(multiply(square(input), -0.5) as AnyTensor), 2 / Math.sqrt(2 * Math.PI))
        : multiply(
            subtract(1, square(g)),
            multiply(add(multiply(square(input), 3 * tanhCubic), 1), tanhScale) as AnyTensor,
          )
    const derivative = multiply(add(add(g, 1), multiply(input, slope as AnyTensor) as AnyTensor), 0.5)
    return [multiply(outer, derivative as AnyTensor)]
  })
  return result
}
