/** What each pass makes of a small training step, as StableHLO. */
import { test } from 'node:test'
import { passNames, type CompileOptions, type PassName } from '../../src/compile/index.js'
import { gradients } from '../../src/autodiff/index.js'
import { trace, type Graph } from '../../src/graph/index.js'
import { printGraph } from '../../src/graph/printer.js'
import * as ops from '../../src/ops/index.js'
import { compileFor, fusing } from '../compile/support.js'
import { assertSnapshot } from './snapshot.js'

const f32 = (shape: readonly number[]) => ({ dtype: 'f32', shape }) as const

/** Two layers, squared error, gradient descent. */
function step(): Graph {
  const inputs = [
    { name: 'w1', type: f32([6, 8]) },
    { name: 'b1', type: f32([8]) },
    { name: 'w2', type: f32([8, 3]) },
    { name: 'x', type: f32([4, 6]) },
    { name: 'y', type: f32([4, 3]) },
  ]
  return trace('step', inputs, (w1, b1, w2, x, y) => {
    const hidden = ops.relu(ops.add(ops.matmul(x, w1), b1))
    const loss = ops.mean(ops.square(ops.subtract(ops.matmul(hidden, w2), y)))
    const [dw1, db1, dw2] = gradients(loss, [w1, b1, w2])
    const update = (parameter: typeof w1, gradient: typeof w1): typeof w1 =>
      ops.subtract(parameter, ops.multiply(gradient, 0.1))
    return { loss, 'new w1': update(w1, dw1), 'new b1': update(b1, db1), 'new w2': update(w2, dw2) }
  })
}

const state = { w1: 'new w1', b1: 'new b1', w2: 'new w2' }

function only(...passes: readonly PassName[]): ReadonlySet<PassName> {
  return new Set(passNames.filter((pass) => !passes.includes(pass)))
}

const cases: Readonly<Record<string, CompileOptions>> = {
  'no-passes': { disabledPasses: only() },
  simplify: { disabledPasses: only('simplify', 'foldConstants', 'commonSubexpressions') },
  'fold-transposes': { disabledPasses: only('simplify', 'foldConstants', 'commonSubexpressions', 'foldTransposes') },
  'fuse-elementwise': {
    disabledPasses: only('simplify', 'foldConstants', 'commonSubexpressions', 'foldTransposes', 'fuseElementwise'),
  },
  'fuse-products': {
    disabledPasses: only('simplify', 'foldConstants', 'commonSubexpressions', 'foldTransposes', 'fuseProducts'),
  },
  all: {},
  'all-bf16': { precision: 'bf16' },
}

for (const [name, options] of Object.entries(cases)) {
  test(`a step compiled with ${name.replaceAll('-', ' ')}`, () => {
    assertSnapshot(`compile/${name}.mlir`, printGraph(compileFor(fusing, step(), { ...options, state }).graph))
  })
}
