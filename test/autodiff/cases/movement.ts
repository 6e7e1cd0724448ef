/** Gradients of operations that move elements: the engines' random cases that are small, and some of their own. */
import type { GatherAttributes } from '../../../src/core/operations.js'
import { numElements } from '../../../src/core/shape.js'
import type { AnyTensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { apply } from '../../../src/ops/lift.js'
import { randomMovement } from '../../engines/random/movement.js'
import { f64, i32 } from '../../engines/support/data.js'
import { applied, random, real, zero, type Derivatives } from '../support/cases.js'
import type { GradientCase } from '../support/gradients.js'

type Movement = keyof typeof randomMovement

/** The engines' cases with few enough elements. */
function fromEngines(operation: Movement): GradientCase[] {
  return randomMovement[operation]('f64')
    .filter(({ operands }) => operands.every(({ shape }) => numElements(shape) <= 130))
    .map(({ what, operands, attributes }) =>
      applied(operation as 'reverse', what, operands, attributes as { readonly dims: readonly number[] }),
    )
}

const ofAdd = (gradientCase: GradientCase): boolean => gradientCase.what.startsWith('add ')
const scatters = fromEngines('scatter')

const pads: GradientCase[] = [
  applied('pad', 'cut on both sides', [random('pad', [5]), f64([0.5], [])], { low: [-2], high: [-1], interior: [0] }),
  applied('pad', 'cut down to padding', [random('pad', [2]), f64([0.5], [])], { low: [-2], high: [3], interior: [0] }),
  applied('pad', 'spread, then cut between', [random('pad', [4]), f64([0.5], [])], { low: [-1], high: [-2], interior: [2] }),
  applied('pad', 'of no element', [random('pad', [0, 3]), f64([0.5], [])], { low: [1, 0], high: [1, -1], interior: [0, 1] }),
  applied('pad', 'of a scalar', [random('pad', []), f64([0.5], [])], { low: [], high: [], interior: [] }),
] // prettier-ignore

const windowGather: GatherAttributes = {
  offsetDims: [1, 2],
  collapsedSliceDims: [],
  startIndexMap: [0, 1],
  indexVectorDim: 1,
  sliceSizes: [2, 3],
}

const gathers: GradientCase[] = [
  applied('gather', 'starts out of range on each side', [random('gather', [4, 5]), i32([-3, 1, 9, -1, 3, 4, 1, 1], [4, 2])], windowGather), // prettier-ignore
  {
    what: 'the same row twice',
    operands: [random('gather', [4, 3]), i32([2, 0, 2, 7, -1])],
    body: (x, indices) => ops.takeRows(x, indices as never) as AnyTensor,
  },
]

const scatterAdds: GradientCase[] = [
  {
    what: 'rows out of range are dropped, others met twice',
    operands: [random('scatter', [4, 3]), i32([2, 0, 2, 7, -1]), random('updates', [5, 3])],
    body: (x, indices, updates) => ops.addToRows(x, indices as never, updates) as AnyTensor,
  },
  applied(
    'scatter',
    'windows that stick out are dropped whole',
    [random('scatter', [4, 5]), i32([-1, 1, 3, 0, 2, 2, 1, 3], [4, 2]), random('updates', [4, 2, 3])],
    { updateWindowDims: [1, 2], insertedWindowDims: [], scatterDimsToOperandDims: [0, 1], indexVectorDim: 1, kind: 'add' }, // prettier-ignore
  ),
]

export const movementDerivatives: Derivatives<Movement> = {
  iota: zero({
    what: 'has no operand',
    operands: [random('iota', [3])],
    body: () => ops.iota([3], 0, 'f64') as AnyTensor,
  }),
  rngBitGenerator: zero({
    what: 'of a whole number below the operand',
    operands: [f64([1.5, 2.5, 3.5, 4.5])],
    body: (x) => ops.convert(apply('rngBitGenerator', [ops.convert(x, 'u32')], { shape: [2, 3] }), 'f64') as AnyTensor,
  }),
  broadcastInDim: real(fromEngines('broadcastInDim')),
  reshape: real(fromEngines('reshape')),
  transpose: real(fromEngines('transpose')),
  slice: real([
    ...fromEngines('slice'),
    applied('slice', 'none of no element', [random('slice', [0, 2])], { starts: [0, 1], limits: [0, 2], strides: [1, 1] }), // prettier-ignore
    applied('slice', 'a stride beyond the end', [random('slice', [7])], { starts: [1], limits: [7], strides: [9] }),
  ]),
  concatenate: real([
    ...fromEngines('concatenate'),
    {
      what: 'the same operand twice',
      operands: [random('concatenate', [2, 3])],
      body: (x) => ops.concatenate([x, ops.square(x) as AnyTensor, x], 1) as AnyTensor,
    },
  ]),
  pad: real([...fromEngines('pad'), ...pads]),
  reverse: real(fromEngines('reverse')),
  gather: real([...fromEngines('gather'), ...gathers]),
  scatter: real([...scatters.filter(ofAdd), ...scatterAdds], scatters.filter((scatter) => !ofAdd(scatter))), // prettier-ignore
}
