/**
 * A graph as text: a StableHLO module in MLIR's text form. It is what people read, what snapshots of passes compare,
 * and what XLA accepts and computes the same from (`bench/xla` checks that), so it is also the way to PJRT plug-ins.
 *
 * Values are numbered in order, parameters go by their own names, so the text changes only where the graph does.
 * Each composite becomes a `stablehlo.composite` and a private function with its decomposition; equal decompositions
 * share one function.
 */
import { invariant } from '../core/errors.js'
import type { CollectiveAttributes } from '../core/operations.js'
import { parameterName, type Graph, type Node, type Value } from './graph.js'
import { printingRules, regionNames, type PrintedOperation, type PrintingRule, type Writer } from './printing/rules.js'
import { identifier, printParenthesized, printType, printTypes } from './printing/syntax.js'

/** The workers' arrangement, outermost axis first: worker `i` has coordinates in row-major order. */
export type PrintedMesh = readonly { readonly axis: string; readonly size: number }[]

export interface PrintOptions {
  /** By default, the axes that the graph's collectives name, in the order in which they first do. */
  readonly mesh?: PrintedMesh
}

/**
 * Prints a graph as a StableHLO module whose `@main` takes the graph's parameters and gives its results, in order.
 *
 * @example
 * printGraph(graph)
 * // module @double {
 * //   func.func public @main(%x: tensor<2xf32>) -> (tensor<2xf32> {jax.result_info = "y"}) {
 * //     %0 = stablehlo.add %x, %x : tensor<2xf32>
 * //     return %0 : tensor<2xf32>
 * //   }
 * // }
 */
export function printGraph(graph: Graph, { mesh = meshOf(graph) }: PrintOptions = {}): string {
  const printer = new ModulePrinter(mesh)
  const main = printer.printMain(graph)
  const functions = [main, ...printer.functions()].map((text) => indent(text)).join('\n')
  const numReplicas = mesh.reduce((product, { size }) => product * size, 1)
  const attributes =
    mesh.length === 0 ? '' : ` attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = ${numReplicas} : i32}`
  return `module @${identifier(graph.name)}${attributes} {\n${functions}\n}\n`
}

/** The mesh axes that a graph's collectives name, decompositions included, in the order in which they first do. */
export function meshOf(graph: Graph): PrintedMesh {
  const sizes = new Map<string, number>()
  const visit = ({ nodes }: Graph): void => {
    for (const { attributes, decomposition } of nodes) {
      const { axis, size } = attributes as Partial<CollectiveAttributes>
      if (axis !== undefined && size !== undefined) {
        invariant((sizes.get(axis) ?? size) === size, `the mesh axis ${axis} has one size`)
        sizes.set(axis, size)
      }
      if (decomposition !== undefined) visit(decomposition)
    }
  }
  visit(graph)
  return Array.from(sizes, ([axis, size]) => ({ axis, size }))
}

class ModulePrinter {
  /** Private functions by what they hold, so that equal ones are printed once. */
  private readonly symbolsByBody = new Map<string, string>()
  private readonly symbols = new Set<string>(['main'])

  constructor(private readonly mesh: PrintedMesh) {}

  printMain(graph: Graph): string {
    const results = graph.results.map(
      ({ name, value }) => `${printType(value.type)} {jax.result_info = ${JSON.stringify(name)}}`,
    )
    return `func.func public @main${this.printFunction(graph, results)}`
  }

  functions(): string[] {
    return Array.from(this.symbolsByBody, ([body, symbol]) => `func.func private @${symbol}${body}`)
  }

  private functionFor(name: string, decomposition: Graph): string {
    const body = this.printFunction(
      decomposition,
      decomposition.results.map(({ value }) => printType(value.type)),
    )
    const known = this.symbolsByBody.get(body)
    if (known !== undefined) return known
    const symbol = uniqueName(identifier(name), this.symbols)
    this.symbolsByBody.set(body, symbol)
    return symbol
  }

  /** Everything of a function but its name. */
  private printFunction(graph: Graph, results: readonly string[]): string {
    const names = new Map<Value, string>()
    const taken = new Set(regionNames)
    const parameters = graph.parameters.map((parameter) => {
      const name = `%${uniqueName(identifier(parameterName(parameter)), taken)}`
      names.set(parameter, name)
      return `${name}: ${printType(parameter.type)}`
    })
    const lines = this.printNodes(graph, names)
    const returned = graph.results.map(({ value }) => names.get(value)!)
    const types = printTypes(graph.results.map(({ value }) => value.type))
    lines.push(returned.length === 0 ? 'return' : `return ${returned.join(', ')} : ${types}`)
    return `${printParenthesized(parameters)} -> ${printParenthesized(results)} {\n${indent(lines.join('\n'))}\n}`
  }

  private printNodes(graph: Graph, names: Map<Value, string>): string[] {
    const lines: string[] = []
    let numNamed = 0
    const writer: Writer = {
      emit: (text, numResults = 1) => {
        const name = `%${numNamed++}`
        lines.push(`${name}${numResults === 1 ? '' : `:${numResults}`} = ${text}`)
        return numResults === 1 ? [name] : Array.from({ length: numResults }, (_, index) => `${name}#${index}`)
      },
      functionFor: (name, decomposition) => this.functionFor(name, decomposition),
      groupsAlong: (axis) => this.groupsAlong(axis),
    }
    for (const node of graph.nodes) {
      if (node.operation === 'parameter') continue
      const rule = printingRules[node.operation] as PrintingRule<PrintedOperation>
      const operands = node.inputs.map((input) => names.get(input)!)
      const results = rule(node as Node<PrintedOperation>, operands, writer)
      node.outputs.forEach((output, index) => names.set(output, results[index]))
    }
    return lines
  }

  private groupsAlong(axis: string): number[][] {
    const position = this.mesh.findIndex((candidate) => candidate.axis === axis)
    invariant(position >= 0, `the mesh has an axis ${axis}`)
    const numWorkers = this.mesh.reduce((product, { size }) => product * size, 1)
    const stride = this.mesh.slice(position + 1).reduce((product, { size }) => product * size, 1)
    const { size } = this.mesh[position]
    const first = Array.from({ length: numWorkers }, (_, worker) => worker).filter(
      (worker) => Math.floor(worker / stride) % size === 0,
    )
    return first.map((worker) => Array.from({ length: size }, (_, step) => worker + step * stride))
  }
}

function uniqueName(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let count = 1; taken.has(name); count++) name = `${wanted}_${count}`
  taken.add(name)
  return name
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}
