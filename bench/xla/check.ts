/**
 * `npm run bench:xla [-- WORD …]`: every operation, every composite and whole training steps, printed as StableHLO,
 * compiled and run by XLA, compared with the reference engine. With words, only the cases whose names contain one of
 * them. Needs `bench/setup`.
 *
 * Exits with 1 where XLA refuses a module or a number is off by more than compare.ts allows (1e-5 in f32).
 */
import { TalwegError } from '../../src/core/errors.js'
import type { CompositeCall, CompositeName, OperationName } from '../../src/core/operations.js'
import { formatType, type TensorData } from '../../src/core/shape.js'
import { compileGraph, passNames } from '../../src/compile/index.js'
import { createReferenceEngine } from '../../src/engine/reference/index.js'
import { parameterName, printGraph, type Graph } from '../../src/graph/index.js'
import type { Case } from './cases/case.js'
import { operationCases } from './cases/index.js'
import { expectedExchange } from './collectives.js'
import { compositeCases, type PrintedComposite } from './cases/composites.js'
import { errorOf } from './compare.js'
import { XlaMachine } from './machine.js'
import { stepCases } from './steps.js'

const reference = createReferenceEngine()

async function evaluateByReference(graph: Graph, inputs: readonly TensorData[]): Promise<TensorData[]> {
  // No pass that may be left out: the graph is to be run as it was written.
  const { program } = compileGraph(graph, reference, { disabledPasses: new Set(passNames) })
  const executable = await reference.load(program, new Map())
  const outputs = await executable.run(
    Object.fromEntries(graph.parameters.map((parameter, index) => [parameterName(parameter), inputs[index]])),
  )
  return graph.results.map(({ name }) => outputs[name])
}

/** What each worker is to get. Exchanges are computed from all workers' inputs; the reference engine has but one. */
async function expectedOutputs(example: Case): Promise<TensorData[][]> {
  const { graph, inputs } = example.unchanged ?? example
  if (inputs.length > 1) return expectedExchange(graph, inputs)
  return [await evaluateByReference(graph, inputs[0])]
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
    const comparisons = expected.flatMap((row, worker) =>
      row.map((tensor, index) => compareResult(example, index, actual[worker][index], tensor)),
    )
    const error = Math.max(0, ...comparisons.map((comparison) => comparison.error))
    const problems = comparisons.filter((comparison) => comparison.error > 1).map(({ problem }) => problem)
    return { name: example.name, error, problem: problems.length === 0 ? undefined : problems.join('\n    ') }
  } catch (error) {
    if (!(error instanceof TalwegError)) throw error
    return { name: example.name, error: Infinity, problem: `${error.problem}\n${text}` }
  }
}

function compareResult(
  { graph, measure = 'element', isIgnored }: Case,
  index: number,
  actual: TensorData,
  expected: TensorData,
): { readonly error: number; readonly problem: string } {
  const { name } = graph.results[index]
  const error = isIgnored?.(name) ? 0 : errorOf(actual, expected, measure)
  const problem = `${name}: error ${error.toPrecision(3)}; XLA ${preview(actual)}; expected ${preview(expected)}`
  return { error, problem }
}

function preview(tensor: TensorData): string {
  return `${formatType(tensor)} ${Array.from(tensor.data.slice(0, 12)).join(' ')}`
}

/** A composite's cases must hold that composite, or they would check nothing of it. */
function containsComposite(graph: Graph, name: CompositeName): boolean {
  return graph.nodes.some((node) => node.operation === 'composite' && (node.attributes as CompositeCall).name === name)
}

function compositeCasesOf(name: PrintedComposite): Case[] {
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
  const groups: [string, () => Case[] | Promise<Case[]>][] = [
    ...(Object.keys(operationCases) as OperationName[]).map((name): [string, () => Case[]] => [
      name,
      operationCases[name],
    ]),
    ...(Object.keys(compositeCases) as PrintedComposite[]).map((name): [string, () => Case[]] => [
      name,
      () => compositeCasesOf(name),
    ]),
    ['training step', stepCases],
  ]
  const machine = new XlaMachine()
  let [numPassed, numFailed] = [0, 0]
  for (const [group, make] of groups) {
    const cases = (await make()).filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
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
