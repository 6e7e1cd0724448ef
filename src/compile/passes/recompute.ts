/**
 * Computes again, just before the backward pass reads it, what is cheap to compute from what is kept anyway: results of
 * normalisations, activations and elementwise groups. Between its last reader in the forward pass and that moment it
 * takes no memory. The bits are the same.
 *
 * It is done in the final order, only for what is alive when most memory is in use, and only until that is no longer so:
 * elsewhere it would cost time and save nothing.
 */
import type { DType } from '../../core/dtype.js'
import { isElementwise, type CompositeName } from '../../core/operations.js'
import { sameType, sizeBytes } from '../../core/shape.js'
import { GraphBuilder, copyNode, isSource, parameterName, type Graph, type NamedValue, type Node, type Value } from '../../graph/index.js' // prettier-ignore
import { worksInPlace } from '../memory/index.js'
import type { CompileOptions } from '../options.js'
import { isView, type ViewPlan } from '../views.js'

/** Below these, of a step at its most and of one result, the time for more instructions isn't worth the memory. */
const minPeakBytes = 64e6
const minBytes = 1e6
/** Of a weight in bf16: on gpt-10m, whose are smaller, converting again took 1.6 % of a step; on gpt-124m nothing. */
const minConvertedBytes = 2e6

const cheapComposites: ReadonlySet<CompositeName> = new Set(['layerNorm', 'rmsNorm', 'gelu', 'elementwise'])

/** A node's first result, and the two neighbouring readers with the longest time in between, by their places. */
interface Candidate {
  readonly value: Value
  readonly from: number
  readonly until: number
  readonly bytes: number
}

export function recompute(graph: Graph, views: ViewPlan, { state = {} }: CompileOptions): Graph {
  const uses = findUses(graph, views)
  const isUpdated = (value: Value): boolean => state[parameterName(value)] !== undefined
  const chosen = choose(findCandidates(graph, views, uses, isUpdated), bytesInUse(graph, views, uses), views)
  return chosen.size === 0 ? graph : insertCopies(graph, views, chosen)
}

/** For each value that has memory of its own, the places at which it or a view of it is made, read, or returned. */
function findUses(graph: Graph, views: ViewPlan): Map<Value, number[]> {
  const uses = new Map<Value, number[]>()
  graph.nodes.forEach((node, place) => {
    if (isView(node, views)) return
    for (const input of node.inputs) uses.get(views.get(input)!.root)!.push(place)
    for (const output of node.outputs) uses.set(output, [place])
  })
  for (const { value } of graph.results) uses.get(views.get(value)!.root)!.push(graph.nodes.length)
  return uses
}

/**
 * At each place, what lies in the arena: what has been computed and is still to be read, results apart. What a node may be
 * written over, as memory is planned later, counts up to that node only.
 */
function bytesInUse(graph: Graph, views: ViewPlan, uses: ReadonlyMap<Value, readonly number[]>): Float64Array {
  const inUse = new Float64Array(graph.nodes.length + 1)
  const writers = new Set<Node>()
  graph.nodes.forEach((node, place) => {
    if (isSource(node) || isView(node, views)) return
    for (const output of node.outputs) {
      const until = uses.get(output)!.at(-1)!
      if (until === graph.nodes.length) continue
      inUse[place] += sizeBytes(output.type)
      const reader = graph.nodes[until]
      const isWrittenOver = mayWriteOver(reader, output) && !writers.has(reader)
      if (isWrittenOver) writers.add(reader)
      inUse[isWrittenOver ? until : until + 1] -= sizeBytes(output.type)
    }
  })
  for (let place = 1; place < inUse.length; place++) inUse[place] += inUse[place - 1]
  return inUse
}

function mayWriteOver(node: Node, operand: Value): boolean {
  return worksInPlace(node) && node.outputs.length === 1 && sameType(node.outputs[0].type, operand.type)
}

