/**
 * Gives every result memory of its own. A result that is a parameter, a constant, part of another value, or the same
 * value as another result, is copied (`convert` to the same element type), so that lowering may let each result be
 * written straight where it has to go: into a state's buffer or an output's.
 */
import { GraphBuilder, rewrite, type Graph, type NamedValue, type Value } from '../../graph/index.js'

export function copyResults(graph: Graph): Graph {
  const taken = new Set<Value>()
  const toCopy = new Set<string>()
  for (const { name, value } of graph.results) {
    const root = ownMemory(value)
    if (root === undefined || taken.has(root)) toCopy.add(name)
    else taken.add(root)
  }
  if (toCopy.size === 0) return graph
  const copied = rewrite(graph, () => undefined)
  const results = copied.results.map(({ name, value }): NamedValue => {
    if (!toCopy.has(name)) return { name, value }
    const [copy] = GraphBuilder.of(value).add(
      'convert',
      [value],
      { dtype: value.type.dtype },
      { location: value.node.location },
    )
    return { name, value: copy }
  })
  const nodes = [...copied.nodes, ...results.filter(({ name }) => toCopy.has(name)).map(({ value }) => value.node)]
  return { ...copied, nodes, results }
}

/** The value whose memory this one is, all of it; undefined if there is none that a result could own. */
function ownMemory(value: Value): Value | undefined {
  const { node } = value
  if (node.operation === 'parameter' || node.operation === 'constant' || node.operation === 'slice') return undefined
  if (node.operation === 'reshape') return ownMemory(node.inputs[0])
  if (node.operation === 'optimizationBarrier') return ownMemory(node.inputs[value.index])
  return value
}
