/**
 * Small graphs with inputs, some for every operation: an exhaustive table, so that an operation without a check does
 * not compile. Shapes have odd sizes, ones and zeros; numbers come from Philox by the case's name, so they never change.
 */
import type { OperationName } from '../../../src/core/operations.js'
import { tensorType } from '../../../src/core/shape.js'
import { allDtypes, input, makeCase, reductionKinds, single, type Case } from './case.js'
import { binaryTable, bitcastCases, compareCases, convertCases, unaryTable } from './elementwise.js'
import { collectiveCases } from './exchange.js'
import { gatherCases, scatterCases } from './indexing.js'
import { constantCases, randomBitsCases } from './sources.js'
import { convolutionCases, dotGeneralCases, reduceCases, reduceWindowCases } from './sums.js'

export const operationCases: { readonly [O in OperationName]: () => Case[] } = {
  ...unaryTable,
  ...binaryTable,
  convert: convertCases,
  bitcastConvert: bitcastCases,
  compare: compareCases,
  parameter: () =>
    allDtypes.map((dtype) => makeCase(`parameter ${dtype}`, [input([2, 3], dtype)], (_, inputs) => inputs)),
  constant: constantCases,
  iota: () =>
    allDtypes.flatMap((dtype) =>
      [0, 1].map((dim) => single('iota', `${dtype} ${dim}`, { type: tensorType(dtype, [2, 2]), dim }, [])),
    ),
  rngBitGenerator: randomBitsCases,
  select: () =>
    allDtypes.map((dtype) =>
      single('select', dtype, {}, [input([3, 5], 'bool'), input([3, 5], dtype), input([3, 5], dtype)]),
    ),
  broadcastInDim: () => [
    single('broadcastInDim', 'scalar', { shape: [2, 3], dims: [] }, [input([])]),
    single('broadcastInDim', 'row', { shape: [2, 3], dims: [1] }, [input([3])]),
    single('broadcastInDim', 'column', { shape: [2, 3], dims: [0] }, [input([2])]),
    single('broadcastInDim', 'ones', { shape: [4, 2, 3], dims: [0, 2] }, [input([1, 3])]),
    single('broadcastInDim', 'to nothing', { shape: [0, 3], dims: [1] }, [input([3])]),
  ],
  reshape: () => [
    single('reshape', 'split', { shape: [2, 3, 4] }, [input([6, 4])]),
    single('reshape', 'to scalar', { shape: [] }, [input([1, 1])]),
    single('reshape', 'nothing', { shape: [3, 0] }, [input([0, 7])]),
  ],
  transpose: () => [
    single('transpose', 'matrix', { permutation: [1, 0] }, [input([3, 5])]),
    single('transpose', 'heads', { permutation: [0, 2, 1, 3] }, [input([2, 3, 4, 5])]),
    single('transpose', 'scalar', { permutation: [] }, [input([])]),
  ],
  slice: () => [
    single('slice', 'inside', { starts: [1, 0], limits: [4, 3], strides: [1, 1] }, [input([5, 3])]),
    single('slice', 'strided', { starts: [0, 1], limits: [5, 7], strides: [2, 3] }, [input([5, 7])]),
    single('slice', 'to nothing', { starts: [2, 0], limits: [2, 3], strides: [1, 1] }, [input([5, 3])]),
  ],
  concatenate: () => [
    single('concatenate', 'three', { dim: 1 }, [input([2, 3]), input([2, 1]), input([2, 0])]),
    single('concatenate', 'one', { dim: 0 }, [input([2, 3], 'i32')]),
  ],
  pad: () => [
    single('pad', 'around', { low: [1, 0], high: [2, 3], interior: [0, 0] }, [input([3, 4]), input([])]),
    single('pad', 'inside', { low: [0, 1], high: [0, 0], interior: [2, 1] }, [input([3, 4]), input([])]),
    single('pad', 'cut', { low: [-1, 2], high: [1, -3], interior: [0, 0] }, [input([3, 4]), input([])]),
    single('pad', 'nothing', { low: [1], high: [1], interior: [1] }, [input([0], 'i32'), input([], 'i32')]),
  ],
  reverse: () => [
    single('reverse', 'both', { dims: [0, 2] }, [input([3, 2, 4])]),
    single('reverse', 'none', { dims: [] }, [input([3])]),
  ],
  gather: gatherCases,
  scatter: scatterCases,
  dotGeneral: dotGeneralCases,
  convolution: convolutionCases,
  reduce: reduceCases,
  reduceWindow: reduceWindowCases,
  optimizationBarrier: () => [
    single('optimizationBarrier', 'one', {}, [input([2, 3])]),
    single('optimizationBarrier', 'two', {}, [input([2, 3]), input([4], 'i32')]),
  ],
  // Each composite has cases of its own, in composites.ts.
  composite: () => [],
  allReduce: () =>
    collectiveCases(
      'allReduce',
      reductionKinds.map((kind) => ({ kind })),
    ),
  allGather: () => collectiveCases('allGather', [{ dim: 0 }, { dim: 1 }]),
  reduceScatter: () =>
    collectiveCases('reduceScatter', [
      { kind: 'add', dim: 0 },
      { kind: 'maximum', dim: 0 },
    ]),
  collectivePermute: () =>
    collectiveCases('collectivePermute', [
      {
        pairs: [
          [0, 1],
          [1, 2],
          [2, 3],
          [3, 0],
        ],
      },
      { pairs: [[0, 2]] },
    ]),
}
