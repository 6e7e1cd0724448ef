/** Normalisation over features (layer norm, RMS norm) and over the batch (batch norm). */
import { numElements } from '../../core/shape.js'
import type { AnyTensor } from '../../graph/tensor.js'
import { add, divide, multiply, rsqrt, square, subtract } from '../elementwise.js'
import { expandDim } from '../movement.js'
import { mean, sum } from '../reductions.js'
import { composite } from '../structure.js'

/** Every dimension but the last. */
function leadingDims(x: AnyTensor): number[] {
  return x.shape.slice(0, -1).map((_, dim) => dim)
}

/**
 * y = (x - mean) / sqrt(variance + epsilon) * weight + bias, each place along the last dimension by itself.
 * Source: Ba, Kiros, Hinton, "Layer normalization", 2016.
 */
export function layerNorm(x: AnyTensor, weight: AnyTensor, bias: AnyTensor, epsilon = 1e-5): AnyTensor {
  const [result] = composite('layerNorm', { epsilon }, [x, weight, bias], (input, scale, shift) => {
    const average = mean(input, -1)
    const centred = subtract(input, expandDim(average, -1))
    const inverse = rsqrt(add(mean(square(centred), -1), epsilon))
    return [add(multiply(multiply(centred, expandDim(inverse, -1)), scale), shift), average, inverse]
  })
  return result
}

/**
 * With n = (x - mean) rstd and g = dy weight:
 * dx = rstd (g - mean(g) - n mean(g n)); dweight = sum(dy n); dbias = sum(dy).
 */
export function layerNormGradient(
  dy: AnyTensor,
  x: AnyTensor,
  weight: AnyTensor,
  average: AnyTensor,
  inverse: AnyTensor,
): AnyTensor[] {
  return composite('layerNormGradient', {}, [dy, x, weight, average, inverse], (outer, input, scale, m, r) => {
    const normal = multiply(subtract(input, expandDim(m, -1)), expandDim(r, -1))
    const scaled = multiply(outer, scale)
    const along = mean(multiply(scaled, normal), -1, { keepDims: true })
    const dx = multiply(
      subtract(subtract(scaled, mean(scaled, -1, { keepDims: true })), multiply(normal, along)),
      expandDim(r, -1),
    )
    return [dx, sum(multiply(outer, normal), leadingDims(input)), sum(outer, leadingDims(input))]
  })
}

/** y = x / sqrt(mean(x²) + epsilon) * weight. Source: Zhang, Sennrich, "Root mean square layer normalization", 2019. */
export function rmsNorm(x: AnyTensor, weight: AnyTensor, epsilon = 1e-6): AnyTensor {
  const [result] = composite('rmsNorm', { epsilon }, [x, weight], (input, scale) => {
    const inverse = rsqrt(add(mean(square(input), -1), epsilon))
    return [multiply(multiply(input, expandDim(inverse, -1)), scale), inverse]
  })
  return result
}

/** With n = x rms and g = dy weight: dx = rms (g - n mean(g n)); dweight = sum(dy n). */
export function rmsNormGradient(dy: AnyTensor, x: AnyTensor, weight: AnyTensor, inverse: AnyTensor): AnyTensor[] {
  return composite('rmsNormGradient', {}, [dy, x, weight, inverse], (outer, input, scale, r) => {
    const normal = multiply(input, expandDim(r, -1))
    const scaled = multiply(outer, scale)
    const along = mean(multiply(scaled, normal), -1, { keepDims: true })
    const dx = multiply(subtract(scaled, multiply(normal, along)), expandDim(r, -1))
    return [dx, sum(multiply(outer, normal), leadingDims(input))]
  })
}

export interface BatchNormResult {
  readonly output: AnyTensor
  /** Of this batch, for the running statistics. */
  readonly mean: AnyTensor
  readonly variance: AnyTensor
}

/**
 * y = (x - mean) / sqrt(variance + epsilon) * weight + bias, each channel (last dimension) over all else.
 * Source: Ioffe, Szegedy, "Batch normalization", 2015.
 */
export function batchNorm(x: AnyTensor, weight: AnyTensor, bias: AnyTensor, epsilon = 1e-5): BatchNormResult {
  const [output, average, spread] = composite('batchNorm', { epsilon }, [x, weight, bias], (input, scale, shift) => {
    const m = mean(input, leadingDims(input))
    const centred = subtract(input, m)
    const v = mean(square(centred), leadingDims(input))
    return [add(multiply(multiply(centred, rsqrt(add(v, epsilon))), scale), shift), m, v]
  })
  return { output, mean: average, variance: spread }
}

/**
 * With r = 1 / sqrt(variance + epsilon) and n = (x - mean) r, over the N places of a channel:
 * dx = weight r (dy - mean(dy) - n mean(dy n)); dweight = sum(dy n); dbias = sum(dy).
 */
export function batchNormGradient(
  dy: AnyTensor,
  x: AnyTensor,
  weight: AnyTensor,
  average: AnyTensor,
  spread: AnyTensor,
  epsilon: number,
): AnyTensor[] {
  // prettier-ignore
  return composite('batchNormGradient', { epsilon }, [dy, x, weight, average, spread], (outer, input, scale, m, v) => {
    const count = numElements(input.shape.slice(0, -1))
    const r = rsqrt(add(v, epsilon))
    const normal = multiply(subtract(input, m), r)
    const dbias = sum(outer, leadingDims(input))
    const dweight = sum(multiply(outer, normal), leadingDims(input))
    const inner = subtract(subtract(outer, divide(dbias, count)), multiply(normal, divide(dweight, count)))
    return [multiply(inner, multiply(scale, r)), dweight, dbias]
  })
}
