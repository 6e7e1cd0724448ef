/**
 * Gives a product what is done to its result while the result is still in cache:
 *
 *     dotGeneral (+ bias, the same for every row) (+ residual, of the result's shape) (then relu, or gelu) (to bf16)
 *
 * becomes the composite `dotEpilogue`. Only where nobody else needs what is in between: in training, GELU's argument is
 * needed by its derivative and GELU stays outside.
 */
import type { CompositeName } from '../../core/operations.js'
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
    const members = followChain(node, (value) => untaken(consumers.get(value), taken), composites)
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

function untaken(node: Node | undefined, taken: ReadonlySet<Node>): Node | undefined {
  return node !== undefined && taken.has(node) ? undefined : node
}

function followChain(
  product: Node,
  consumerOf: (value: Value) => Node | undefined,
  composites: ReadonlySet<CompositeName>,
): Node[] {
  const members = [product]
  let stage = Stage.product
  for (;;) {
    const value = members.at(-1)!.outputs[0]
    const next = consumerOf(value)
    const reached: Stage | undefined = next && nextStage(next, value, stage, composites)
    if (next === undefined || reached === undefined) return members
    members.push(next)
    stage = reached
  }
}

/** What `node` does to `value`, if that may come after `stage`. */
function nextStage(node: Node, value: Value, stage: Stage, composites: ReadonlySet<CompositeName>): Stage | undefined {
  if (node.operation === 'add') {
    const other = node.inputs[0] === value ? node.inputs[1] : node.inputs[0]
    if (stage < Stage.bias && isBias(other)) return Stage.bias
    const isResidual = stage < Stage.residual && sameType(other.type, value.type) && !isCopiedInside(other.node)
    return isResidual ? Stage.residual : undefined
  }
  if (node.operation === 'convert')
    return stage > Stage.product && node.attributes.dtype === 'bf16' ? Stage.rounding : undefined
  return stage < Stage.activation && isActivation(node, value, composites) ? Stage.activation : undefined
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
