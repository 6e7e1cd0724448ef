/**
 * Sizes that are known only when the model runs: the batch's, and a text's length. Shapes in a traced graph are numbers, so the
 * model is traced once more for each such size, with that one larger; a number that grows in proportion is a multiple of it,
 * one that stays is a number, and anything else can't be said in ONNX.
 */
import { invariant, TalwegError, type ErrorPlace } from '../../core/errors.js'
import { numberAt } from '../../core/shape.js'
import type { Graph, Node } from '../../graph/index.js'

/** What the model is traced with, by the size's name. */
export type SizeValues = Readonly<Record<string, number>>

/** A size: a number times sizes by their names. */
export interface Dim {
  readonly factor: number
  readonly symbols: readonly string[]
}

export class SymbolicSizes {
  readonly graph: Graph
  readonly #values: SizeValues
  /** By the size that is larger in it: that graph's twin of each node. */
  readonly #twins: ReadonlyMap<string, { readonly value: number; readonly nodes: ReadonlyMap<Node, Node> }>

  /**
   * @param values each size by its name
   * @param traceFor the graph for given sizes; always the same but for them
   */
  constructor(values: SizeValues, traceFor: (values: SizeValues) => Graph) {
    this.graph = traceFor(values)
    this.#values = values
    this.#twins = new Map(
      Object.entries(values).map(([name, value]) => {
        const twin = traceFor({ ...values, [name]: value + 1 })
        checkAlike(this.graph, twin, name)
        return [name, { value: value + 1, nodes: new Map(this.graph.nodes.map((node, index) => [node, twin.nodes[index]])) }] // prettier-ignore
      }),
    )
  }

  /** Numbers of a node, in terms of the sizes. */
  dims(node: Node, numbersOf: (node: Node) => readonly number[]): Dim[] {
    return numbersOf(node).map((number, index) => {
      let factor = number
      const symbols: string[] = []
      for (const [name, { value, nodes }] of this.#twins) {
        const grown = numbersOf(nodes.get(node)!)[index]
        if (grown === number) continue
        if (grown * this.#values[name] !== number * value) throw notInProportion(node, name)
        symbols.push(name)
        factor /= this.#values[name]
      }
      return { factor, symbols }
    })
  }

  /** A node's numbers where they must not depend on any size. */
  fixed(node: Node, numbersOf: (node: Node) => readonly number[]): readonly number[] {
    return this.dims(node, numbersOf).map(({ factor, symbols }) => {
      if (symbols.length > 0) throw notInProportion(node, symbols[0])
      return factor
    })
  }
}

function checkAlike(graph: Graph, twin: Graph, name: string): void {
  for (const [index, node] of graph.nodes.entries()) {
    const other = twin.nodes[index]
    if (other === undefined || other.operation !== node.operation) throw notInProportion(node, name)
    if (node.operation !== 'constant') continue
    invariant(other.operation === 'constant', 'twins have the same operation')
    const [one, grown] = [node.attributes.value, other.attributes.value]
    const isSame =
      one.data.length === grown.data.length && one.data.every((_, at) => numberAt(one, at) === numberAt(grown, at))
    if (!isSame) throw notInProportion(node, name)
  }
}

/** The user's own line that asked for a node, in the form that errors take. */
export function placeOf({ location }: Node): ErrorPlace | undefined {
  const position = location?.resolve()
  return position && { file: position.file, line: position.line }
}

function notInProportion(node: Node, name: string): TalwegError {
  return new TalwegError({
    code: 'UNSUPPORTED_BY_ENGINE',
    operation: 'onnx',
    problem: `${node.operation} depends on the ${name} in a way that can't be left open`,
    hint: `export for one ${name}`,
    place: placeOf(node),
  })
}
