/**
 * The compiler: a step's graph in, a planned program for one engine out.
 *
 * Passes map graphs to graphs and run in a fixed order, so the same graph always gives the same program.
 */
import { invariant } from '../core/errors.js'
import { verify, type Graph } from '../graph/index.js'
import type { Program } from '../engine/program.js'
import { lower } from './lower.js'
import { checkMemory, type MemoryFigures } from './memory/index.js'
import type { CompileOptions, CompileTarget, PassName } from './options.js'
import { copyResults } from './passes/copyResults.js'
import { eliminateDeadCode, selectResults } from './passes/deadCode.js'
import { inlineComposites } from './passes/inlineComposites.js'
import { planViews } from './views.js'

export interface CompiledProgram {
  readonly program: Program
  readonly plan: MemoryFigures
  /** The graph that was lowered: fused and in order. */
  readonly graph: Graph
}

/**
 * Compiles a graph for an engine.
 *
 * @example
 * const { program, plan } = compileGraph(step, engine, { state: { weight: 'newWeight' } })
 */
export function compileGraph(graph: Graph, target: CompileTarget, options: CompileOptions = {}): CompiledProgram {
  const isOn = (pass: PassName): boolean => !options.disabledPasses?.has(pass)
  const passes = listPasses(target, options).filter(({ name }) => !optional.has(name) || isOn(name as PassName))
  const wanted = selectResults(graph, wantedResults(graph, options))
  const final = passes.reduce((current, { name, run }) => {
    const next = run(current)
    if (options.verify) verifyAfter(name, next)
    return next
  }, wanted)
  const views = planViews(final, target, isOn('views'))
  const { program, plan, draft } = lower(final, views, target, options, isOn('inPlace'))
  if (options.verify) checkMemory(program, draft)
  return { program, plan, graph: final }
}

interface Pass {
  readonly name: string
  readonly run: (graph: Graph) => Graph
}

const optional: ReadonlySet<string> = new Set<PassName>([])

function listPasses(target: CompileTarget, _options: CompileOptions): Pass[] {
  return [
    { name: 'inlineComposites', run: (graph) => inlineComposites(graph, target.composites) },
    { name: 'deadCode', run: eliminateDeadCode },
    { name: 'copyResults', run: copyResults },
  ]
}

function wantedResults(graph: Graph, { state, outputs }: CompileOptions): Set<string> {
  if (outputs === undefined) return new Set(graph.results.map(({ name }) => name))
  const names = new Set(graph.results.map(({ name }) => name))
  for (const name of outputs) invariant(names.has(name), `output ${name} is a result of ${graph.name}`)
  return new Set([...outputs, ...Object.values(state ?? {}).filter((name) => name !== undefined)])
}

function verifyAfter(pass: string, graph: Graph): void {
  verify({ ...graph, name: `${graph.name} after ${pass}` })
}
