/**
 * Derivative of convolution, which is convolution twice more: of dy with the kernel turned round (by the input), and of
 * the input with dy (by the kernel), each with strides and dilations exchanged.
 */
import type { ConvolutionAttributes, Padding } from '../../core/operations.js'
import type { AnyTensor } from '../../graph/tensor.js'
import { convolutionGeneral } from '../../ops/convolution.js'
import { reshape, reverse, transpose } from '../../ops/movement.js'
import { simple, type Rule } from './rule.js'

export const convolutionRule: Rule<'convolution'> = simple(({ dy, inputs: [x, kernel], attributes, wants }) => {
  const reversed = attributes.dimensions.kernelSpatial.filter((_, i) => attributes.reversal[i])
  const turn = (value: AnyTensor): AnyTensor => (reversed.length === 0 ? value : reverse(value, reversed))
  const plain = { ...attributes, reversal: attributes.reversal.map(() => false) }
  return [
    wants(0) ? gradientByInput(dy, x, turn(kernel), plain) : undefined,
    wants(1) ? turn(gradientByKernel(dy, x, kernel, plain)) : undefined,
  ]
})

/** How far `size` elements reach with `dilation - 1` zeros between them. */
function dilated(size: number, dilation: number): number {
  return size === 0 ? 0 : (size - 1) * dilation + 1
}

interface SpatialSizes {
  readonly input: number
  readonly kernel: number
  readonly output: number
}

/** Dilated sizes along spatial dimension `i`. */
function spatialSizes(
  dy: AnyTensor,
  x: AnyTensor,
  kernel: AnyTensor,
  attributes: ConvolutionAttributes,
  i: number,
): SpatialSizes {
  const { dimensions: d, strides, inputDilation, kernelDilation } = attributes
  return {
    input: dilated(x.shape[d.inputSpatial[i]], inputDilation[i]),
    kernel: dilated(kernel.shape[d.kernelSpatial[i]], kernelDilation[i]),
    output: dilated(dy.shape[d.outputSpatial[i]], strides[i]),
  }
}

function gradientByInput(dy: AnyTensor, x: AnyTensor, kernel: AnyTensor, attributes: ConvolutionAttributes): AnyTensor {
  const { dimensions: d, featureGroups, batchGroups } = attributes
  const groups = Math.max(featureGroups, batchGroups)
  const padding: Padding = attributes.padding.map(([low], i) => {
    const sizes = spatialSizes(dy, x, kernel, attributes, i)
    const before = sizes.kernel - low - 1
    return [before, sizes.input + sizes.kernel - 1 - sizes.output - before] as const
  })
  const regrouped = groups === 1 ? kernel : moveGroups(kernel, d.kernelOutputFeature, d.kernelInputFeature, groups)
  const result = convolutionGeneral(dy, reverse(regrouped, d.kernelSpatial), {
    strides: attributes.inputDilation,
    padding,
    inputDilation: attributes.strides,
    kernelDilation: attributes.kernelDilation,
    featureGroups: groups,
    batchGroups: 1,
    reversal: attributes.reversal,
    dtype: x.dtype,
    dimensions: {
      inputBatch: d.outputBatch,
      inputFeature: d.outputFeature,
      inputSpatial: d.outputSpatial,
      kernelInputFeature: d.kernelOutputFeature,
      kernelOutputFeature: d.kernelInputFeature,
      kernelSpatial: d.kernelSpatial,
      outputBatch: d.inputBatch,
      outputFeature: d.inputFeature,
      outputSpatial: d.inputSpatial,
    },
  })
  return batchGroups === 1 ? result : moveGroups(result, d.inputFeature, d.inputBatch, batchGroups)
}

function gradientByKernel(
  dy: AnyTensor,
  x: AnyTensor,
  kernel: AnyTensor,
  attributes: ConvolutionAttributes,
): AnyTensor {
  const { dimensions: d } = attributes
  const padding: Padding = attributes.padding.map(([low], i) => {
    const sizes = spatialSizes(dy, x, kernel, attributes, i)
    return [low, sizes.output - sizes.input + sizes.kernel - low - 1] as const
  })
  return convolutionGeneral(x, dy, {
    strides: attributes.kernelDilation,
    padding,
    inputDilation: attributes.inputDilation,
    kernelDilation: attributes.strides,
    // The input's features are summed over no more, its samples are: the two kinds of groups change places.
    featureGroups: attributes.batchGroups,
    batchGroups: attributes.featureGroups,
    reversal: attributes.reversal,
    dtype: kernel.dtype,
    dimensions: {
      inputBatch: d.inputFeature,
      inputFeature: d.inputBatch,
      inputSpatial: d.inputSpatial,
      kernelInputFeature: d.outputBatch,
      kernelOutputFeature: d.outputFeature,
      kernelSpatial: d.outputSpatial,
      outputBatch: d.kernelInputFeature,
      outputFeature: d.kernelOutputFeature,
      outputSpatial: d.kernelSpatial,
    },
  })
}

/** Takes the groups out of dimension `from`, where they are the slower part, and makes them the slower part of `to`. */
function moveGroups(x: AnyTensor, from: number, to: number, groups: number): AnyTensor {
  const split = x.shape.flatMap((size, dim) => (dim === from ? [groups, size / groups] : [size]))
  const withoutGroups = split.map((_, dim) => dim).filter((dim) => dim !== from)
  withoutGroups.splice(to, 0, from)
  const merged = x.shape.map((size, dim) => (dim === from ? size / groups : dim === to ? size * groups : size))
  return reshape(transpose(reshape(x, split), withoutGroups), merged)
}
