/**
 * Puts groups of nodes into composites of their own: the second half of every fusion. What a group takes from outside
 * becomes the composite's operands, what others need of it its results. Scalar constants, iotas and broadcasts are
 * copied into each group that reads them, so that no repeated number is ever read from memory.
 */
import { invariant } from '../../core/errors.js'
import type { CompositeCall } from '../../core/operations.js'
import {
  copyNode,
  GraphBuilder,
  parameterName,
  type Graph,
  type NamedValue,
  type Node,
  type Value,
} from '../../graph/index.js'
import { eliminateDeadCode } from './deadCode.js'
import { Heap } from './heap.js'

export interface Group {
  readonly name: 'elementwise' | 'dotEpilogue' | 'widenedReduce'
  /** In the graph's order. */
  readonly members: readonly Node[]
}

/** The graph with each group in one composite, at the first place where all that it takes is there. */
export function outline(graph: Graph, groups: readonly Group[]): Graph {
  if (groups.length === 0) return graph
  return eliminateDeadCode(new Outliner(graph, groups).run())
}

/** Whether a node is copied into the groups that read it instead of being an operand. */
export function isCopiedInside(node: Node): boolean {
  if (node.operation === 'constant') return node.outputs[0].type.shape.length === 0
  return node.operation === 'broadcastInDim' || node.operation === 'iota'
}

class Outliner {
  private readonly builder: GraphBuilder
  private readonly mapped = new Map<Value, Value>()
  private readonly groupOf = new Map<Node, Group>()
  private readonly neededOutside = new Set<Value>()

  constructor(
    private readonly graph: Graph,
    groups: readonly Group[],
  ) {
    this.builder = new GraphBuilder(graph.name)
    for (const group of groups) for (const member of group.members) this.groupOf.set(member, group)
    for (const node of graph.nodes) {
      const group = this.groupOf.get(node)
      for (const input of node.inputs)
        if (group === undefined || this.groupOf.get(input.node) !== group) this.neededOutside.add(input)
    }
    for (const { value } of graph.results) this.neededOutside.add(value)
  }

  run(): Graph {
    for (const parameter of this.graph.parameters) {
      this.mapped.set(
        parameter,
        this.builder.parameter(parameterName(parameter), parameter.type, parameter.node.location),
      )
    }
    for (const node of this.unitsInOrder()) {
      const group = this.groupOf.get(node)
      if (group !== undefined) this.emitGroup(group)
      else if (node.operation !== 'parameter') this.emitNode(node)
    }
    return this.builder.build(this.graph.results.map(({ name, value }) => ({ name, value: this.mapped.get(value)! })))
  }

  /** The graph's order, with each group (named by its last member) where that member was, and all that reads it after. */
  private unitsInOrder(): Node[] {
    const { nodes } = this.graph
    const indexOf = new Map(nodes.map((node, index) => [node, index]))
    const unitOf = (node: Node): number => indexOf.get(this.groupOf.get(node)?.members.at(-1) ?? node)!
    const successors = nodes.map((): number[] => [])
    const waiting = new Int32Array(nodes.length)
    const units = new Set(nodes.map(unitOf))
    for (const node of nodes) {
      const unit = unitOf(node)
      for (const { node: producer } of node.inputs) {
        const before = unitOf(producer)
        if (before === unit) continue
        successors[before].push(unit)
        waiting[unit]++
      }
    }
    const ready = new Heap((unit) => unit)
    for (const unit of units) if (waiting[unit] === 0) ready.push(unit)
    const order: Node[] = []
    for (let unit = ready.pop(); unit !== undefined; unit = ready.pop()) {
      order.push(nodes[unit])
      for (const next of successors[unit]) if (--waiting[next] === 0) ready.push(next)
    }
    invariant(order.length === units.size, `groups of ${this.graph.name} wait for each other`)
    return order
  }

  private emitNode(node: Node): void {
    const outputs = copyNode(node, node.inputs.map((input) => this.mapped.get(input)!), this.builder) // prettier-ignore
    node.outputs.forEach((output, index) => this.mapped.set(output, outputs[index]))
  }

  private emitGroup({ name, members }: Group): void {
    const inside = new GroupBody(name, members)
    const results = members.flatMap(({ outputs }) => outputs.filter((output) => this.neededOutside.has(output)))
    const decomposition = inside.build(results)
    const call = { name, attributes: {} } as CompositeCall
    const operands = inside.operands.map((operand) => this.mapped.get(operand)!)
    const { location } = members.at(-1)!
    const outputs = this.builder.add('composite', operands, call, { decomposition, location })
    results.forEach((result, index) => this.mapped.set(result, outputs[index]))
  }
}

/** The decomposition of a group. */
class GroupBody {
  readonly operands: Value[] = []
  private readonly builder: GraphBuilder
  private readonly inner = new Map<Value, Value>()

  constructor(
    name: string,
    private readonly members: readonly Node[],
  ) {
    this.builder = new GraphBuilder(name)
  }

  build(results: readonly Value[]): Graph {
    for (const member of this.members) this.copy(member)
    const graph = this.builder.build(
      results.map((value, index): NamedValue => ({ name: `output${index}`, value: this.inner.get(value)! })),
    )
    return eliminateDeadCode(graph)
  }

  private copy(node: Node): void {
    const outputs = copyNode(node, node.inputs.map((input) => this.innerValue(input)), this.builder) // prettier-ignore
    node.outputs.forEach((output, index) => this.inner.set(output, outputs[index]))
  }

  private innerValue(value: Value): Value {
    const known = this.inner.get(value)
    if (known !== undefined) return known
    if (isCopiedInside(value.node)) this.copy(value.node)
    else {
      this.inner.set(value, this.builder.parameter(`input${this.operands.length}`, value.type, value.node.location))
      this.operands.push(value)
    }
    return this.inner.get(value)!
  }
}
