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
import { polynomial } from '../polynomial.js'
import { composite } from '../structure.js'

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
  numerator: [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694],
  denominator: [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171],
}
const middle = {
  numerator: [2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972], // prettier-ignore
  denominator: [1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597, 4362.619090143247, 3439.3676741437216, 1230.3393548037495], // prettier-ignore
}
const far = {
  numerator: [0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275, 0.0006587491615298378], // prettier-ignore
  denominator: [
    1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918,
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
