/**
 * Gathers elementwise operations on tensors of one shape into groups that the engine runs block by block: what is
 * between them never goes to memory. Groups are as large as they can be without waiting for each other, and may have
 * several results (an optimiser's new parameter and its new moments come out of one).
 */
import { isElementwise, type CompositeName } from '../../core/operations.js'
import { sameShape, sizeBytes } from '../../core/shape.js'
import { findReaders, type Graph, type Node, type Value } from '../../graph/index.js'
import { isCopiedInside, outline, type Group } from './outline.js'
import { UnitOrder } from './unitOrder.js'

/** What a group may have at most; engines' kernels hold a register for each value that is alive. */
export interface GroupLimits {
  /** Operands and results together. */
  readonly numViews: number
  readonly numInstructions: number
}

export const defaultLimits: GroupLimits = { numViews: 48, numInstructions: 160 }

/** Up to this size memory is not worth a pass. */
const smallBytes = 4096

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
  private readonly readers: ReadonlyMap<Value, readonly Node[]>
  private readonly results: ReadonlySet<Value>

  constructor(
    private readonly graph: Graph,
    private readonly composites: ReadonlySet<CompositeName>,
    private readonly limits: GroupLimits,
  ) {
    this.order = new UnitOrder(graph)
    this.results = new Set(graph.results.map(({ value }) => value))
    this.readers = findReaders(graph)
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
    const [early, late] = this.order.isBefore(one, other) ? [one, other] : [other, one]
    const members = [...this.order.membersOf(early), ...this.order.membersOf(late)]
    if (members.length > this.limits.numInstructions || this.countViews(members) > this.limits.numViews) return
    const between = this.order.findBetween(early, late)
    if (between !== undefined && !this.wouldHold(early, late, between)) this.order.merge(early, late, between)
  }

  /**
   * Whether merging would make memory wait: something large would have to be kept until the later unit can run, which
   * the earlier one, run at once, would have made smaller. A sum of many gradients is so summed one by one.
   */
  private wouldHold(early: number, late: number, between: ReadonlySet<number>): boolean {
    if (![...between].some((unit) => this.order.membersOf(unit).some((node) => this.isWork(node)))) return false
    const members = this.order.membersOf(early)
    const inside = new Set([...members, ...this.order.membersOf(late)])
    let heldBytes = 0
    for (const operand of new Set(members.flatMap(({ inputs }) => inputs))) {
      if (this.diesAt(operand, early)) heldBytes += sizeBytes(operand.type)
    }
    for (const output of members.flatMap(({ outputs }) => outputs)) {
      const isBetween = this.readersOf(output).some((reader) => this.order.unitOf(reader) === late)
      if (isBetween && !this.isNeededOutside(output, inside)) heldBytes -= sizeBytes(output.type)
    }
    return heldBytes > smallBytes
  }

  /** Whether a value is in memory of its own and is read by nobody after the unit. */
  private diesAt(value: Value, unit: number): boolean {
    if (value.node.operation === 'parameter' || isCopiedInside(value.node) || this.results.has(value)) return false
    return this.readersOf(value).every((reader) => !this.order.isBefore(unit, this.order.unitOf(reader)))
  }

  private isWork(node: Node): boolean {
    return !this.mayJoin(node) && !isCopiedInside(node) && node.operation !== 'reshape' && node.operation !== 'constant'
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
    return this.results.has(value) || this.readersOf(value).some((reader) => !inside.has(reader))
  }

  private readersOf(value: Value): readonly Node[] {
    return this.readers.get(value) ?? []
  }
}
