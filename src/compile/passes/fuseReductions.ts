/**
 * A bias is added to what a product gives in bf16, and its gradient is a sum in f32: `reduce(convert(x))`. Where the
 * conversion is for that alone, the two become one composite, and no f32 copy of `x` goes through memory.
 */
import { countUses, producedBy, type Graph, type Node } from '../../graph/index.js'
import { outline, type Group } from './outline.js'

export function fuseReductions(graph: Graph): Graph {
  const uses = countUses(graph)
  const groups = graph.nodes.flatMap((node): Group[] => {
    const widening = node.operation === 'reduce' ? wideningOf(node) : undefined
    if (widening === undefined || uses.get(widening.outputs[0]) !== 1) return []
    return [{ name: 'widenedReduce', members: [widening, node] }]
  })
  return outline(graph, groups)
}

function wideningOf({ inputs: [operand] }: Node): Node<'convert'> | undefined {
  const widening = producedBy(operand, 'convert')
  return widening?.inputs[0].type.dtype === 'bf16' && operand.type.dtype === 'f32' ? widening : undefined
}
