/**
 * Takes composites apart: those that only tell the compiler something (`stopGradient`, `remat`, whose meaning autodiff
 * has already turned into barriers), and those that the engine has no kernel for. Composites that stay are cleaned
 * inside in the same way, so that an engine never meets a name it doesn't know.
 */
import type { CompositeName } from '../../core/operations.js'
import { inline, rewrite, type Graph, type GraphBuilder, type Node, type Value } from '../../graph/index.js'

const structural: ReadonlySet<CompositeName> = new Set<CompositeName>(['stopGradient', 'remat'])

export function inlineComposites(graph: Graph, known: ReadonlySet<CompositeName>): Graph {
  const cleaned = new Map<Graph, Graph>()
  const clean = (decomposition: Graph): Graph => {
    const before = cleaned.get(decomposition)
    if (before !== undefined) return before
    const after = needsCleaning(decomposition, known) ? rewrite(decomposition, replace) : decomposition
    cleaned.set(decomposition, after)
    return after
  }
  const replace = (node: Node, inputs: readonly Value[], builder: GraphBuilder): readonly Value[] | undefined => {
    if (node.operation !== 'composite') return undefined
    if (!isKept(node, known)) return inline(node.decomposition!, inputs, builder, replace)
    const decomposition = clean(node.decomposition!)
    return builder.add('composite', inputs, node.attributes, { decomposition, location: node.location })
  }
  return needsCleaning(graph, known) ? rewrite(graph, replace) : graph
}

function isKept(node: Node<'composite'>, known: ReadonlySet<CompositeName>): boolean {
  return known.has(node.attributes.name) && !structural.has(node.attributes.name)
}

function needsCleaning(graph: Graph, known: ReadonlySet<CompositeName>): boolean {
  return graph.nodes.some(
    (node) => node.operation === 'composite' && (!isKept(node, known) || needsCleaning(node.decomposition!, known)),
  )
}
