/**
 * The order in which nodes are computed, chosen to keep little alive at once.
 *
 * The order in which the graph was traced is good already: forward, then backward in reverse. Three things improve it:
 * - what frees as much memory as it takes, or takes next to none, is done as soon as it can be. So each gradient is made,
 *   and its parameter updated, as soon as what it is made from is there, and its memory is free for the next one, unless
 *   something (a global norm) needs all gradients first;
 * - what needs nothing but parameters and constants is done just before it is first read;
 * - readers of a state's old value come before its new value is written, so that it can be written in place.
 */
import { sizeBytes } from '../core/shape.js'
import { isSource, parameterName, type Graph, type Node, type Value } from '../graph/index.js'
import { Heap } from './passes/heap.js'
import type { CompileOptions } from './options.js'
import { isView, type ViewPlan } from './views.js'

export function schedule(graph: Graph, views: ViewPlan, options: CompileOptions): Graph {
  const dependencies = findDependencies(graph, views, options)
  const priorities = findPriorities(graph, dependencies)
  return { ...graph, nodes: new Scheduler(graph, views, dependencies, priorities).run() }
}

/** What must come before what, by the nodes' places in the graph. */
interface Dependencies {
  readonly indexOf: ReadonlyMap<Node, number>
  readonly successors: readonly (readonly number[])[]
  readonly numPredecessors: Int32Array
  /** Roots of results: never freed, and no part of the arena. */
  readonly kept: ReadonlySet<Value>
}

function findDependencies(graph: Graph, views: ViewPlan, options: CompileOptions): Dependencies {
  const indexOf = new Map(graph.nodes.map((node, index) => [node, index]))
  const successors = graph.nodes.map((): number[] => [])
  const numPredecessors = new Int32Array(graph.nodes.length)
  const addEdge = (from: number, to: number): void => {
    successors[from].push(to)
    numPredecessors[to]++
  }
  graph.nodes.forEach((node, index) => {
    for (const producer of new Set(node.inputs.map((input) => indexOf.get(input.node)!))) addEdge(producer, index)
  })
  for (const { readers, writer } of findOverwrites(graph, views, options, indexOf)) {
    const after = reachableFrom(writer, successors)
    if (!readers.some((reader) => after.has(reader))) readers.forEach((reader) => addEdge(reader, writer))
  }
  const kept = new Set(graph.results.map(({ value }) => views.get(value)!.root))
  return { indexOf, successors, numPredecessors, kept }
}

interface Overwrite {
  readonly readers: readonly number[]
  readonly writer: number
}

/**
 * For each state that gets a new value, who reads the old one and who makes the new one. Who reads a conversion of the old one
 * counts too, so that it may be converted again (`recompute`).
 */
function findOverwrites(
  graph: Graph,
  views: ViewPlan,
  options: CompileOptions,
  indexOf: ReadonlyMap<Node, number>,
): Overwrite[] {
  const results = new Map(graph.results.map(({ name, value }) => [name, value]))
  const overwrites = new Map<Value, { writer: number; readers: number[] }>()
  for (const parameter of graph.parameters) {
    const result = results.get(options.state?.[parameterName(parameter)] ?? '')
    if (result !== undefined)
      overwrites.set(parameter, { writer: indexOf.get(views.get(result)!.root.node)!, readers: [] })
  }
  graph.nodes.forEach((node, index) => {
    if (isView(node, views)) return
    for (const root of new Set(node.inputs.map((input) => views.get(input)!.root))) {
      const overwrite = overwrites.get(isConversion(root.node) ? views.get(root.node.inputs[0])!.root : root)
      if (overwrite !== undefined && overwrite.writer !== index) overwrite.readers.push(index)
    }
  })
  return [...overwrites.values()]
}

function isConversion({ operation }: Node): boolean {
  return operation === 'convert'
}

function reachableFrom(start: number, successors: readonly (readonly number[])[]): Set<number> {
  const reached = new Set<number>([start])
  const stack = [start]
  while (stack.length > 0) {
    for (const next of successors[stack.pop()!]) {
      if (reached.has(next)) continue
      reached.add(next)
      stack.push(next)
    }
  }
  return reached
}

/** Earlier is smaller: the place in the graph, or just before the first reader for what needs only sources. */
function findPriorities(graph: Graph, { successors }: Dependencies): Float64Array {
  const priorities = Float64Array.from(graph.nodes.keys())
  const needsOnlySources = new Set<Node>()
  for (const node of graph.nodes) {
    if (node.inputs.every((input) => isSource(input.node) || needsOnlySources.has(input.node)))
      needsOnlySources.add(node)
  }
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index]
    if (isSource(node) || !needsOnlySources.has(node) || successors[index].length === 0) continue
    if (node.outputs.every(({ type }) => sizeBytes(type) <= smallBytes)) continue
    const first = successors[index].reduce((earliest, next) => Math.min(earliest, priorities[next]), Infinity)
    // Halves and quarters of a place keep what is moved in its order.
    priorities[index] = Math.max(index, first - 1 + (index + 1) / (graph.nodes.length + 1))
  }
  return priorities
}

/** Up to this size memory is not worth waiting for. */
const smallBytes = 4096

