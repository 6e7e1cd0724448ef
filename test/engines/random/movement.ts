/** Random cases of operations that move elements: sizes of 0, 1, odd ones, and those of attention. */
import type { DType } from '../../../src/core/dtype.js'
import type { GatherAttributes, ReductionKind, ScatterAttributes } from '../../../src/core/operations.js'
import { tensorType, type Shape } from '../../../src/core/shape.js'
import type { MovementOperation } from '../known/movement.js'
import { randomTensor, u32, type Range } from '../support/data.js'
import { draw, type RandomCases } from './random.js'

type Row<T extends readonly unknown[]> = readonly T[]

const broadcasts: Row<[from: Shape, to: Shape, dims: readonly number[]]> = [
  [[], [0], []],
  [[], [3, 1, 7], []],
  [[5], [3, 5], [1]],
  [[5], [5, 3], [0]],
  [
    [1, 7],
    [4, 7],
    [0, 1],
  ],
  [
    [4, 1],
    [4, 33],
    [0, 1],
  ],
  [
    [3, 5],
    [2, 3, 4, 5],
    [1, 3],
  ],
  [
    [3, 5],
    [5, 2, 3],
    [2, 0],
  ],
  [
    [1, 129],
    [40, 129],
    [0, 1],
  ],
  [
    [2, 3],
    [2, 3],
    [0, 1],
  ],
]

const transposes: Row<[shape: Shape, permutation: readonly number[]]> = [
  [[], []],
  [[5], [0]],
  [
    [3, 5],
    [1, 0],
  ],
  [
    [0, 4],
    [1, 0],
  ],
  [
    [1, 6],
    [1, 0],
  ],
  [
    [67, 130],
    [1, 0],
  ],
  [
    [2, 3, 4, 5],
    [0, 2, 1, 3],
  ],
  [
    [2, 3, 4, 5],
    [0, 2, 3, 1],
  ],
  [
    [2, 9, 17],
    [2, 0, 1],
  ],
  [
    [3, 1, 5, 2, 4],
    [4, 3, 2, 1, 0],
  ],
]

const slices: Row<[shape: Shape, starts: readonly number[], limits: readonly number[], strides: readonly number[]]> = [
  [[10], [2], [9], [1]],
  [[10], [0], [10], [3]],
  [
    [5, 7],
    [1, 2],
    [4, 7],
    [1, 1],
  ],
  [
    [5, 7],
    [0, 0],
    [5, 7],
    [2, 3],
  ],
  [
    [5, 7],
    [2, 0],
    [2, 7],
    [1, 1],
  ],
  [
    [3, 4, 100],
    [1, 0, 50],
    [3, 4, 83],
    [1, 2, 1],
  ],
]

const pads: Row<[shape: Shape, low: readonly number[], high: readonly number[], interior: readonly number[]]> = [
  [[5], [2], [1], [0]],
  [[5], [-1], [3], [0]],
  [[5], [0], [-2], [2]],
  [[0], [2], [1], [1]],
  [
    [3, 4],
    [1, 0],
    [0, 2],
    [0, 1],
  ],
  [
    [2, 5, 3],
    [0, -2, 1],
    [1, 0, 1],
    [1, 0, 2],
  ],
  [
    [4, 33],
    [0, 3],
    [0, 12],
    [0, 0],
  ],
]

const concatenations: Row<[shapes: readonly Shape[], dim: number]> = [
  [[[3], [4], [1]], 0],
  [
    [
      [2, 3],
      [5, 3],
    ],
    0,
  ],
  [
    [
      [2, 3],
      [2, 0],
      [2, 65],
    ],
    1,
  ],
  [
    [
      [2, 1, 3],
      [2, 4, 3],
      [2, 2, 3],
    ],
    1,
  ],
  [
    [
      [4, 2],
      [4, 2],
      [4, 2],
      [4, 2],
    ],
    1,
  ],
]

/** One row of an embedding for each index. */
function rowGather(indexRank: number, width: number): GatherAttributes {
  return {
    offsetDims: [indexRank],
    collapsedSliceDims: [0],
    startIndexMap: [0],
    indexVectorDim: indexRank,
    sliceSizes: [1, width],
  }
}

const gathers: Row<[operand: Shape, starts: Shape, attributes: GatherAttributes]> = [
  [[11, 5], [7], rowGather(1, 5)],
  [[11, 64], [3, 4], rowGather(2, 64)],
  [[11, 5], [0], rowGather(1, 5)],
  [[11, 1], [4], rowGather(1, 1)],
  [
    [6, 9],
    [6, 2],
    { offsetDims: [], collapsedSliceDims: [0, 1], startIndexMap: [0, 1], indexVectorDim: 1, sliceSizes: [1, 1] },
  ],
  [
    [6, 9],
    [5, 1],
    { offsetDims: [1, 2], collapsedSliceDims: [], startIndexMap: [1], indexVectorDim: 1, sliceSizes: [6, 3] },
  ],
  [
    [4, 6, 3],
    [2, 5],
    { offsetDims: [0, 2], collapsedSliceDims: [1], startIndexMap: [1, 0], indexVectorDim: 0, sliceSizes: [2, 1, 3] },
  ],
]

function rowScatter(kind: ScatterAttributes['kind'], indexRank: number): ScatterAttributes {
  return {
    updateWindowDims: [indexRank],
    insertedWindowDims: [0],
    scatterDimsToOperandDims: [0],
    indexVectorDim: indexRank,
    kind,
  }
}

