/**
 * Nodes of a graph gathered into units, kept in an order in which the units can be computed one after the other.
 * Two units can't be merged where that would make units wait for each other.
 *
 * The order is kept up to date as in Pearce and Kelly, "A dynamic topological sort algorithm for directed acyclic
 * graphs" (2006): only the units between the two that are merged are looked at.
 */
import type { Graph, Node } from '../../graph/index.js'

export class UnitOrder {
  private readonly indexOf = new Map<Node, number>()
  /** For each node, the indices of the nodes whose results it reads. */
  private readonly producers: (readonly number[])[]
  /** For each node, its unit: the index of one of its members. */
  private readonly unit: Int32Array
  /** For each unit, its place in the order, and the other way round; -1 where units have been merged away. */
  private readonly place: Int32Array
  private readonly unitAt: Int32Array
  private readonly members: number[][]
  private readonly visited: Int32Array
  private round = 0

  constructor(private readonly graph: Graph) {
    const { nodes } = graph
    nodes.forEach((node, index) => this.indexOf.set(node, index))
    this.producers = nodes.map(({ inputs }) => inputs.map((input) => this.indexOf.get(input.node)!))
    this.unit = Int32Array.from(nodes.keys())
    this.place = this.unit.slice()
    this.unitAt = this.unit.slice()
    this.members = nodes.map((_, index) => [index])
    this.visited = new Int32Array(nodes.length)
  }

  unitOf(node: Node): number {
    return this.unit[this.indexOf.get(node)!]
  }

  /** The nodes of a unit, in the graph's order. */
  membersOf(unit: number): Node[] {
    return this.members[unit].map((index) => this.graph.nodes[index])
  }

  /** Whether the first of two units comes before the second. */
  isBefore(one: number, other: number): boolean {
    return this.place[one] < this.place[other]
  }

  /** The units between two that the later one needs; undefined if one of them needs the earlier: no merging then. */
  findBetween(early: number, late: number): ReadonlySet<number> | undefined {
    const needed = new Set<number>()
    const stack = [late]
    this.round++
    while (stack.length > 0) {
      const current = stack.pop()!
      for (const member of this.members[current]) {
        for (const producer of this.producers[member]) {
          const unit = this.unit[producer]
          if (unit === early && current !== late) return undefined
          if (this.place[unit] <= this.place[early] || unit === current || this.visited[unit] === this.round) continue
          this.visited[unit] = this.round
          needed.add(unit)
          stack.push(unit)
        }
      }
    }
    return needed
  }

  /** Merges two units, the earlier first, given what `findBetween` found; the result is called by the earlier's name. */
  merge(early: number, late: number, between: ReadonlySet<number>): void {
    this.reorder(early, late, between)
    this.members[early] = mergeSorted(this.members[early], this.members[late])
    for (const member of this.members[late]) this.unit[member] = early
    this.members[late] = []
  }

  /** Puts what `late` needs before the merged unit, and all else that was between after it. */
  private reorder(early: number, late: number, needed: ReadonlySet<number>): void {
    const [first, last] = [this.place[early], this.place[late]]
    const before: number[] = []
    const after: number[] = []
    for (let place = first + 1; place < last; place++) {
      const unit = this.unitAt[place]
      if (unit >= 0) (needed.has(unit) ? before : after).push(unit)
    }
    const order = [...before, early, ...after]
    for (let place = first; place <= last; place++) {
      const unit = order[place - first] ?? -1
      this.unitAt[place] = unit
      if (unit >= 0) this.place[unit] = place
    }
  }
}

function mergeSorted(left: readonly number[], right: readonly number[]): number[] {
  return [...left, ...right].sort((a, b) => a - b)
}
