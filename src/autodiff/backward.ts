/**
 * Reverse-mode differentiation: from the result back to the operands, in the graph in which the result was traced. The
 * derivative is more nodes of the same graph, so the derivative of a derivative needs nothing new.
 */
import { isFloat } from '../core/dtype.js'
import type { Node, Value } from '../graph/graph.js'
import { tensorOf } from '../graph/trace.js'
import { add } from '../ops/elementwise.js'
import type { AnyTensor } from '../graph/tensor.js'
import { rules } from './rules/index.js'
import type { Cotangent, PullBack, Rule } from './rules/rule.js'

export const pullBack: PullBack = (seeds, wanted) => {
  const onPath = nodesBetween(
    seeds.map(({ value }) => value),
    wanted,
  )
  const cotangents = new Map<Value, AnyTensor>()
  const accumulate = (value: Value, cotangent: AnyTensor): void => {
    const known = cotangents.get(value)
    cotangents.set(value, known === undefined ? cotangent : add(known, cotangent))
  }
  for (const { value, cotangent } of seeds) accumulate(value, cotangent)
  for (const node of onPath.backward) {
    const ofOutputs = node.outputs.map((output) => cotangents.get(output))
    if (ofOutputs.every((cotangent) => cotangent === undefined)) continue
    const wants = (index: number): boolean => onPath.depends(node.inputs[index])
    const ofInputs = applyRule(node, ofOutputs, wants)
    ofInputs.forEach((cotangent, index) => {
      if (cotangent !== undefined && wants(index)) accumulate(node.inputs[index], cotangent)
    })
  }
  return wanted.map((value) => cotangents.get(value))
}

function applyRule(
  node: Node,
  cotangents: readonly Cotangent[],
  wants: (index: number) => boolean,
): readonly Cotangent[] {
  const rule = rules[node.operation] as Rule<Node['operation']>
  const { attributes } = node
  return rule({
    node,
    attributes,
    inputs: node.inputs.map(tensorOf),
    outputs: node.outputs.map(tensorOf),
    cotangents,
    wants,
    pullBack,
  })
}

interface Between {
  /** The nodes through which a result depends on what is wanted, each before its operands' nodes. */
  readonly backward: readonly Node[]
  readonly depends: (value: Value) => boolean
}

/** What lies between `wanted` and `results`. Nodes of a graph are numbered in the order in which they were made. */
function nodesBetween(results: readonly Value[], wanted: readonly Value[]): Between {
  const reached = new Set<Node>()
  const open = results.map(({ node }) => node)
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (reached.has(node)) continue
    reached.add(node)
    for (const input of node.inputs) open.push(input.node)
  }
  const forward = [...reached].sort((a, b) => a.id - b.id)
  const dependent = new Set<Value>(wanted)
  for (const node of forward) {
    if (!node.inputs.some((input) => dependent.has(input))) continue
    for (const output of node.outputs) if (isFloat(output.type.dtype)) dependent.add(output)
  }
  const isBetween = (node: Node): boolean => node.inputs.some((input) => dependent.has(input))
  return { backward: forward.filter(isBetween).reverse(), depends: (value) => dependent.has(value) }
}
