/**
 * Gathers elementwise operations on tensors of one shape into groups that the engine runs block by block: what is
 * between them never goes to memory. Groups are as large as they can be without waiting for each other, and may have
 * several results (an optimiser's new parameter and its new moments come out of one).
 */
import { isElementwise, type CompositeName } from '../../core/operations.js'
import { sameShape } from '../../core/shape.js'
import type { Graph, Node, Value } from '../../graph/index.js'
import { isCopiedInside, outline, type Group } from './outline.js'
import { UnitOrder } from './unitOrder.js'

/** What a group may have at most; engines' kernels hold a register for each value that is alive. */
export interface GroupLimits {
  /** Operands and results together. */
  readonly numViews: number
  readonly numInstructions: number
}

export const defaultLimits: GroupLimits = { numViews: 48, numInstructions: 160 }

export function fuseElementwise(
  graph: Graph,
  composites: ReadonlySet<CompositeName> = new Set(),
  limits: GroupLimits = defaultLimits,
): Graph {
  const finder = new GroupFinder(graph, composites, limits)
  return outline(graph, finder.find())
}

class GroupFinder {
  private readonly order: UnitOrder
  /** For each value, the nodes that read it. */
  private readonly readers = new Map<Value, Node[]>()
  private readonly results: ReadonlySet<Value>

  constructor(
    private readonly graph: Graph,
    private readonly composites: ReadonlySet<CompositeName>,
    private readonly limits: GroupLimits,
  ) {
    this.order = new UnitOrder(graph)
    this.results = new Set(graph.results.map(({ value }) => value))
    for (const node of graph.nodes) {
      for (const input of node.inputs) {
        const readers = this.readers.get(input)
        if (readers === undefined) this.readers.set(input, [node])
        else readers.push(node)
      }
    }
  }

  find(): Group[] {
    for (const node of this.graph.nodes) {
      if (!this.mayJoin(node)) continue
      for (const input of node.inputs) {
        if (this.mayJoin(input.node) && sameShape(input.type.shape, node.outputs[0].type.shape))
          this.tryMerge(input.node, node)
      }
    }
    const units = new Set(this.graph.nodes.filter((node) => this.mayJoin(node)).map((node) => this.order.unitOf(node)))
    return [...units]
      .map((unit): Group => ({ name: 'elementwise', members: this.order.membersOf(unit) }))
      .filter(({ members }) => members.length > 1 || members[0].inputs.some((input) => isCopiedInside(input.node)))
  }

  private mayJoin(node: Node): boolean {
    if (node.operation === 'composite')
      return this.composites.has(node.attributes.name) && node.attributes.name !== 'elementwise'
    return isElementwise(node.operation)
  }

  private tryMerge(producer: Node, consumer: Node): void {
    const [one, other] = [this.order.unitOf(producer), this.order.unitOf(consumer)]
    if (one === other) return
    const members = [...this.order.membersOf(one), ...this.order.membersOf(other)]
    if (members.length <= this.limits.numInstructions && this.countViews(members) <= this.limits.numViews)
      this.order.merge(one, other)
  }

  private countViews(members: readonly Node[]): number {
    const inside = new Set(members)
    const views = new Set<Value>()
    for (const member of members) {
      for (const input of member.inputs) if (!inside.has(input.node)) views.add(input)
      for (const output of member.outputs) if (this.isNeededOutside(output, inside)) views.add(output)
    }
    return views.size
  }

  private isNeededOutside(value: Value, inside: ReadonlySet<Node>): boolean {
    return this.results.has(value) || (this.readers.get(value) ?? []).some((reader) => !inside.has(reader))
  }
}
