/**
 * Takes composites apart: those that only tell the compiler something (`stopGradient`, `remat`, whose meaning autodiff
 * has already turned into barriers), and those that the engine has no kernel for. Composites that stay are cleaned
 * inside in the same way, so that an engine never meets a name it doesn't know.
 */
import type { CompositeName } from '../../core/operations.js'
import {
  inline,
  insideLocation,
  rewrite,
  type Graph,
  type Location,
  type Node,
  type Replace,
} from '../../graph/index.js'

const structural: ReadonlySet<CompositeName> = new Set<CompositeName>(['stopGradient', 'remat'])

export function inlineComposites(graph: Graph, known: ReadonlySet<CompositeName>): Graph {
  const cleaned = new Map<Graph, Graph>()
  const clean = (decomposition: Graph): Graph => {
    const before = cleaned.get(decomposition)
    if (before !== undefined) return before
    const after = needsCleaning(decomposition, known) ? rewrite(decomposition, replaceIn()) : decomposition
    cleaned.set(decomposition, after)
    return after
  }
  // `around`: where the composite is from whose inside this is.
  const replaceIn =
    (around?: Location): Replace =>
    (node, inputs, builder) => {
      if (node.operation !== 'composite') return undefined
      const location = around ?? node.location
      if (isKept(node, known)) {
        const decomposition = clean(node.decomposition!)
        return builder.add('composite', inputs, node.attributes, { decomposition, location })
      }
      const inside = around ?? insideLocation(node)
      return inline(node.decomposition!, inputs, builder, replaceIn(inside), inside)
    }
  return needsCleaning(graph, known) ? rewrite(graph, replaceIn()) : graph
}

function isKept(node: Node<'composite'>, known: ReadonlySet<CompositeName>): boolean {
  return known.has(node.attributes.name) && !structural.has(node.attributes.name)
}

function needsCleaning(graph: Graph, known: ReadonlySet<CompositeName>): boolean {
  return graph.nodes.some(
    (node) => node.operation === 'composite' && (!isKept(node, known) || needsCleaning(node.decomposition!, known)),
  )
}
