/**
 * Gives a product what is done to its result while the result is still in cache:
 *
 *     dotGeneral (+ bias, the same for every row) (+ residual, of the result's shape) (then relu, or gelu) (to bf16)
 *
 * becomes the composite `dotEpilogue`. Only where nobody else needs what is in between: in training, GELU's argument is
 * needed by its derivative and GELU stays outside.
 */
import { isElementwise, type CompositeName } from '../../core/operations.js'
import { sameType } from '../../core/shape.js'
import { countUses, producedBy, type Graph, type Node, type Value } from '../../graph/index.js'
import { splatNumber } from './constants.js'
import { isCopiedInside, outline, type Group } from './outline.js'

/** What has been added to a product so far, in the order in which it may be. */
const enum Stage {
  product,
  bias,
  residual,
  activation,
  rounding,
}

export function fuseProducts(graph: Graph, composites: ReadonlySet<CompositeName>): Graph {
  const consumers = findOnlyConsumers(graph)
  const groups: Group[] = []
  // The sum of two products can follow only one of them: the later one, so that the earlier need not wait.
  const taken = new Set<Node>()
  for (const node of [...graph.nodes].reverse()) {
    if (node.operation !== 'dotGeneral') continue
    const members = followChain(node, { consumers, taken, composites })
    if (members.length === 1) continue
    groups.push({ name: 'dotEpilogue', members })
    members.forEach((member) => taken.add(member))
  }
  return outline(graph, groups)
}

/** For each value that is read once, and is no result, the node that reads it. */
function findOnlyConsumers(graph: Graph): Map<Value, Node> {
  const uses = countUses(graph)
  const results = new Set(graph.results.map(({ value }) => value))
  const consumers = new Map<Value, Node>()
  for (const node of graph.nodes) {
    for (const input of node.inputs) if (uses.get(input) === 1 && !results.has(input)) consumers.set(input, node)
  }
  return consumers
}

interface Surroundings {
  readonly consumers: ReadonlyMap<Value, Node>
  readonly taken: ReadonlySet<Node>
  readonly composites: ReadonlySet<CompositeName>
}

function followChain(product: Node, around: Surroundings): Node[] {
  const members = [product]
  let stage = Stage.product
  for (;;) {
    const value = members.at(-1)!.outputs[0]
    const next = around.consumers.get(value)
    if (next === undefined || around.taken.has(next)) return members
    const reached = nextStage(next, value, stage, around)
    if (reached === undefined) return members
    members.push(next)
    stage = reached
  }
}

/** What `node` does to `value`, if that may come after `stage`. */
function nextStage(node: Node, value: Value, stage: Stage, around: Surroundings): Stage | undefined {
  if (node.operation === 'add') {
    const other = node.inputs[0] === value ? node.inputs[1] : node.inputs[0]
    if (stage < Stage.bias && isBias(other)) return Stage.bias
    return stage < Stage.residual && isResidual(other, value, node, around) ? Stage.residual : undefined
  }
  if (node.operation === 'convert')
    return stage > Stage.product && node.attributes.dtype === 'bf16' ? Stage.rounding : undefined
  return stage < Stage.activation && isActivation(node, value, around.composites) ? Stage.activation : undefined
}

/**
 * Something of the result's shape that is in memory anyway. What is worked out for this sum alone (a momentum's share of
 * the last step's velocity) is better left to the elementwise group that the sum then joins: it goes to memory nowhere.
 */
function isResidual(other: Value, value: Value, sum: Node, { consumers }: Surroundings): boolean {
  if (!sameType(other.type, value.type) || isCopiedInside(other.node)) return false
  return !(isElementwise(other.node.operation) && consumers.get(other) === sum)
}

/** A vector spread over all rows: `broadcastInDim` along the last dimension. */
function isBias(value: Value): boolean {
  const broadcast = producedBy(value, 'broadcastInDim')
  if (broadcast === undefined) return false
  const { dims, shape } = broadcast.attributes
  return dims.length === 1 && dims[0] === shape.length - 1 && !isCopiedInside(broadcast.inputs[0].node)
}

function isActivation(node: Node, value: Value, composites: ReadonlySet<CompositeName>): boolean {
  if (node.operation === 'composite') return node.attributes.name === 'gelu' && composites.has('gelu')
  if (node.operation !== 'maximum') return false
  const other = node.inputs[0] === value ? node.inputs[1] : node.inputs[0]
  return splatNumber(other) === 0
}
