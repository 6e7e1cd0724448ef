/**
 * The graph: a list of nodes in an order in which they can be computed. It is what a training step is, from the
 * moment it is traced until it is lowered to a `Program`; derivatives, passes and partitioning all map graphs to graphs.
 *
 * A graph is immutable once built. Nodes are told apart by identity; their `id` gives printing and maps an order.
 */
import type { OperationAttributes, OperationName } from '../core/operations.js'
import type { TensorType } from '../core/shape.js'
import type { Location } from './location.js'

/** One result of a node. */
export interface Value {
  readonly node: Node
  /** Which of the node's results this is. */
  readonly index: number
  readonly type: TensorType
}

interface NodeOf<O extends OperationName> {
  readonly id: number
  readonly operation: O
  readonly inputs: readonly Value[]
  readonly attributes: OperationAttributes[O]
  readonly outputs: readonly Value[]
  /** For a `composite`: what it means, in terms of the other operations. Its parameters are the node's inputs in order. */
  readonly decomposition: Graph | undefined
  /** Where the user asked for it. */
  readonly location: Location | undefined
}

/** A node, discriminated by `operation`: testing it narrows `attributes`. */
export type Node<O extends OperationName = OperationName> = { [K in O]: NodeOf<K> }[O]

export interface NamedValue {
  readonly name: string
  readonly value: Value
}

export interface Graph {
  readonly name: string
  /** The `parameter` nodes' values, in the order of the arguments. */
  readonly parameters: readonly Value[]
  /** Every node, parameters included, each after its inputs. */
  readonly nodes: readonly Node[]
  readonly results: readonly NamedValue[]
}

export function parameterName(value: Value): string {
  return (value.node as Node<'parameter'>).attributes.name
}

/** Whether a value is what `operation` gave; narrows to its node. */
export function producedBy<O extends OperationName>(value: Value, operation: O): Node<O> | undefined {
  return value.node.operation === operation ? (value.node as Node<O>) : undefined
}

/** Whether a node is there from the start: nothing computes it. */
export function isSource({ operation }: Node): boolean {
  return operation === 'parameter' || operation === 'constant'
}

/** For each value that is read, the nodes that do, in the graph's order; once for each time. */
export function findReaders(graph: Graph): Map<Value, Node[]> {
  const readers = new Map<Value, Node[]>()
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      const known = readers.get(input)
      if (known === undefined) readers.set(input, [node])
      else known.push(node)
    }
  }
  return readers
}

/** For each value, how often nodes read it, and one more for each result that it is. */
export function countUses(graph: Graph): Map<Value, number> {
  const uses = new Map<Value, number>()
  const use = (value: Value): void => void uses.set(value, (uses.get(value) ?? 0) + 1)
  for (const node of graph.nodes) node.inputs.forEach(use)
  for (const { value } of graph.results) use(value)
  return uses
}