const elementScatter = {
  updateWindowDims: [],
  insertedWindowDims: [0, 1],
  scatterDimsToOperandDims: [0, 1],
  indexVectorDim: 1,
}
const windowScatter = {
  updateWindowDims: [1, 2],
  insertedWindowDims: [],
  scatterDimsToOperandDims: [1],
  indexVectorDim: 1,
}
const arithmeticKinds: readonly (ReductionKind | 'replace')[] = ['add', 'replace', 'maximum', 'minimum', 'multiply']

const scatters: Row<
  [operand: Shape, starts: Shape, updates: Shape, attributes: (kind: ScatterAttributes['kind']) => ScatterAttributes]
> = [
  [[11, 5], [9], [9, 5], (kind) => rowScatter(kind, 1)],
  [[11, 64], [3, 4], [3, 4, 64], (kind) => rowScatter(kind, 2)],
  [[11, 5], [0], [0, 5], (kind) => rowScatter(kind, 1)],
  [[6, 9], [8, 2], [8], (kind) => ({ ...elementScatter, kind })],
  [[6, 9], [4, 1], [4, 6, 3], (kind) => ({ ...windowScatter, kind })],
]

/** Some outside on both sides. */
const indices: Range = { least: -2, most: 13 }

export const randomMovement: RandomCases<MovementOperation> = {
  iota: (dtype) =>
    dtype === 'bool'
      ? []
      : [[[0], 0] as const, [[1], 0] as const, [[200], 0] as const, [[3, 5, 2], 0] as const, [[3, 5, 2], 1] as const, [[3, 33], 1] as const].map(([shape, dim]) => ({ what: `[${shape}] along ${dim}`, operands: [], attributes: { type: tensorType(dtype, shape), dim } })), // prettier-ignore
  rngBitGenerator: (dtype) =>
    dtype === 'u32'
      ? [[0], [1], [5], [3, 7], [1000]].flatMap((shape) =>
          [
            [1, 2, 3, 4],
            [7, 0, 0xffffffff, 0],
            [0xdeadbeef, 0xcafe, 0xfffffffe, 0xffffffff],
          ].map((state) => ({ what: `[${shape}] from ${state}`, operands: [u32(state)], attributes: { shape } })),
        )
      : [],
  broadcastInDim: (dtype) =>
    broadcasts.map(([from, shape, dims]) => ({ what: `[${from}] to [${shape}]`, operands: [draw('broadcast', dtype, from)], attributes: { shape, dims } })), // prettier-ignore
  reshape: (dtype) =>
    [
      [[6], [2, 3]],
      [[2, 3, 4], [4, 6]],
      [[1], []],
      [[0, 3], [5, 0]],
    ].map(([from, shape]) => ({ what: `[${from}] to [${shape}]`, operands: [draw('reshape', dtype, from)], attributes: { shape } })), // prettier-ignore
  transpose: (dtype) =>
    transposes.map(([shape, permutation]) => ({ what: `[${shape}] by [${permutation}]`, operands: [draw('transpose', dtype, shape)], attributes: { permutation } })), // prettier-ignore
  slice: (dtype) =>
    slices.map(([shape, starts, limits, strides]) => ({ what: `[${shape}] [${starts}] to [${limits}] by [${strides}]`, operands: [draw('slice', dtype, shape)], attributes: { starts, limits, strides } })), // prettier-ignore
  concatenate: (dtype) =>
    concatenations.map(([shapes, dim]) => ({ what: `${shapes.map((shape) => `[${shape}]`).join(' ')} along ${dim}`, operands: shapes.map((shape, i) => draw(`concatenate ${i}`, dtype, shape)), attributes: { dim } })), // prettier-ignore
  pad: (dtype) =>
    pads.map(([shape, low, high, interior]) => ({ what: `[${shape}] by [${low}] [${high}] [${interior}]`, operands: [draw('pad', dtype, shape), draw('padding', dtype, [])], attributes: { low, high, interior } })), // prettier-ignore
  reverse: (dtype) =>
    [
      { shape: [7], dims: [0] },
      { shape: [0], dims: [0] },
      { shape: [3, 5], dims: [0] },
      { shape: [3, 40], dims: [1] },
      { shape: [3, 5, 2], dims: [0, 2] },
    ].map(({ shape, dims }) => ({ what: `[${shape}] along [${dims}]`, operands: [draw('reverse', dtype, shape)], attributes: { dims } })), // prettier-ignore
  gather: (dtype) =>
    gathers.map(([operand, starts, attributes]) => ({ what: `[${operand}] at [${starts}]`, operands: [draw('gather', dtype, operand), randomTensor(`gather ${starts}`, tensorType('i32', starts), indices)], attributes })), // prettier-ignore
  scatter: (dtype) =>
    scatters.flatMap(([operand, starts, updates, attributes]) =>
      kindsFor(dtype).map((kind) => ({
        what: `${kind} [${updates}] into [${operand}]`,
        operands: [
          draw('scatter', dtype, operand),
          randomTensor(`scatter ${starts}`, tensorType('i32', starts), indices),
          draw('scatter updates', dtype, updates),
        ],
        attributes: attributes(kind),
      })),
    ),
}

function kindsFor(dtype: DType): readonly ScatterAttributes['kind'][] {
  return dtype === 'bool' ? ['replace', 'and', 'or'] : arithmeticKinds
}
