/** Cases of gather and scatter. */
import { input, numericKinds, single, type Case, type InputSpec } from './case.js'

const rows = { offsetDims: [1], collapsedSliceDims: [0], startIndexMap: [0], indexVectorDim: 1, sliceSizes: [1, 4] }

export function gatherCases(): Case[] {
  const blocks = {
    offsetDims: [0, 2],
    collapsedSliceDims: [],
    startIndexMap: [1, 0],
    indexVectorDim: 1,
    sliceSizes: [2, 3],
  }
  return [
    single('gather', 'rows', rows, [input([6, 4]), input([5], 'i32', 0, 5)]),
    single('gather', 'rows clamped', rows, [input([6, 4]), input([7], 'i32', -4, 12)]),
    single('gather', 'rows by a matrix', { ...rows, offsetDims: [2], indexVectorDim: 2 }, [
      input([6, 4]),
      input([2, 3], 'i32', 0, 5),
    ]),
    single('gather', 'blocks', blocks, [input([5, 6]), input([4, 2], 'i32', 0, 3)]),
    single('gather', 'no rows', rows, [input([6, 4]), input([0], 'i32')]),
  ]
}

export function scatterCases(): Case[] {
  const intoRows = { updateWindowDims: [1], insertedWindowDims: [0], scatterDimsToOperandDims: [0], indexVectorDim: 1 }
  const blocks = {
    updateWindowDims: [1, 2],
    insertedWindowDims: [],
    scatterDimsToOperandDims: [0, 1],
    indexVectorDim: 1,
  }
  const kinds = numericKinds.flatMap((kind) => [
    single('scatter', `${kind} rows`, { ...intoRows, kind }, [input([6, 4]), input([9], 'i32', 0, 5), input([9, 4])]),
    single('scatter', `${kind} rows, some outside`, { ...intoRows, kind }, [
      input([6, 4]),
      input([9], 'i32', -3, 9),
      input([9, 4]),
    ]),
    single('scatter', `${kind} blocks`, { ...blocks, kind }, [
      input([5, 6]),
      input([3, 2], 'i32', 0, 4),
      input([3, 2, 3]),
    ]),
  ])
  // Which of two updates of one place is last is not defined, so a replacement has its places once each.
  const places: InputSpec = { dtype: 'i32', shape: [4], values: [3, 0, 5, 7] }
  return [
    ...kinds,
    single('scatter', 'replace rows', { ...intoRows, kind: 'replace' }, [input([6, 4]), places, input([4, 4])]),
  ]
}
