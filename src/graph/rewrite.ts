/**
 * Rebuilding a graph with some nodes replaced: the skeleton of every pass, and of inlining one graph in another.
 */
import { sameType } from '../core/shape.js'
import type { Graph, NamedValue, Node, Value } from './graph.js'
import { parameterName } from './graph.js'
import { GraphBuilder } from './builder.js'
import type { Location } from './location.js'

/** Given a node and its operands in the new graph: the values that replace its results, or undefined to keep it. */
export type Replace = (node: Node, inputs: readonly Value[], builder: GraphBuilder) => readonly Value[] | undefined

/** Copies a node into `builder` with new operands. Its types are inferred again only if an operand's type has changed. */
export function copyNode(
  node: Node,
  inputs: readonly Value[],
  builder: GraphBuilder,
  location = node.location,
): readonly Value[] {
  const { operation, attributes, decomposition } = node
  const isSame = inputs.every(
    (input, index) => input.type === node.inputs[index].type || sameType(input.type, node.inputs[index].type),
  )
  const types = isSame ? node.outputs.map(({ type }) => type) : undefined
  return builder.add(operation, inputs, attributes as never, { decomposition, location, types })
}

/** A copy of `graph` in which `replace` has had a say on each node except parameters, which stay as they are. */
export function rewrite(graph: Graph, replace: Replace): Graph {
  const builder = new GraphBuilder(graph.name)
  const mapped = new Map<Value, Value>()
  for (const parameter of graph.parameters) {
    mapped.set(parameter, builder.parameter(parameterName(parameter), parameter.type, parameter.node.location))
  }
  rewriteNodes(graph, builder, mapped, replace)
  const results = graph.results.map(({ name, value }): NamedValue => ({ name, value: mapped.get(value)! }))
  return builder.build(results)
}

/**
 * Copies what `graph` computes into `builder`, with `args` for its parameters; returns the results' values there.
 *
 * @param location where the copies are from, if not from where the nodes of `graph` are
 */
export function inline(
  graph: Graph,
  args: readonly Value[],
  builder: GraphBuilder,
  replace: Replace = () => undefined,
  location?: Location,
): readonly Value[] {
  const mapped = new Map<Value, Value>()
  graph.parameters.forEach((parameter, index) => mapped.set(parameter, args[index]))
  rewriteNodes(graph, builder, mapped, replace, location)
  return graph.results.map(({ value }) => mapped.get(value)!)
}

/**
 * Where what is inside a composite is from: where the composite is, since those that are alike share their decomposition;
 * but what the user wrote inside a `remat` keeps its own lines.
 */
export function insideLocation(composite: Node<'composite'>): Location | undefined {
  return composite.attributes.name === 'remat' ? undefined : composite.location
}

function rewriteNodes(
  graph: Graph,
  builder: GraphBuilder,
  mapped: Map<Value, Value>,
  replace: Replace,
  location?: Location,
): void {
  for (const node of graph.nodes) {
    if (node.operation === 'parameter') continue
    const inputs = node.inputs.map((input) => mapped.get(input)!)
    const outputs = replace(node, inputs, builder) ?? copyNode(node, inputs, builder, location)
    node.outputs.forEach((output, index) => mapped.set(output, outputs[index]))
  }
}
