/**
 * Sizes that are known only when the model runs: the batch's, a text's length. Shapes in a traced graph are numbers, so the model
 * is traced again with each of the open sizes one larger, alone and together. Of every number in the graph that gives what it is
 * in terms of them, as a sum of products; a further trace, with all of them smaller, has to agree.
 */
import { TalwegError, type ErrorPlace } from '../../core/errors.js'
import { numberAt } from '../../core/shape.js'
import type { Graph, Node } from '../../graph/index.js'

/** What the model is traced with, by the size's name. */
export type SizeValues = Readonly<Record<string, number>>

/** A number times open sizes by their names. */
export interface Term {
  readonly factor: number
  readonly symbols: readonly string[]
}

/** A size: a sum. */
export type Dim = readonly Term[]

export function constantDim(factor: number): Dim {
  return [{ factor, symbols: [] }]
}

/** The number that a size always is, or undefined. */
export function fixedSize(dim: Dim): number | undefined {
  return dim.every(({ symbols }) => symbols.length === 0) ? dim.reduce((sum, { factor }) => sum + factor, 0) : undefined
}

export class SymbolicSizes {
  readonly graph: Graph
  readonly #values: SizeValues
  readonly #subsets: readonly (readonly string[])[]
  /** Of each node, the same one in the trace with each subset of the sizes one larger; and in the one that has to agree. */
  readonly #twins: readonly ReadonlyMap<Node, Node>[]
  readonly #smaller: ReadonlyMap<Node, Node>
  readonly #smallerValues: SizeValues

  /**
   * @param values each size by its name
   * @param traceFor the graph for given sizes; always the same but for them
   */
  constructor(values: SizeValues, traceFor: (values: SizeValues) => Graph) {
    const names = Object.keys(values)
    this.graph = traceFor(values)
    this.#values = values
    this.#subsets = subsetsOf(names)
    this.#twins = this.#subsets.map((subset) => {
      const larger = Object.fromEntries(subset.map((name) => [name, values[name] + 1]))
      return twinsOf(this.graph, subset.length === 0 ? this.graph : traceFor({ ...values, ...larger }), names)
    })
    this.#smallerValues = Object.fromEntries(names.map((name) => [name, Math.max(1, values[name] - 1)]))
    this.#smaller = twinsOf(this.graph, traceFor(this.#smallerValues), names)
  }

  /** Numbers of a node, in terms of the sizes. */
  dims(node: Node, numbersOf: (node: Node) => readonly number[]): Dim[] {
    const numbers = this.#twins.map((twins) => numbersOf(twins.get(node)!))
    const smaller = numbersOf(this.#smaller.get(node)!)
    return numbers[0].map((_, index) => {
      const dim = this.fit(numbers.map((each) => each[index]))
      if (evaluate(dim, this.#smallerValues) !== smaller[index]) throw notASum(node, Object.keys(this.#values))
      return dim
    })
  }

  /**
   * The sum that has the given values where each subset of the sizes is one larger. The differences of each subset (with those of
   * its own subsets taken off) are the factors of the products of (size - value); multiplied out they are those of products of sizes.
   */
  private fit(found: readonly number[]): Dim {
    const factors = new Map<string, Term>()
    for (const subset of this.#subsets) {
      const difference = this.#subsets.reduce((sum, part, index) => {
        if (!part.every((name) => subset.includes(name))) return sum
        return sum + ((subset.length - part.length) % 2 === 0 ? found[index] : -found[index])
      }, 0)
      if (difference === 0) continue
      for (const symbols of subsetsOf(subset)) {
        const rest = subset.filter((name) => !symbols.includes(name))
        const factor = rest.reduce((product, name) => product * -this.#values[name], difference)
        const key = symbols.join()
        factors.set(key, { symbols, factor: factor + (factors.get(key)?.factor ?? 0) })
      }
    }
    return [...factors.values()].filter(({ factor }) => factor !== 0)
  }
}

/** Every choice of some of the names, the empty one first. */
function subsetsOf(names: readonly string[]): string[][] {
  return names.reduce<string[][]>((found, name) => [...found, ...found.map((subset) => [...subset, name])], [[]])
}

export function evaluate(dim: Dim, values: SizeValues): number {
  return dim.reduce(
    (sum, { factor, symbols }) => sum + symbols.reduce((product, name) => product * values[name], factor),
    0,
  )
}

/** Of each node the one at its place in a trace with other sizes, which has to be of the same operations and constants. */
function twinsOf(graph: Graph, twin: Graph, names: readonly string[]): ReadonlyMap<Node, Node> {
  for (const [index, node] of graph.nodes.entries()) {
    const other = twin.nodes[index]
    if (other?.operation !== node.operation || !isSameConstant(node, other)) throw notASum(node, names)
  }
  return new Map(graph.nodes.map((node, index) => [node, twin.nodes[index]]))
}

function isSameConstant(one: Node, other: Node): boolean {
  if (one.operation !== 'constant' || other.operation !== 'constant') return true
  const [left, right] = [one.attributes.value, other.attributes.value]
  return (
    left.data.length === right.data.length && left.data.every((_, at) => numberAt(left, at) === numberAt(right, at))
  )
}

/** The user's own line that asked for a node, in the form that errors take. */
export function placeOf({ location }: Node): ErrorPlace | undefined {
  const position = location?.resolve()
  return position && { file: position.file, line: position.line }
}

function notASum(node: Node, names: readonly string[]): TalwegError {
  return new TalwegError({
    code: 'UNSUPPORTED_BY_ENGINE',
    operation: 'onnx',
    problem: `${node.operation} depends on the ${names.join(' or the ')} in a way that can't be left open`,
    hint: 'export for fixed sizes',
    place: placeOf(node),
  })
}
