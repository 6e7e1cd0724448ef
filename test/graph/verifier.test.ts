/** The verifier finds each way in which a pass can break a graph. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TalwegError } from '../../src/core/errors.js'
import { tensorType, type TensorType } from '../../src/core/shape.js'
import { GraphBuilder, rewrite, trace, verify, type Graph, type Node, type Value } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'

/** y = tanh(x) + x, z = gelu(y). */
function wellFormed(): Graph {
  return trace('model', [{ name: 'x', type: tensorType('f32', [2, 3]) }], (x) => {
    const y = x.tanh().add(x)
    return { y, z: ops.gelu(y) }
  })
}

function replaced(graph: Graph, operation: string, change: (node: Node) => Partial<Node>): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => (node.operation === operation ? ({ ...node, ...change(node) } as Node) : node)),
  }
}

/** A graph of one operation that says of its result what its maker says, as a pass may that knows better. */
function claiming(operation: 'tanh', operand: TensorType, result: TensorType): Graph {
  const builder = new GraphBuilder('model')
  const x = builder.parameter('x', operand)
  const [value] = builder.add(operation, [x], {}, { types: [result] })
  return builder.build([{ name: 'y', value }])
}

const broken: Readonly<Record<string, readonly [message: RegExp, graph: () => Graph]>> = {
  'an operand that comes later': [
    /model: node \d+ composite: an operand is not computed before it/,
    () => ({ ...wellFormed(), nodes: wellFormed().nodes.toReversed() }),
  ],
  'an operand from another graph': [
    /model: node \d+ tanh: an operand is not computed before it/,
    () => {
      const other = new GraphBuilder('other').parameter('x', tensorType('f32', [2, 3]))
      return replaced(wellFormed(), 'tanh', () => ({ inputs: [other] }))
    },
  ],
  'an id used twice': [
    /model: node 0 add: its id is used twice/,
    () => replaced(wellFormed(), 'add', () => ({ id: 0 })),
  ],
  'a result of another type than the rule gives': [
    /model: node \d+ tanh: result 0 is f32\[3,2\], by its rule f32\[2,3\]/,
    () => claiming('tanh', tensorType('f32', [2, 3]), tensorType('f32', [3, 2])),
  ],
  'too many results': [
    /model: node \d+ tanh: 2 results, by its rule 1/,
    () => replaced(wellFormed(), 'tanh', (node) => ({ outputs: [node.outputs[0], node.outputs[0]] })),
  ],
  'a result that belongs to another node': [
    /model: node \d+ tanh: result 0 belongs to another node/,
    () => replaced(wellFormed(), 'tanh', () => ({})),
  ],
  'a parameter that is not in the list': [/a parameter not in the list/, () => ({ ...wellFormed(), parameters: [] })],
  'a parameter that is not a node': [
    /model: a parameter is not a node/,
    () => {
      const graph = wellFormed()
      const stray = new GraphBuilder('other').parameter('b', tensorType('f32', []))
      return { ...graph, parameters: [...graph.parameters, stray] }
    },
  ],
  'a result that is not computed': [
    /model: result w is not computed/,
    () => {
      const value: Value = new GraphBuilder('other').parameter('b', tensorType('f32', []))
      return { ...wellFormed(), results: [{ name: 'w', value }] }
    },
  ],
  'two results of one name': [
    /model: two results have one name/,
    () => {
      const graph = wellFormed()
      return { ...graph, results: [...graph.results, graph.results[0]] }
    },
  ],
  'operands that a rule refuses': [
    /tanh: takes floating-point elements, not i32/,
    () => claiming('tanh', tensorType('i32', [2]), tensorType('i32', [2])),
  ],
  'a broken decomposition': [
    /gelu: two results have one name/,
    () => {
      const builder = new GraphBuilder('model')
      const { node } = wellFormed().results[1].value
      const { decomposition, attributes } = node as Node<'composite'>
      const x = builder.parameter('x', node.inputs[0].type)
      const [result] = decomposition!.results
      const [value] = builder.add('composite', [x], attributes, {
        decomposition: { ...decomposition!, results: [result, result] },
      })
      return builder.build([{ name: 'y', value }])
    },
  ],
}

test('a graph as it is traced, and a copy of it, is well formed', () => {
  verify(wellFormed())
  verify(rewrite(wellFormed(), () => undefined))
})

for (const [what, [message, graph]] of Object.entries(broken)) {
  test(`found: ${what}`, () => {
    assert.throws(
      () => verify(graph()),
      (error) => error instanceof TalwegError && message.test(error.message),
    )
  })
}
