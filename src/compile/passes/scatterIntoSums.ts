/**
 * `x + scatter(zeros, indices, updates)` adds the updates to `x` instead: what is looked up in a table, and multiplied
 * with it as well, has a gradient of two parts, and the scattered one is zero almost everywhere. Without this pass a
 * matrix as large as the table is filled with zeros, and read again for the sum. Sums are taken in another order.
 */
import { countUses, producedBy, rewrite, type Graph, type Value } from '../../graph/index.js'
import { splatNumber } from './constants.js'

export function scatterIntoSums(graph: Graph): Graph {
  const uses = countUses(graph)
  return rewrite(graph, (node, inputs, builder) => {
    if (node.operation !== 'add') return undefined
    const place = inputs.findIndex((input, index) => isScatteredSum(input) && uses.get(node.inputs[index]) === 1)
    if (place < 0) return undefined
    const scattered = producedBy(inputs[place], 'scatter')!
    const [, indices, updates] = scattered.inputs
    const { attributes, location } = scattered
    return builder.add('scatter', [inputs[1 - place], indices, updates], attributes, { location })
  })
}

function isScatteredSum(value: Value): boolean {
  const scattered = producedBy(value, 'scatter')
  return scattered !== undefined && scattered.attributes.kind === 'add' && splatNumber(scattered.inputs[0]) === 0
}
