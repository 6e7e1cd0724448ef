/** `dotGeneral` and `convolution`: sums of products, kept in double precision. */
import { isFloat } from '../../../core/dtype.js'
import { contiguousStrides, type Shape } from '../../../core/shape.js'
import { numbersOf, stridedPlaces, type ReferenceTensor } from '../tensor.js'
import type { Kernel, Kernels } from './kernel.js'
import { windowPlaces } from './windows.js'

/** Where to go in a tensor for each index of some of its dimensions. */
function placesAlong(shape: Shape, dims: readonly number[]): Int32Array {
  const strides = contiguousStrides(shape)
  return stridedPlaces(
    dims.map((dim) => shape[dim]),
    dims.map((dim) => strides[dim]),
  )
}

function freeDims({ shape }: ReferenceTensor, batch: readonly number[], contracting: readonly number[]): number[] {
  return [...shape.keys()].filter((dim) => !batch.includes(dim) && !contracting.includes(dim))
}

/** result[b, m, n] = sum over k of left[b, m, k] * right[b, n, k], each letter standing for any number of dimensions. */
const dotGeneral: Kernel<'dotGeneral'> = ([left, right], attributes, [type]) => {
  const { leftBatch, rightBatch, leftContracting, rightContracting } = attributes
  const result = numbersOf(type)
  const [leftB, rightB] = [placesAlong(left.shape, leftBatch), placesAlong(right.shape, rightBatch)]
  const [leftK, rightK] = [placesAlong(left.shape, leftContracting), placesAlong(right.shape, rightContracting)]
  const leftM = placesAlong(left.shape, freeDims(left, leftBatch, leftContracting))
  const rightN = placesAlong(right.shape, freeDims(right, rightBatch, rightContracting))
  const isReal = isFloat(left.dtype)
  let place = 0
  for (let b = 0; b < leftB.length; b++) {
    for (let m = 0; m < leftM.length; m++) {
      for (let n = 0; n < rightN.length; n++) {
        const fromLeft = leftB[b] + leftM[m]
        const fromRight = rightB[b] + rightN[n]
        let sum = 0
        for (let k = 0; k < leftK.length; k++) {
          const [x, y] = [left.data[fromLeft + leftK[k]], right.data[fromRight + rightK[k]]]
          sum += isReal ? x * y : Math.imul(x, y)
        }
        result[place++] = sum
      }
    }
  }
  return [result]
}

/**
 * result[n, o, s] = sum over features f and window elements k of input[n', f', s + k] * kernel[o, f, k].
 *
 * With feature groups, f' counts from the first feature of o's group; with batch groups, n' counts from the first
 * sample of o's group.
 */
const convolution: Kernel<'convolution'> = ([input, kernel], attributes, [type]) => {
  const { dimensions: d, featureGroups, batchGroups } = attributes
  const result = numbersOf(type)
  const { numWindows, windowSize, places } = convolutionWindows(input.shape, kernel.shape, type.shape, attributes)
  const kernelPlaces = kernelWindow(kernel.shape, attributes)
  const resultPlaces = placesAlong(type.shape, d.outputSpatial)
  const [inputStrides, kernelStrides, resultStrides] = [input, kernel, type].map(({ shape }) =>
    contiguousStrides(shape),
  )
  const numSamples = type.shape[d.outputBatch]
  const numOutputs = type.shape[d.outputFeature]
  const numFeatures = kernel.shape[d.kernelInputFeature]

  const sumOver = (fromInput: number, fromKernel: number, w: number): number => {
    let sum = 0
    for (let k = 0; k < windowSize; k++) {
      const place = places[w * windowSize + k]
      if (place < 0) continue
      for (let f = 0; f < numFeatures; f++) {
        sum +=
          input.data[fromInput + place + f * inputStrides[d.inputFeature]] *
          kernel.data[fromKernel + kernelPlaces[k] + f * kernelStrides[d.kernelInputFeature]]
      }
    }
    return sum
  }

  for (let n = 0; n < numSamples; n++) {
    for (let o = 0; o < numOutputs; o++) {
      const firstFeature = Math.floor(o / (numOutputs / featureGroups)) * numFeatures
      const sample = Math.floor(o / (numOutputs / batchGroups)) * numSamples + n
      const fromInput = sample * inputStrides[d.inputBatch] + firstFeature * inputStrides[d.inputFeature]
      const to = n * resultStrides[d.outputBatch] + o * resultStrides[d.outputFeature]
      for (let w = 0; w < numWindows; w++) {
        result[to + resultPlaces[w]] = sumOver(fromInput, o * kernelStrides[d.kernelOutputFeature], w)
      }
    }
  }
  return [result]
}

type ConvolutionAttributes = Parameters<typeof convolution>[1]

function convolutionWindows(input: Shape, kernel: Shape, result: Shape, attributes: ConvolutionAttributes) {
  const { dimensions: d, strides, padding, inputDilation, kernelDilation } = attributes
  const inputStrides = contiguousStrides(input)
  return windowPlaces(
    d.inputSpatial.map((dim, i) => ({
      inputSize: input[dim],
      inputStride: inputStrides[dim],
      outputSize: result[d.outputSpatial[i]],
      window: kernel[d.kernelSpatial[i]],
      stride: strides[i],
      paddingLow: padding[i][0],
      baseDilation: inputDilation[i],
      windowDilation: kernelDilation[i],
    })),
  )
}

/** Where the kernel's element for each element of a window is: from the end in reversed dimensions. */
function kernelWindow(kernel: Shape, { dimensions: d, reversal }: ConvolutionAttributes): Int32Array {
  const strides = contiguousStrides(kernel)
  const offset = d.kernelSpatial.reduce((sum, dim, i) => sum + (reversal[i] ? (kernel[dim] - 1) * strides[dim] : 0), 0)
  return stridedPlaces(
    d.kernelSpatial.map((dim) => kernel[dim]),
    d.kernelSpatial.map((dim, i) => (reversal[i] ? -strides[dim] : strides[dim])),
    offset,
  )
}

export const productKernels: Kernels<'dotGeneral' | 'convolution'> = { dotGeneral, convolution }