function findCandidates(
  graph: Graph,
  views: ViewPlan,
  uses: ReadonlyMap<Value, readonly number[]>,
  isUpdated: (parameter: Value) => boolean,
): Candidate[] {
  return graph.nodes.flatMap((node): Candidate[] => {
    const [value] = node.outputs
    if (!isCheap(node, value.type.dtype) || isView(node, views) || sizeBytes(value.type) < minBytes) return []
    const places = uses.get(value)!
    if (places.at(-1) === graph.nodes.length) return []
    const gap = widestGap(places)
    // What is read from then on is in memory; so is what never changes.
    const isThere = (input: Value): boolean => {
      const { root } = views.get(input)!
      const stays = isSource(root.node) && !(root.node.operation === 'parameter' && isUpdated(root))
      return stays || uses.get(root)!.at(-1)! >= gap.until
    }
    return node.inputs.every(isThere) ? [{ value, bytes: sizeBytes(value.type), ...gap }] : []
  })
}

/**
 * In f32 all of them take next to nothing. Products in bf16 are twice as fast, and all of them beside those took 3 to 5 % of
 * a step; there it is conversions alone, of weights: the least time for the most memory.
 */
function isCheap(node: Node, dtype: DType): boolean {
  if (dtype === 'bf16') {
    const isWeight = node.operation === 'convert' && isSource(node.inputs[0].node)
    return isWeight && sizeBytes(node.outputs[0].type) >= minConvertedBytes
  }
  if (node.operation === 'composite') return cheapComposites.has(node.attributes.name)
  return isElementwise(node.operation)
}

/** The first of the places is where the value is made: it must be read before it may be made again. */
function widestGap(places: readonly number[]): { from: number; until: number } {
  let gap = { from: places[0], until: places[0] }
  for (let index = 2; index < places.length; index++) {
    const [from, until] = [places[index - 1], places[index]]
    if (until - from > gap.until - gap.from) gap = { from, until }
  }
  return gap
}

/** Takes one after another of those that are in memory, unread, when most is in use. Changes `inUse`. */
function choose(candidates: readonly Candidate[], inUse: Float64Array, views: ViewPlan): Map<Value, Candidate> {
  const chosen = new Map<Value, Candidate>()
  // What is made again must be there when something is made from it.
  const operands = new Set<Value>()
  for (;;) {
    const peakBytes = inUse.reduce((most, bytes) => Math.max(most, bytes), 0)
    if (peakBytes < minPeakBytes) return chosen
    const peak = inUse.indexOf(peakBytes)
    const next = candidates.find(({ value, from, until }) => {
      const isNew = !chosen.has(value) && !operands.has(value)
      return (
        isNew && from < peak && peak < until && !value.node.inputs.some((input) => chosen.has(views.get(input)!.root))
      )
    })
    if (next === undefined) return chosen
    chosen.set(next.value, next)
    for (const input of next.value.node.inputs) operands.add(views.get(input)!.root)
    for (let place = next.from + 1; place < next.until; place++) inUse[place] -= next.bytes
  }
}

/** The same graph in the same order, but late readers read a copy that is made just before the first of them. */
function insertCopies(graph: Graph, views: ViewPlan, chosen: ReadonlyMap<Value, Candidate>): Graph {
  const builder = new GraphBuilder(graph.name)
  const mapped = new Map<Value, Value>()
  const late = new Map<Value, Value>()
  const inputsOf = (node: Node): Value[] => node.inputs.map((input) => mapped.get(input)!)
  /** The value, or for what has been chosen its copy, or the same view of the copy. */
  const lateValue = (value: Value, place: number): Value => {
    const { root } = views.get(value)!
    if (place < (chosen.get(root)?.until ?? Infinity)) return mapped.get(value)!
    if (!late.has(value)) {
      const { node } = value
      const inputs = value === root ? inputsOf(node) : node.inputs.map((input) => lateValue(input, place))
      late.set(value, copyNode(node, inputs, builder)[value.index])
    }
    return late.get(value)!
  }
  graph.nodes.forEach((node, place) => {
    const inputs = isView(node, views) ? inputsOf(node) : node.inputs.map((input) => lateValue(input, place))
    const outputs = copyInto(node, inputs, builder)
    node.outputs.forEach((output, index) => mapped.set(output, outputs[index]))
  })
  return builder.build(graph.results.map(({ name, value }): NamedValue => ({ name, value: mapped.get(value)! })))
}

function copyInto(node: Node, inputs: readonly Value[], builder: GraphBuilder): readonly Value[] {
  if (node.operation !== 'parameter') return copyNode(node, inputs, builder)
  const { name, type } = node.attributes
  return [builder.parameter(name, type, node.location)]
}
