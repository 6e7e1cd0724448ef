/** Types of products, convolutions and reductions. */
import { invariant } from '../../core/errors.js'
import type {
  ConvolutionAttributes,
  DotGeneralAttributes,
  OperationAttributes,
  ReduceWindowAttributes,
} from '../../core/operations.js'
import { normalizeDim, tensorType, type TensorType } from '../../core/shape.js'
import { dtypeMismatch, shapeMismatch } from './failures.js'

export function inferDotGeneral(types: readonly TensorType[], attributes: DotGeneralAttributes): TensorType[] {
  const [left, right] = types
  const { leftBatch, rightBatch, leftContracting, rightContracting, dtype } = attributes
  if (left.dtype !== right.dtype) {
    throw dtypeMismatch(
      'dotGeneral',
      `element types differ: ${left.dtype} and ${right.dtype}`,
      types,
      'convert one of them',
    )
  }
  invariant(
    leftBatch.length === rightBatch.length && leftContracting.length === rightContracting.length,
    'dotGeneral pairs its dimensions',
  )
  checkPairs('contracting', types, leftContracting, rightContracting)
  checkPairs('batch', types, leftBatch, rightBatch)
  const free = (type: TensorType, batch: readonly number[], contracting: readonly number[]): number[] =>
    type.shape.filter((_, dim) => !batch.includes(dim) && !contracting.includes(dim))
  const shape = [
    ...leftBatch.map((dim) => left.shape[dim]),
    ...free(left, leftBatch, leftContracting),
    ...free(right, rightBatch, rightContracting),
  ]
  return [tensorType(dtype, shape)]
}

function checkPairs(
  role: string,
  types: readonly TensorType[],
  leftDims: readonly number[],
  rightDims: readonly number[],
): void {
  const [left, right] = types
  leftDims.forEach((leftDim, index) => {
    const rightDim = rightDims[index]
    const inside =
      normalizeDim(leftDim, left.shape.length) === leftDim && normalizeDim(rightDim, right.shape.length) === rightDim
    if (!inside)
      throw shapeMismatch('dotGeneral', `${role} dimensions ${leftDim} and ${rightDim} are not both there`, types)
    if (left.shape[leftDim] !== right.shape[rightDim]) {
      const hint = right.shape.includes(left.shape[leftDim]) ? 'transpose the right operand' : undefined
      throw shapeMismatch(
        'dotGeneral',
        `${role} sizes differ: left dimension ${leftDim} is ${left.shape[leftDim]}, right dimension ${rightDim} is ${right.shape[rightDim]}`,
        types,
        hint,
      )
    }
  })
}

/** floor((dilated + padding - dilated window) / stride) + 1, and 0 where the window doesn't fit. */
export function windowedSize(
  size: number,
  window: number,
  stride: number,
  padding: readonly [number, number],
  baseDilation: number,
  windowDilation: number,
): number {
  // prettier-ignore
  const dilated = (size === 0 ? 0 : (size - 1) * baseDilation + 1) + padding[0] + padding[1]
  const span = (window - 1) * windowDilation + 1
  return span > dilated ? 0 : Math.floor((dilated - span) / stride) + 1
}

export function inferConvolution(types: readonly TensorType[], attributes: ConvolutionAttributes): TensorType[] {
  const [input, kernel] = types
  const { dimensions: d, featureGroups, batchGroups, dtype } = attributes
  if (input.dtype !== kernel.dtype) {
    throw dtypeMismatch(
      'convolution',
      `element types differ: ${input.dtype} and ${kernel.dtype}`,
      types,
      'convert one of them',
    )
  }
  const rank = d.inputSpatial.length + 2
  if (input.shape.length !== rank || kernel.shape.length !== rank) {
    throw shapeMismatch('convolution', `takes operands of ${rank} dimensions`, types)
  }
  const features = input.shape[d.inputFeature]
  const kernelFeatures = kernel.shape[d.kernelInputFeature]
  if (features !== kernelFeatures * featureGroups) {
    throw shapeMismatch(
      'convolution',
      `features differ: the input has ${features}, the kernel ${kernelFeatures} in each of ${featureGroups} groups`,
      types,
      'the layout is NHWC for images and HWIO for kernels',
    )
  }
  const outputFeatures = kernel.shape[d.kernelOutputFeature]
  if (
    outputFeatures % featureGroups !== 0 ||
    outputFeatures % batchGroups !== 0 ||
    input.shape[d.inputBatch] % batchGroups !== 0
  ) {
    throw shapeMismatch(
      'convolution',
      `sizes are not divisible by ${featureGroups} feature and ${batchGroups} batch groups`,
      types,
    )
  }
  const shape = new Array<number>(rank)
  shape[d.outputBatch] = input.shape[d.inputBatch] / batchGroups
  shape[d.outputFeature] = outputFeatures
  d.outputSpatial.forEach((dim, i) => {
    shape[dim] = windowedSize(
      input.shape[d.inputSpatial[i]], kernel.shape[d.kernelSpatial[i]], attributes.strides[i], attributes.padding[i],
      attributes.inputDilation[i], attributes.kernelDilation[i],
    ) // prettier-ignore
  })
  return [tensorType(dtype, shape)]
}

export function inferReduce(types: readonly TensorType[], { kind, dims }: OperationAttributes['reduce']): TensorType[] {
  const [operand] = types
  checkReduction('reduce', kind, types)
  if (dims.some((dim, index) => normalizeDim(dim, operand.shape.length) !== dim || dims.indexOf(dim) !== index)) {
    throw shapeMismatch('reduce', `dimensions [${dims}] are not all there`, types)
  }
  return [
    tensorType(
      operand.dtype,
      operand.shape.filter((_, dim) => !dims.includes(dim)),
    ),
  ]
}

export function inferReduceWindow(types: readonly TensorType[], attributes: ReduceWindowAttributes): TensorType[] {
  const [operand] = types
  checkReduction('reduceWindow', attributes.kind, types)
  if (attributes.window.length !== operand.shape.length) {
    throw shapeMismatch('reduceWindow', `the window has ${attributes.window.length} dimensions`, types)
  }
  const shape = operand.shape.map(
    (size, dim) =>
    windowedSize(
      size, attributes.window[dim], attributes.strides[dim], attributes.padding[dim],
      attributes.baseDilation[dim], attributes.windowDilation[dim],
    ), // prettier-ignore
  )
  return [tensorType(operand.dtype, shape)]
}

function checkReduction(
  operation: string,
  kind: OperationAttributes['reduce']['kind'],
  types: readonly TensorType[],
): void {
  const logical = kind === 'and' || kind === 'or'
  const boolean = types[0].dtype === 'bool'
  if (logical !== boolean) {
    throw dtypeMismatch(
      operation,
      `${kind} does not reduce ${types[0].dtype}`,
      types,
      boolean ? 'convert to i32 or f32 first' : undefined,
    )
  }
}
