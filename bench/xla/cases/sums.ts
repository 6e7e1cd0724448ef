/** Cases of products, convolutions, reductions and windows. */
import type { ConvolutionAttributes } from '../../../src/core/operations.js'
import { imageDimensions } from '../../../src/ops/index.js'
import { dtypeOf, input, numericKinds, reductionKinds, single, type Case } from './case.js'

export function reduceCases(): Case[] {
  const byKind = reductionKinds.flatMap((kind) => [
    single('reduce', `${kind} [1]`, { kind, dims: [1] }, [input([3, 5], dtypeOf(kind))]),
    single('reduce', `${kind} all`, { kind, dims: [0, 1, 2] }, [input([2, 3, 5], dtypeOf(kind))]),
    single('reduce', `${kind} of nothing`, { kind, dims: [0] }, [input([0, 3], dtypeOf(kind))]),
    single('reduce', `${kind} no dimensions`, { kind, dims: [] }, [input([2, 3], dtypeOf(kind))]),
  ])
  const others = numericKinds.flatMap((kind) =>
    (['f64', 'bf16', 'i32', 'u32'] as const).map((dtype) =>
      single('reduce', `${kind} ${dtype}`, { kind, dims: [0, 2] }, [input([2, 3, 4], dtype)]),
    ),
  )
  return [...byKind, ...others]
}

export function reduceWindowCases(): Case[] {
  const pool = {
    window: [1, 3, 3, 1],
    strides: [1, 2, 2, 1],
    padding: [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ],
    baseDilation: [1, 1, 1, 1],
    windowDilation: [1, 1, 1, 1],
  } as const
  const dilated = {
    window: [2, 2],
    strides: [1, 1],
    padding: [
      [1, 0],
      [0, 2],
    ],
    baseDilation: [2, 1],
    windowDilation: [1, 2],
  } as const
  return reductionKinds.flatMap((kind) => [
    single('reduceWindow', `${kind} pool`, { kind, ...pool }, [input([2, 7, 6, 3], dtypeOf(kind))]),
    single('reduceWindow', `${kind} dilated`, { kind, ...dilated }, [input([4, 5], dtypeOf(kind))]),
  ])
}

export function dotGeneralCases(): Case[] {
  const plain = { leftBatch: [], rightBatch: [], leftContracting: [1], rightContracting: [0], dtype: 'f32' } as const
  const batched = {
    leftBatch: [0, 1],
    rightBatch: [0, 1],
    leftContracting: [3],
    rightContracting: [3],
    dtype: 'f32',
  } as const
  return [
    single('dotGeneral', 'matrix', plain, [input([5, 7]), input([7, 3])]),
    single('dotGeneral', 'left transposed', { ...plain, leftContracting: [0] }, [input([7, 5]), input([7, 3])]),
    single('dotGeneral', 'matrix by vector', plain, [input([5, 7]), input([7])]),
    single('dotGeneral', 'inner', { ...plain, leftContracting: [0] }, [input([7]), input([7])]),
    single('dotGeneral', 'outer', { ...plain, leftContracting: [], rightContracting: [] }, [input([3]), input([4])]),
    single('dotGeneral', 'batched', batched, [input([2, 3, 4, 5]), input([2, 3, 6, 5])]),
    single(
      'dotGeneral',
      'batch last',
      { ...plain, leftBatch: [2], rightBatch: [1], leftContracting: [0], rightContracting: [0] },
      [input([4, 3, 2]), input([4, 2, 5])],
    ),
    single('dotGeneral', 'two contracted', { ...plain, leftContracting: [1, 2], rightContracting: [1, 0] }, [
      input([3, 4, 5]),
      input([5, 4, 2]),
    ]),
    single('dotGeneral', 'nothing contracted away', plain, [input([3, 0]), input([0, 4])]),
    single('dotGeneral', 'f64', { ...plain, dtype: 'f64' }, [input([5, 7], 'f64'), input([7, 3], 'f64')]),
    single('dotGeneral', 'bf16 to f32', plain, [input([5, 7], 'bf16'), input([7, 3], 'bf16')]),
    single('dotGeneral', 'bf16', { ...plain, dtype: 'bf16' }, [input([5, 7], 'bf16'), input([7, 3], 'bf16')]),
    single('dotGeneral', 'i32', { ...plain, dtype: 'i32' }, [input([5, 7], 'i32'), input([7, 3], 'i32')]),
  ]
}

export function convolutionCases(): Case[] {
  const images: ConvolutionAttributes = {
    strides: [1, 1],
    padding: [
      [1, 1],
      [1, 1],
    ],
    inputDilation: [1, 1],
    kernelDilation: [1, 1],
    featureGroups: 1,
    batchGroups: 1,
    reversal: [false, false],
    dtype: 'f32',
    dimensions: imageDimensions,
  }
  const line = {
    inputBatch: 0,
    inputFeature: 2,
    inputSpatial: [1],
    kernelInputFeature: 1,
    kernelOutputFeature: 2,
    kernelSpatial: [0],
    outputBatch: 0,
    outputFeature: 2,
    outputSpatial: [1],
  }
  const channelsFirst = {
    ...images.dimensions,
    inputFeature: 1,
    inputSpatial: [2, 3],
    outputFeature: 1,
    outputSpatial: [2, 3],
  }
  const operands = [input([2, 6, 7, 3]), input([3, 3, 3, 5])]
  return [
    single('convolution', 'images', images, operands),
    single(
      'convolution',
      'strided, padded unevenly',
      {
        ...images,
        strides: [2, 3],
        padding: [
          [0, 1],
          [2, 0],
        ],
      },
      operands,
    ),
    single('convolution', 'kernel dilated', { ...images, kernelDilation: [2, 1] }, operands),
    single('convolution', 'input dilated', { ...images, inputDilation: [2, 3] }, operands),
    single('convolution', 'reversed', { ...images, reversal: [true, true] }, operands),
    single('convolution', 'feature groups', { ...images, featureGroups: 2 }, [
      input([2, 5, 5, 4]),
      input([3, 3, 2, 6]),
    ]),
    single('convolution', 'batch groups', { ...images, batchGroups: 2 }, [input([4, 5, 5, 3]), input([3, 3, 3, 6])]),
    single(
      'convolution',
      'negative padding',
      {
        ...images,
        padding: [
          [-1, 1],
          [0, -1],
        ],
      },
      operands,
    ),
    single(
      'convolution',
      'cut in front, padded behind, dilated',
      {
        ...images,
        padding: [
          [-1, 2],
          [2, -1],
        ],
        inputDilation: [2, 2],
      },
      operands,
    ),
    single('convolution', 'channels first', { ...images, dimensions: channelsFirst }, [
      input([2, 3, 6, 7]),
      input([3, 3, 3, 5]),
    ]),
    single(
      'convolution',
      'one dimension',
      {
        ...images,
        strides: [1],
        padding: [[0, 0]],
        inputDilation: [1],
        kernelDilation: [1],
        reversal: [false],
        dimensions: line,
      },
      [input([2, 8, 3]), input([3, 3, 4])],
    ),
    single('convolution', 'bf16', { ...images, dtype: 'bf16' }, [
      input([2, 6, 7, 3], 'bf16'),
      input([3, 3, 3, 5], 'bf16'),
    ]),
  ]
}
