/** Drops what no result needs. Parameters stay: they are the graph's signature. */
import type { Graph, Node } from '../../graph/index.js'

export function eliminateDeadCode(graph: Graph): Graph {
  const live = new Set<Node>(graph.results.map(({ value }) => value.node))
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index]
    if (live.has(node)) for (const input of node.inputs) live.add(input.node)
  }
  const nodes = graph.nodes.filter((node) => node.operation === 'parameter' || live.has(node))
  return nodes.length === graph.nodes.length ? graph : { ...graph, nodes }
}

/** The graph with only these results. */
export function selectResults(graph: Graph, names: ReadonlySet<string>): Graph {
  return eliminateDeadCode({ ...graph, results: graph.results.filter(({ name }) => names.has(name)) })
}