class Scheduler {
  private readonly order: Node[] = []
  private readonly waiting: Int32Array
  private readonly isDone: Uint8Array
  private readonly ready: Heap
  /** For each root in the arena, the nodes that have still to read it. */
  private readonly readersLeft = new Map<Value, Set<number>>()

  constructor(
    private readonly graph: Graph,
    private readonly views: ViewPlan,
    private readonly dependencies: Dependencies,
    private readonly priorities: Float64Array,
  ) {
    this.waiting = dependencies.numPredecessors.slice()
    this.isDone = new Uint8Array(graph.nodes.length)
    this.ready = new Heap((index) => priorities[index])
    graph.nodes.forEach((node, index) => this.noteReads(node, index))
  }

  run(): readonly Node[] {
    this.graph.nodes.forEach((_, index) => {
      if (this.waiting[index] === 0) this.ready.push(index)
    })
    this.graph.nodes.forEach((_, index) => {
      if (this.isUrgent(index)) this.emitWithFollowers(index) // sources come first, and what is small and needs only them
    })
    for (let next = this.ready.pop(); next !== undefined; next = this.ready.pop()) this.emitWithFollowers(next)
    return this.order
  }

  private noteReads(node: Node, index: number): void {
    if (isView(node, this.views)) return
    for (const root of this.arenaRoots(node)) {
      const readers = this.readersLeft.get(root)
      if (readers === undefined) this.readersLeft.set(root, new Set([index]))
      else readers.add(index)
    }
  }

  private arenaRoots(node: Node): Set<Value> {
    const roots = node.inputs.map((input) => this.views.get(input)!.root)
    return new Set(roots.filter((root) => !isSource(root.node) && !this.dependencies.kept.has(root)))
  }

  /** Emits a node, then at once whatever that has made worth doing at once. */
  private emitWithFollowers(first: number): void {
    const stack = [first]
    while (stack.length > 0) {
      const index = stack.pop()!
      if (this.isDone[index] === 1) continue
      const urgent = this.emit(index).filter((candidate) => this.isUrgent(candidate))
      stack.push(...urgent.sort((a, b) => this.compareUrgency(b, a)))
    }
  }

  /**
   * What frees memory comes before what only costs none; among those, updates come first, then gradients that are used up
   * at once, then what takes less than it frees: it may free what a gradient could be made again from (`recompute`).
   */
  private compareUrgency(one: number, other: number): number {
    const rank = (index: number): number => {
      if (this.changeBytes(index) >= 0) return 3
      return this.takenBytes(index) > 0 ? 2 : this.isUpdate(index) ? 0 : 1
    }
    const difference = rank(one) - rank(other)
    return difference !== 0 ? difference : this.priorities[one] - this.priorities[other]
  }

  /** Emits a node; returns the nodes that may have become urgent by it. */
  private emit(index: number): number[] {
    const node = this.graph.nodes[index]
    const touched: number[] = []
    this.isDone[index] = 1
    this.order.push(node)
    for (const next of this.dependencies.successors[index]) {
      if (--this.waiting[next] === 1) touched.push(...this.readyProducers(next))
      if (this.waiting[next] > 0) continue
      this.ready.push(next)
      touched.push(next)
    }
    if (isView(node, this.views)) return touched
    for (const root of this.arenaRoots(node)) {
      const readers = this.readersLeft.get(root)!
      readers.delete(index)
      if (readers.size === 1) touched.push(...readers)
    }
    return touched
  }

  /** Whether a node is best done at once: it is ready, and what is in use won't grow by it. */
  private isUrgent(index: number): boolean {
    return this.waiting[index] === 0 && this.isDone[index] === 0 && this.changeBytes(index) <= 0
  }

  /** What a node takes less what it frees. Views count as nothing. */
  private changeBytes(index: number): number {
    const node = this.graph.nodes[index]
    if (isView(node, this.views)) return 0
    let freed = 0
    for (const root of this.arenaRoots(node)) if (this.readersLeft.get(root)!.size === 1) freed += sizeBytes(root.type)
    return this.takenBytes(index) - freed
  }

  /** Small results, and those that are used up at once, count as nothing. */
  private takenBytes(index: number): number {
    let taken = 0
    for (const output of this.graph.nodes[index].outputs)
      if (!this.dependencies.kept.has(output) && !this.isUsedUpAtOnce(output)) taken += sizeBytes(output.type)
    return taken <= smallBytes ? 0 : taken
  }

  /**
   * Whether all that a result waits for is one node, ready once the result is there, that makes nothing but new state: a
   * gradient's update. Without it a gradient larger than what it frees would wait, and hold its operands, till the end.
   */
  private isUsedUpAtOnce(output: Value): boolean {
    const readers = this.readersLeft.get(output)
    if (readers === undefined || readers.size !== 1) return false
    const [reader] = readers
    return this.waiting[reader] === 1 && this.isUpdate(reader)
  }

  private isUpdate(index: number): boolean {
    return this.graph.nodes[index].outputs.every((output) => this.dependencies.kept.has(output))
  }

  /** Nodes that can be done, and whose results a node waits for. */
  private readyProducers(index: number): number[] {
    const { indexOf } = this.dependencies
    const producers = this.graph.nodes[index].inputs.map((input) => indexOf.get(this.views.get(input)!.root.node)!)
    return producers.filter((producer) => this.waiting[producer] === 0 && this.isDone[producer] === 0)
  }
}
