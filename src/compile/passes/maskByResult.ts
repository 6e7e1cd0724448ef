/**
 * ReLU's derivative asks where its argument was positive; that is where its result is. Asking the result instead (the
 * same answer for every number, NaN included) frees the argument at once, and lets ReLU go into the product before it.
 */
import { rewrite, type Graph, type Node, type Value } from '../../graph/index.js'
import { splatNumber } from './constants.js'

export function maskByResult(graph: Graph): Graph {
  const rectified = findRectified(graph)
  if (rectified.size === 0) return graph
  const replaced = new Map<Value, Value>()
  return rewrite(graph, (node, inputs, builder) => {
    const argument = maskedArgument(node)
    const result = argument && replaced.get(argument)
    if (result !== undefined)
      return builder.add('compare', [result, inputs[1]], { direction: 'GT' }, { location: node.location })
    const mine = rectified.get(node)
    if (mine === undefined) return undefined
    const outputs = builder.add('maximum', inputs, {}, { location: node.location })
    replaced.set(mine, outputs[0])
    return outputs
  })
}

/** Each max(x, 0), with its x. */
function findRectified(graph: Graph): Map<Node, Value> {
  const masked = new Set<Value>()
  for (const node of graph.nodes) {
    const argument = maskedArgument(node)
    if (argument !== undefined) masked.add(argument)
  }
  const rectified = new Map<Node, Value>()
  for (const node of graph.nodes) {
    if (node.operation !== 'maximum') continue
    const argument = node.inputs.find((input, place) => masked.has(input) && splatNumber(node.inputs[1 - place]) === 0)
    if (argument !== undefined) rectified.set(node, argument)
  }
  return rectified
}

/** The x of x > 0. */
function maskedArgument(node: Node): Value | undefined {
  const isMask = node.operation === 'compare' && node.attributes.direction === 'GT' && splatNumber(node.inputs[1]) === 0
  return isMask ? node.inputs[0] : undefined
}
