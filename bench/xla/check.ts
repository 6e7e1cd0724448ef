/**
 * `npm run bench:xla [-- WORD …]`: every operation and every composite, printed as StableHLO, compiled and run by XLA,
 * compared with the reference engine. With words, only the cases whose names contain one of them. Needs `bench/setup`.
 *
 * Exits with 1 where XLA refuses a module or a number is off by more than 1e-5 (2^-7 in bf16, 1e-12 in f64), relative
 * to the number or, where that is under 1, absolute. Integers and booleans are to be equal.
 */
import { fromBFloat16Bits, type DType } from '../../src/core/dtype.js'
import { TalwegError } from '../../src/core/errors.js'
import type { CompositeCall, CompositeName, OperationName } from '../../src/core/operations.js'
import { formatType, tensorType, type TensorData } from '../../src/core/shape.js'
import { compileGraph } from '../../src/compile/index.js'
import { createReferenceEngine } from '../../src/engine/reference/index.js'
import { parameterName, printGraph, type Graph } from '../../src/graph/index.js'
import type { Case } from './cases/case.js'
import { operationCases } from './cases/index.js'
import { expectedExchange } from './collectives.js'
import { compositeCases } from './cases/composites.js'
import { XlaMachine } from './machine.js'

const allowedError: { readonly [D in DType]: number } = {
  f64: 1e-12,
  f32: 1e-5,
  bf16: 2 ** -7,
  i32: 0,
  u32: 0,
  u8: 0,
  bool: 0,
}

const reference = createReferenceEngine()

async function evaluateByReference(graph: Graph, inputs: readonly TensorData[]): Promise<TensorData[]> {
  const { program } = compileGraph(graph, reference)
  const executable = await reference.load(program, new Map())
  const outputs = await executable.run(
    Object.fromEntries(graph.parameters.map((parameter, index) => [parameterName(parameter), inputs[index]])),
  )
  return graph.results.map(({ name }) => outputs[name])
}

/** What each worker is to get. Exchanges are computed from all workers' inputs; the reference engine has but one. */
async function expectedOutputs({ graph, inputs }: Case): Promise<TensorData[][]> {
  if (inputs.length > 1) return expectedExchange(graph, inputs)
  return [await evaluateByReference(graph, inputs[0])]
}

/** The largest error relative to what is allowed for the element type; Infinity where types or special values differ. */
function errorOf(actual: TensorData, expected: TensorData): number {
  if (formatType(tensorType(actual.dtype, actual.shape)) !== formatType(expected)) return Infinity
  const numbers = ({ dtype, data }: TensorData): number[] =>
    Array.from(data, (x) => (dtype === 'bf16' ? fromBFloat16Bits(x) : x))
  const left = numbers(actual)
  const allowed = allowedError[expected.dtype]
  return numbers(expected).reduce((worst, value, index) => {
    if (left[index] === value || (Number.isNaN(value) && Number.isNaN(left[index]))) return worst
    const error = Math.abs(left[index] - value) / Math.max(1, Math.abs(value))
    const relative = allowed === 0 ? Infinity : error / allowed
    return Number.isNaN(relative) ? Infinity : Math.max(worst, relative)
  }, 0)
}

interface Outcome {
  readonly name: string
  /** Largest error, in units of what is allowed. */
  readonly error: number
  readonly problem?: string
}

async function check(machine: XlaMachine, example: Case): Promise<Outcome> {
  const expected = await expectedOutputs(example)
  const text = printGraph(example.graph)
  try {
    const actual = await machine.run(text, example.inputs)
    const errors = expected.flatMap((row, worker) => row.map((tensor, index) => errorOf(actual[worker][index], tensor)))
    const error = Math.max(0, ...errors)
    const off = error > 1 ? `XLA ${preview(actual)}, reference ${preview(expected)}` : undefined
    return { name: example.name, error, problem: off }
  } catch (error) {
    if (!(error instanceof TalwegError)) throw error
    return { name: example.name, error: Infinity, problem: `${error.problem}\n${text}` }
  }
}

function preview(rows: readonly (readonly TensorData[])[]): string {
  const tensors = rows.flat().map((tensor) => `${formatType(tensor)} ${Array.from(tensor.data.slice(0, 12)).join(' ')}`)
  return tensors.join('; ').slice(0, 600)
}

/** A composite's cases must hold that composite, or they would check nothing of it. */
function containsComposite(graph: Graph, name: CompositeName): boolean {
  return graph.nodes.some((node) => node.operation === 'composite' && (node.attributes as CompositeCall).name === name)
}

function compositeCasesOf(name: CompositeName): Case[] {
  const cases = compositeCases[name]()
  const without = cases.find(({ graph }) => !containsComposite(graph, name) && !/derivative/.test(graph.name))
  if (without !== undefined) {
    throw new TalwegError({
      code: 'INTERNAL',
      operation: 'bench:xla',
      problem: `the case ${without.name} has no ${name} in it`,
    })
  }
  return cases
}

async function main(words: readonly string[]): Promise<number> {
  const groups: [string, () => Case[]][] = [
    ...(Object.keys(operationCases) as OperationName[]).map((name): [string, () => Case[]] => [
      name,
      operationCases[name],
    ]),
    ...(Object.keys(compositeCases) as CompositeName[]).map((name): [string, () => Case[]] => [
      name,
      () => compositeCasesOf(name),
    ]),
  ]
  const machine = new XlaMachine()
  let [numPassed, numFailed] = [0, 0]
  for (const [group, make] of groups) {
    const cases = make().filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
    if (cases.length === 0) continue
    const outcomes: Outcome[] = []
    for (const example of cases) outcomes.push(await check(machine, example))
    const failed = outcomes.filter(({ problem }) => problem !== undefined)
    const worst = Math.max(...outcomes.map(({ error }) => error))
    console.log(
      `${group}: ${cases.length - failed.length} of ${cases.length} agree, worst error ${worst.toFixed(3)} of what is allowed`,
    )
    for (const { name, problem } of failed) console.log(`  FAILED ${name}: ${problem}`)
    numPassed += cases.length - failed.length
    numFailed += failed.length
  }
  machine.close()
  console.log(`${numPassed} passed, ${numFailed} failed`)
  return numFailed === 0 && numPassed > 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
