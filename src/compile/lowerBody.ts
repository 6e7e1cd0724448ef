/** The inside of a composite as a `ProgramBody`: values and instructions of its own, and no memory. */
import type { TensorType } from '../core/shape.js'
import type { Instruction, ProgramBody } from '../engine/program.js'
import type { Graph, Value } from '../graph/index.js'
import { labelOf } from './label.js'

export function lowerBody(graph: Graph): ProgramBody {
  const known = bodies.get(graph)
  if (known !== undefined) return known
  const values: TensorType[] = []
  const constants: ProgramBody['constants'][number][] = []
  const instructions: Instruction[] = []
  const indices = new Map<Value, number>()
  const indexOf = (value: Value): number => indices.get(value)!
  const lastUses = findLastUses(graph)
  for (const node of graph.nodes) {
    const inputs = node.inputs.map(indexOf)
    for (const output of node.outputs) indices.set(output, values.push(output.type) - 1)
    const outputs = node.outputs.map(indexOf)
    if (node.operation === 'parameter') continue
    if (node.operation === 'constant') {
      constants.push({ value: outputs[0], data: node.attributes.value })
      continue
    }
    const dying = [...inputs, ...outputs].filter(
      (value, place, all) => lastUses.get(value) === node.id && all.indexOf(value) === place,
    )
    const body = node.decomposition && lowerBody(node.decomposition)
    const { operation, attributes } = node
    instructions.push({ operation, attributes, inputs, outputs, body, lastUses: dying, get label() { return labelOf(node) } } as Instruction) // prettier-ignore
  }
  const body = {
    values,
    constants,
    inputs: graph.parameters.map(indexOf),
    outputs: graph.results.map(({ value }) => indexOf(value)),
    instructions,
  }
  bodies.set(graph, body)
  return body
}

/** Decompositions are immutable, and often shared by many nodes. */
const bodies = new WeakMap<Graph, ProgramBody>()

/** For each value by index, the id of the last node that reads or makes it. Results live on. */
function findLastUses(graph: Graph): Map<number, number> {
  const indices = new Map<Value, number>()
  const lastUses = new Map<number, number>()
  for (const node of graph.nodes) {
    for (const input of node.inputs) lastUses.set(indices.get(input)!, node.id)
    for (const output of node.outputs) {
      const index = indices.size
      indices.set(output, index)
      lastUses.set(index, node.id)
    }
  }
  for (const { value } of graph.results) lastUses.delete(indices.get(value)!)
  return lastUses
}
