/**
 * Checks that a graph is well formed. Run after every pass in tests: a pass that breaks a rule is caught where it
 * broke it, not three passes later.
 */
import { invariant } from '../core/errors.js'
import { formatType, sameType } from '../core/shape.js'
import type { Graph, Node, Value } from './graph.js'
import { inferTypes } from './inference/index.js'

/** Throws `INTERNAL`, naming the graph and the node, at the first broken rule. */
export function verify(graph: Graph): void {
  const known = new Set<Value>()
  const ids = new Set<number>()
  const parameters = new Set(graph.parameters)
  for (const node of graph.nodes) {
    const what = `${graph.name}: node ${node.id} ${node.operation}`
    invariant(!ids.has(node.id), `${what}: its id is used twice`)
    ids.add(node.id)
    for (const input of node.inputs) invariant(known.has(input), `${what}: an operand is not computed before it`)
    if (node.operation === 'parameter')
      invariant(parameters.has(node.outputs[0]), `${what}: a parameter not in the list`)
    verifyTypes(node, what)
    if (node.decomposition !== undefined) verify(node.decomposition)
    node.outputs.forEach((output) => known.add(output))
  }
  for (const parameter of graph.parameters) invariant(known.has(parameter), `${graph.name}: a parameter is not a node`)
  for (const { name, value } of graph.results)
    invariant(known.has(value), `${graph.name}: result ${name} is not computed`)
  const names = new Set(graph.results.map(({ name }) => name))
  invariant(names.size === graph.results.length, `${graph.name}: two results have one name`)
}

function verifyTypes(node: Node, what: string): void {
  const types = inferTypes(
    node.operation,
    node.inputs.map((input) => input.type),
    node.attributes as never,
    node.decomposition,
  )
  invariant(
    types.length === node.outputs.length,
    `${what}: ${node.outputs.length} results, by its rule ${types.length}`,
  )
  node.outputs.forEach((output, index) => {
    invariant(output.node === node && output.index === index, `${what}: result ${index} belongs to another node`)
    const ruled = types[index]
    invariant(
      sameType(output.type, ruled),
      `${what}: result ${index} is ${formatType(output.type)}, by its rule ${formatType(ruled)}`,
    )
  })
}
