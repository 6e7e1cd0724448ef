/** Operations that move elements, and sources, by hand. */
import { tensorType } from '../../../src/core/shape.js'
import type { GatherAttributes, ScatterAttributes } from '../../../src/core/operations.js'
import { bool, f32, i32, u32 } from '../support/data.js'
import type { KnownCases } from './known.js'

const matrix = f32([1, 2, 3, 4, 5, 6], [2, 3])
const rows = f32([1, 2, 3, 4, 5, 6], [3, 2])
const zero = f32([0], [])

/** One row of [rows, 2] for each index. */
const takeRows: GatherAttributes = {
  offsetDims: [1],
  collapsedSliceDims: [0],
  startIndexMap: [0],
  indexVectorDim: 1,
  sliceSizes: [1, 2],
}

/** One element of a matrix for each index vector. */
const takeElements: GatherAttributes = {
  offsetDims: [],
  collapsedSliceDims: [0, 1],
  startIndexMap: [0, 1],
  indexVectorDim: 1,
  sliceSizes: [1, 1],
}

const putRows: ScatterAttributes = {
  updateWindowDims: [1],
  insertedWindowDims: [0],
  scatterDimsToOperandDims: [0],
  indexVectorDim: 1,
  kind: 'add',
}

const putElements: ScatterAttributes = {
  updateWindowDims: [],
  insertedWindowDims: [0],
  scatterDimsToOperandDims: [0],
  indexVectorDim: 1,
  kind: 'add',
}

export type MovementOperation =
  | 'iota'
  | 'rngBitGenerator'
  | 'broadcastInDim'
  | 'reshape'
  | 'transpose'
  | 'slice'
  | 'concatenate'
  | 'pad'
  | 'reverse'
  | 'gather'
  | 'scatter'

