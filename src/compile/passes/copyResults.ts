/**
 * Gives every result memory of its own. A result that lies in a parameter, in a constant, in part of another value, or
 * where another result lies, is copied (`convert` to the same element type), so that lowering may let each result be
 * written straight where it has to go: into a state's buffer or an output's.
 */
import { numElements } from '../../core/shape.js'
import { GraphBuilder, rewrite, type Graph, type NamedValue, type Value } from '../../graph/index.js'
import type { ViewPlan } from '../views.js'

export function copyResults(graph: Graph, views: ViewPlan): Graph {
  const taken = new Set<Value>()
  const toCopy = new Set<string>()
  for (const { name, value } of graph.results) {
    const { root } = views.get(value)!
    if (taken.has(root) || !mayBeOwned(value, root)) toCopy.add(name)
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

/** Whether a result may be all of the memory of the value that it lies in. Views that are results are row-major. */
function mayBeOwned(value: Value, root: Value): boolean {
  if (root.node.operation === 'parameter' || root.node.operation === 'constant') return false
  return numElements(value.type.shape) === numElements(root.type.shape)
}
