/**
 * First values of parameters, by the names the field gives them. They are drawn in a graph of their own, keyed by the
 * seed and the parameter's path: adding a layer does not change the numbers of the others.
 */
import type { FloatDType } from '../core/dtype.js'
import { numElements, type TensorType } from '../core/shape.js'
import type { AnyTensor } from '../graph/tensor.js'
import { full, zeros as zeroTensor } from '../ops/creation.js'
import { add, convert, multiply } from '../ops/elementwise.js'
import { namedBits, normalFromBits, truncatedNormalFromBits, uniformFromBits } from '../ops/random.js'

export interface InitializerContext {
  readonly type: TensorType
  /** The parameter's path, by which its numbers are keyed. */
  readonly path: string
  /** `u32` scalar. */
  readonly seed: AnyTensor
}

/** Traces the first value of a parameter. */
export type Initializer = (context: InitializerContext) => AnyTensor

export function zeros(): Initializer {
  return ({ type }) => zeroTensor(type.shape, type.dtype)
}

export function ones(): Initializer {
  return constant(1)
}

export function constant(value: number): Initializer {
  return ({ type }) => full(type.shape, value, type.dtype)
}

/** Evenly distributed from `low` to `high`. */
export function uniform(low: number, high: number): Initializer {
  return ({ type, path, seed }) => {
    const drawn = uniformFromBits(namedBits(seed, path, type.shape), type.dtype as FloatDType)
    return add(multiply(drawn, high - low), low)
  }
}

export function normal(standardDeviation = 1, mean = 0): Initializer {
  return ({ type, path, seed }) => {
    const first = namedBits(seed, `${path}/radius`, type.shape)
    const second = namedBits(seed, `${path}/angle`, type.shape)
    return add(multiply(normalFromBits(first, second, type.dtype as FloatDType), standardDeviation), mean)
  }
}

/** Normal, cut at two standard deviations. */
export function truncatedNormal(standardDeviation = 1): Initializer {
  return ({ type, path, seed }) => {
    const drawn = truncatedNormalFromBits(namedBits(seed, path, type.shape), 2, type.dtype as FloatDType)
    return convert(multiply(drawn, standardDeviation), type.dtype)
  }
}

export interface Fans {
  readonly fanIn: number
  readonly fanOut: number
}

/** Connections into and out of a unit: weights are [in, out], convolution kernels [...spatial, in, out]. */
export function fans({ shape }: TensorType): Fans {
  if (shape.length < 2) return { fanIn: numElements(shape), fanOut: numElements(shape) }
  const receptiveField = numElements(shape.slice(0, -2))
  const [numInputs, numOutputs] = shape.slice(-2)
  return { fanIn: numInputs * receptiveField, fanOut: numOutputs * receptiveField }
}

/** Given the fans, an initializer of that spread. */
function fromFans(make: (fan: Fans) => Initializer): Initializer {
  return (context) => make(fans(context.type))(context)
}

/** Uniform of variance 2 gain² / (fanIn + fanOut). Source: Glorot, Bengio, 2010. */
export function xavierUniform(gain = 1): Initializer {
  return fromFans(({ fanIn, fanOut }) => symmetric(gain * Math.sqrt(6 / (fanIn + fanOut))))
}

export function xavierNormal(gain = 1): Initializer {
  return fromFans(({ fanIn, fanOut }) => normal(gain * Math.sqrt(2 / (fanIn + fanOut))))
}

/** Uniform of variance gain² / fanIn; the gain √2 suits ReLU. Source: He, Zhang, Ren, Sun, 2015. */
export function kaimingUniform(gain = Math.SQRT2): Initializer {
  return fromFans(({ fanIn }) => symmetric(gain * Math.sqrt(3 / fanIn)))
}

export function kaimingNormal(gain = Math.SQRT2): Initializer {
  return fromFans(({ fanIn }) => normal(gain / Math.sqrt(fanIn)))
}

/** Uniform within ±1 / √fanIn, PyTorch's choice for the weights and biases of `Linear` and `Conv2d`. */
export function fanInUniform(fanIn: number): Initializer {
  return symmetric(1 / Math.sqrt(fanIn))
}

function symmetric(limit: number): Initializer {
  return uniform(-limit, limit)
}