export const knownMovement: KnownCases<MovementOperation> = {
  iota: [
    {
      what: 'along the last dimension',
      operands: [],
      attributes: { type: tensorType('i32', [2, 3]), dim: 1 },
      result: i32([0, 1, 2, 0, 1, 2], [2, 3]),
    },
    {
      what: 'along the first',
      operands: [],
      attributes: { type: tensorType('f32', [2, 3]), dim: 0 },
      result: f32([0, 0, 0, 1, 1, 1], [2, 3]),
    },
    { what: 'of nothing', operands: [], attributes: { type: tensorType('i32', [0]), dim: 0 }, result: i32([]) },
  ],
  rngBitGenerator: [
    // The known answers of the Random123 library for Philox4x32-10.
    {
      what: 'all zeros',
      operands: [u32([0, 0, 0, 0])],
      attributes: { shape: [4] },
      result: u32([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
    },
    {
      what: 'all ones',
      operands: [u32([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff])],
      attributes: { shape: [2, 2] },
      result: u32([0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd], [2, 2]),
    },
    {
      what: 'fewer than a block',
      operands: [u32([0, 0, 0, 0])],
      attributes: { shape: [3] },
      result: u32([0x6627e8d5, 0xe169c58d, 0xbc57ac4c]),
    },
  ],
  broadcastInDim: [
    {
      what: 'a vector to each row',
      operands: [f32([1, 2, 3])],
      attributes: { shape: [2, 3], dims: [1] },
      result: f32([1, 2, 3, 1, 2, 3], [2, 3]),
    },
    {
      what: 'a vector to each column',
      operands: [f32([1, 2])],
      attributes: { shape: [2, 3], dims: [0] },
      result: f32([1, 1, 1, 2, 2, 2], [2, 3]),
    },
    {
      what: 'a size of 1 is repeated',
      operands: [f32([1, 2], [2, 1])],
      attributes: { shape: [2, 2], dims: [0, 1] },
      result: f32([1, 1, 2, 2], [2, 2]),
    },
    {
      what: 'dimensions may change places',
      operands: [matrix],
      attributes: { shape: [3, 2], dims: [1, 0] },
      result: f32([1, 4, 2, 5, 3, 6], [3, 2]),
    },
    { what: 'a scalar', operands: [bool([1], [])], attributes: { shape: [3], dims: [] }, result: bool([1, 1, 1]) },
    { what: 'to nothing', operands: [f32([1], [])], attributes: { shape: [2, 0], dims: [] }, result: f32([], [2, 0]) },
  ],
  reshape: [
    { what: 'keeps the order', operands: [matrix], attributes: { shape: [3, 2] }, result: rows },
    { what: 'to a scalar', operands: [f32([7], [1, 1])], attributes: { shape: [] }, result: f32([7], []) },
  ],
  transpose: [
    {
      what: 'a matrix',
      operands: [matrix],
      attributes: { permutation: [1, 0] },
      result: f32([1, 4, 2, 5, 3, 6], [3, 2]),
    },
    {
      what: 'three dimensions in a circle',
      operands: [i32([1, 2, 3, 4, 5, 6], [1, 2, 3])],
      attributes: { permutation: [2, 0, 1] },
      result: i32([1, 4, 2, 5, 3, 6], [3, 1, 2]),
    },
  ],
  slice: [
    {
      what: 'a corner',
      operands: [matrix],
      attributes: { starts: [0, 1], limits: [2, 3], strides: [1, 1] },
      result: f32([2, 3, 5, 6], [2, 2]),
    },
    {
      what: 'by steps',
      operands: [i32([0, 1, 2, 3, 4, 5, 6])],
      attributes: { starts: [1], limits: [7], strides: [3] },
      result: i32([1, 4]),
    },
    {
      what: 'of nothing',
      operands: [matrix],
      attributes: { starts: [1, 3], limits: [2, 3], strides: [1, 1] },
      result: f32([], [1, 0]),
    },
  ],
  concatenate: [
    { what: 'rows', operands: [f32([1, 2], [1, 2]), f32([3, 4, 5, 6], [2, 2])], attributes: { dim: 0 }, result: rows },
    {
      what: 'columns',
      operands: [f32([1, 4], [2, 1]), f32([2, 3, 5, 6], [2, 2])],
      attributes: { dim: 1 },
      result: matrix,
    },
    { what: 'with nothing', operands: [i32([]), i32([1, 2]), i32([])], attributes: { dim: 0 }, result: i32([1, 2]) },
    { what: 'one alone', operands: [i32([1, 2])], attributes: { dim: 0 }, result: i32([1, 2]) },
  ],
  pad: [
    {
      what: 'before and after',
      operands: [f32([1, 2]), f32([9], [])],
      attributes: { low: [1], high: [2], interior: [0] },
      result: f32([9, 1, 2, 9, 9]),
    },
    {
      what: 'negative padding cuts',
      operands: [f32([1, 2, 3, 4]), zero],
      attributes: { low: [-1], high: [-2], interior: [0] },
      result: f32([2]),
    },
    {
      what: 'between elements',
      operands: [f32([1, 2, 3]), zero],
      attributes: { low: [0], high: [1], interior: [2] },
      result: f32([1, 0, 0, 2, 0, 0, 3, 0]),
    },
    {
      what: 'cuts what was put between',
      operands: [f32([1, 2, 3]), zero],
      attributes: { low: [-1], high: [-2], interior: [1] },
      result: f32([0, 2]),
    },
    {
      what: 'two dimensions in different ways',
      operands: [i32([1, 2, 3, 4], [2, 2]), i32([0], [])],
      attributes: { low: [1, 0], high: [0, -1], interior: [0, 1] },
      result: i32([0, 0, 1, 0, 3, 0], [3, 2]),
    },
    {
      what: 'what is cut from a row does not end up in the one before',
      operands: [i32([1, 2, 3, 4], [2, 2]), i32([0], [])],
      attributes: { low: [0, -1], high: [0, 1], interior: [0, 0] },
      result: i32([2, 0, 4, 0], [2, 2]),
    },
    {
      what: 'nothing',
      operands: [f32([]), f32([5], [])],
      attributes: { low: [1], high: [1], interior: [3] },
      result: f32([5, 5]),
    },
  ],
  reverse: [
    { what: 'one dimension', operands: [matrix], attributes: { dims: [1] }, result: f32([3, 2, 1, 6, 5, 4], [2, 3]) },
    { what: 'both', operands: [matrix], attributes: { dims: [0, 1] }, result: f32([6, 5, 4, 3, 2, 1], [2, 3]) },
    { what: 'of nothing', operands: [f32([], [2, 0])], attributes: { dims: [1] }, result: f32([], [2, 0]) },
  ],
  gather: [
    { what: 'rows', operands: [rows, i32([2, 0, 2])], attributes: takeRows, result: f32([5, 6, 1, 2, 5, 6], [3, 2]) },
    {
      what: 'starts outside are clamped',
      operands: [rows, i32([-1, 9])],
      attributes: takeRows,
      result: f32([1, 2, 5, 6], [2, 2]),
    },
    {
      what: 'a window is moved to where it fits',
      operands: [f32([10, 20, 30, 40, 50]), i32([4, -3], [2, 1])],
      attributes: { offsetDims: [1], collapsedSliceDims: [], startIndexMap: [0], indexVectorDim: 1, sliceSizes: [2] },
      result: f32([40, 50, 10, 20], [2, 2]),
    },
    {
      what: 'elements by two indices',
      operands: [matrix, i32([1, 2, 0, 1], [2, 2])],
      attributes: takeElements,
      result: f32([6, 2]),
    },
    {
      what: 'index vectors of another order',
      operands: [matrix, i32([2, 1, 1, 0], [2, 2])],
      attributes: { ...takeElements, startIndexMap: [1, 0] },
      result: f32([6, 2]),
    },
    {
      what: 'index vectors along the first dimension',
      operands: [matrix, i32([1, 0, 2, 1], [2, 2])],
      attributes: { ...takeElements, indexVectorDim: 0 },
      result: f32([6, 2]),
    },
    {
      what: 'the window first in the result',
      operands: [rows, i32([2, 0])],
      attributes: { ...takeRows, offsetDims: [0] },
      result: f32([5, 1, 6, 2], [2, 2]),
    },
    { what: 'no index', operands: [rows, i32([])], attributes: takeRows, result: f32([], [0, 2]) },
    {
      what: 'a matrix of indices',
      operands: [rows, i32([0, 1, 2, 1], [2, 2])],
      attributes: { ...takeRows, offsetDims: [2], indexVectorDim: 2 },
      result: f32([1, 2, 3, 4, 5, 6, 3, 4], [2, 2, 2]),
    },
  ],
  scatter: [
    {
      what: 'adds every update of a row',
      operands: [rows, i32([1, 1, 0]), f32([10, 10, 100, 100, 1, 1], [3, 2])],
      attributes: putRows,
      result: f32([2, 3, 113, 114, 5, 6], [3, 2]),
    },
    {
      what: 'updates outside are dropped',
      operands: [rows, i32([-1, 3, 2]), f32([7, 7, 8, 8, 9, 9], [3, 2])],
      attributes: putRows,
      result: f32([1, 2, 3, 4, 14, 15], [3, 2]),
    },
    {
      what: 'the last replacement wins',
      operands: [f32([1, 2, 3]), i32([1, 1]), f32([7, 8])],
      attributes: { ...putElements, kind: 'replace' },
      result: f32([1, 8, 3]),
    },
    {
      what: 'the largest',
      operands: [i32([1, 5, 3]), i32([0, 1, 0]), i32([4, 2, -1])],
      attributes: { ...putElements, kind: 'maximum' },
      result: i32([4, 5, 3]),
    },
    {
      what: 'the least',
      operands: [f32([1, 5]), i32([0, 1]), f32([4, 2])],
      attributes: { ...putElements, kind: 'minimum' },
      result: f32([1, 2]),
    },
    {
      what: 'products',
      operands: [f32([2, 5]), i32([0, 0]), f32([4, 3])],
      attributes: { ...putElements, kind: 'multiply' },
      result: f32([24, 5]),
    },
    {
      what: 'a window at a place',
      operands: [f32([0, 0, 0, 0]), i32([2], [1, 1]), f32([5, 6], [1, 2])],
      attributes: {
        updateWindowDims: [1],
        insertedWindowDims: [],
        scatterDimsToOperandDims: [0],
        indexVectorDim: 1,
        kind: 'add',
      },
      result: f32([0, 0, 5, 6]),
    },
    {
      what: 'elements by two indices',
      operands: [f32([0, 0, 0, 0], [2, 2]), i32([0, 1, 1, 0, 0, 1], [3, 2]), f32([1, 2, 4])],
      attributes: { ...putElements, insertedWindowDims: [0, 1], scatterDimsToOperandDims: [0, 1] },
      result: f32([0, 5, 2, 0], [2, 2]),
    },
    {
      what: 'an index outside by one dimension is dropped, not taken for another place',
      operands: [f32([0, 0, 0, 0], [2, 2]), i32([1, -1, 0, 2, 1, 1], [3, 2]), f32([1, 2, 4])],
      attributes: { ...putElements, insertedWindowDims: [0, 1], scatterDimsToOperandDims: [0, 1] },
      result: f32([0, 0, 0, 4], [2, 2]),
    },
    { what: 'no update', operands: [rows, i32([]), f32([], [0, 2])], attributes: putRows, result: rows },
  ],
}
