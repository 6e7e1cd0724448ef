/** Gradients of sources, of structure, and of exchanges between workers, of which here there is one. */
import type { OperationName } from '../../../src/core/operations.js'
import type { AnyTensor } from '../../../src/graph/index.js'
import * as ops from '../../../src/ops/index.js'
import { f64 } from '../../engines/support/data.js'
import { applied, random, real, zero, type Derivatives } from '../support/cases.js'
import type { GradientCase } from '../support/gradients.js'

type Structure = Extract<
  OperationName,
  'parameter' | 'constant' | 'optimizationBarrier' | 'allReduce' | 'allGather' | 'reduceScatter' | 'collectivePermute'
>

const alone = { axis: 'data', size: 1 } as const
const [matrix, empty] = [random('exchanged', [2, 3]), random('exchanged', [0, 3])]

const barriers: GradientCase[] = [
  {
    what: 'several values held together',
    operands: [random('held', [3]), random('held', [2, 2])],
    body: (a, b) => ops.optimizationBarrier([a, ops.square(b) as AnyTensor]),
  },
  {
    what: 'values that nobody reads, and integers',
    operands: [random('held', [3]), random('held', [2])],
    body: (a, b) => ops.optimizationBarrier([a, b, ops.iota([3]) as AnyTensor])[0],
  },
]

export const structureDerivatives: Derivatives<Structure> = {
  parameter: real([{ what: 'itself', operands: [random('parameter', [3])], body: (x) => x }]),
  constant: zero({
    what: 'has no operand',
    operands: [random('constant', [2])],
    body: () => ops.constantOf(f64([1, 2])),
  }),
  optimizationBarrier: real(barriers),
  allReduce: real(
    [matrix, empty].map((x) => applied('allReduce', `add [${x.shape}]`, [x], { ...alone, kind: 'add' })),
    [applied('allReduce', 'maximum', [matrix], { ...alone, kind: 'maximum' })],
  ),
  allGather: real([matrix, empty].map((x) => applied('allGather', `[${x.shape}]`, [x], { ...alone, dim: 1 }))),
  reduceScatter: real(
    [matrix, empty].map((x) => applied('reduceScatter', `add [${x.shape}]`, [x], { ...alone, kind: 'add', dim: 0 })),
    [applied('reduceScatter', 'minimum', [matrix], { ...alone, kind: 'minimum', dim: 0 })],
  ),
  collectivePermute: real([matrix, empty].map((x) => applied('collectivePermute', `[${x.shape}]`, [x], { ...alone, pairs: [[0, 0]] }))), // prettier-ignore
}
