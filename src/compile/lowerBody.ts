/** The inside of a composite as a `ProgramBody`: values and instructions of its own, and no memory. */
import { formatType, type TensorType } from '../core/shape.js'
import type { Instruction, ProgramBody } from '../engine/program.js'
import type { Graph, Value } from '../graph/index.js'
import { labelOf } from './label.js'
import { Texts } from './text.js'

/** The bodies of one program. Composites that do the same to the same types share one body. */
export class Bodies {
  private readonly ofGraph = new Map<Graph, ProgramBody>()
  private readonly byText = new Map<string, ProgramBody>()
  private readonly texts = new Texts()

  of(graph: Graph): ProgramBody {
    const known = this.ofGraph.get(graph)
    if (known !== undefined) return known
    const lowered = this.lower(graph)
    const text = this.textOf(lowered)
    const body = this.byText.get(text) ?? lowered
    this.byText.set(text, body)
    this.ofGraph.set(graph, body)
    return body
  }

  private lower(graph: Graph): ProgramBody {
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
      if (node.operation === 'constant') constants.push({ value: outputs[0], data: node.attributes.value })
      if (node.operation === 'parameter' || node.operation === 'constant') continue
      const dying = [...new Set([...inputs, ...outputs])].filter((value) => lastUses.get(value) === node.id)
      const body = node.decomposition && this.of(node.decomposition)
      const { operation, attributes } = node
      instructions.push({ operation, attributes, inputs, outputs, body, lastUses: dying, get label() { return labelOf(node) } } as Instruction) // prettier-ignore
    }
    const inputs = graph.parameters.map(indexOf)
    const outputs = graph.results.map(({ value }) => indexOf(value))
    return { values, constants, inputs, outputs, instructions }
  }

  /** All of a body but its labels. Inner bodies are shared already, so their identity tells. */
  private textOf({ values, constants, inputs, outputs, instructions }: ProgramBody): string {
    const lines = instructions.map(({ operation, attributes, inputs: from, outputs: to, body }) => {
      const inner = body === undefined ? '' : this.texts.identityOf(body)
      return `${operation} ${this.texts.of(attributes)} ${from.join()} ${to.join()} ${inner}`
    })
    const numbers = constants.map(({ value, data }) => `${value} ${this.texts.of(data)}`)
    return [values.map(formatType).join(), inputs.join(), outputs.join(), ...numbers, ...lines].join('\n')
  }
}

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
