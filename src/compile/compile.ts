/**
 * The compiler: a step's graph in, a planned program for one engine out.
 *
 * Passes map graphs to graphs and run in a fixed order, so the same graph always gives the same program.
 */
import { invariant, TalwegError } from '../core/errors.js'
import type { CompositeName } from '../core/operations.js'
import type { Program } from '../engine/program.js'
import { verify, type Graph } from '../graph/index.js'
import { lower } from './lower.js'
import { checkMemory, type MemoryFigures } from './memory/index.js'
import type { CompileOptions, CompileTarget, PassName } from './options.js'
import { useBFloat16 } from './passes/bfloat16.js'
import { Expressions } from './passes/commonSubexpressions.js'
import { copyResults } from './passes/copyResults.js'
import { eliminateDeadCode, selectResults } from './passes/deadCode.js'
import { foldingRules } from './passes/foldConstants.js'
import { foldTransposes } from './passes/foldTransposes.js'
import { fuseBatchNorm } from './passes/fuseBatchNorm.js'
import { fuseElementwise } from './passes/fuseElementwise.js'
import { fuseProducts } from './passes/fuseProducts.js'
import { fuseReductions } from './passes/fuseReductions.js'
import { guardUpdates } from './passes/guardUpdates.js'
import { inlineComposites } from './passes/inlineComposites.js'
import { maskByResult } from './passes/maskByResult.js'
import { applyRules } from './passes/peephole.js'
import { recompute } from './passes/recompute.js'
import { roundAtSource } from './passes/roundAtSource.js'
import { scatterIntoSums } from './passes/scatterIntoSums.js'
import { simplificationRules } from './passes/simplify/index.js'
import { schedule } from './schedule.js'
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
  checkPrecision(target, options)
  const wanted = selectResults(graph, wantedResults(graph, options))
  const fused = listPasses(target, options, isOn).reduce((current, { name, run }) => {
    const next = run(current)
    if (options.verify) verify({ ...next, name: `${graph.name} after ${name}` })
    return next
  }, wanted)
  const firstViews = planViews(fused, target, isOn('views'))
  const scheduled = isOn('schedule') ? schedule(fused, firstViews, options) : fused
  if (options.verify) verify({ ...scheduled, name: `${graph.name} after schedule` })
  const ordered = isOn('recompute') ? recompute(scheduled, firstViews, options) : scheduled
  if (options.verify) verify({ ...ordered, name: `${graph.name} after recompute` })
  const views = ordered === scheduled ? firstViews : planViews(ordered, target, isOn('views'))
  const { program, plan, draft } = lower(ordered, views, target, options, isOn('inPlace'))
  if (options.verify) checkMemory(program, draft)
  return { program, plan, graph: ordered }
}

interface Pass {
  readonly name: string
  readonly run: (graph: Graph) => Graph
}

function listPasses(target: CompileTarget, { precision }: CompileOptions, isOn: (pass: PassName) => boolean): Pass[] {
  const optional = (name: PassName, run: (graph: Graph) => Graph, applies = true): Pass[] =>
    applies && isOn(name) ? [{ name, run }] : []
  const tables = [...(isOn('foldConstants') ? [foldingRules] : []), ...(isOn('simplify') ? simplificationRules : [])]
  const canonicalize = (graph: Graph): Graph => {
    const expressions = isOn('commonSubexpressions') ? new Expressions() : undefined
    return eliminateDeadCode(applyRules(graph, { tables, expressions }))
  }
  const isBFloat16 = precision === 'bf16'
  const knows = (name: CompositeName): boolean => target.composites.has(name)
  return [
    { name: 'inlineComposites', run: (graph) => inlineComposites(graph, target.composites) },
    { name: 'canonicalize', run: canonicalize },
    ...optional('foldTransposes', foldTransposes),
    ...optional('scatterIntoSums', scatterIntoSums),
    ...optional('maskByResult', maskByResult),
    ...optional('fuseBatchNorm', fuseBatchNorm, knows('batchNormRelu') && knows('batchNormReluGradient')),
    ...optional('guardUpdates', (graph) => eliminateDeadCode(guardUpdates(graph)), knows('adamUpdate')),
    ...optional('bfloat16', (graph) => canonicalize(useBFloat16(graph, target.bfloat16Composites)), isBFloat16),
    ...optional(
      'roundAtSource',
      (graph) => roundAtSource(graph, target.bfloat16Composites),
      isBFloat16 && isOn('bfloat16'),
    ),
    { name: 'deadCode', run: eliminateDeadCode },
    ...optional('fuseProducts', (graph) => fuseProducts(graph, target.composites), knows('dotEpilogue')),
    ...optional('fuseReductions', fuseReductions, knows('widenedReduce')),
    ...optional(
      'fuseElementwise',
      (graph) => fuseElementwise(graph, target.elementwiseComposites),
      knows('elementwise'),
    ),
    { name: 'copyResults', run: (graph) => copyResults(graph, planViews(graph, target, isOn('views'))) },
  ]
}

function wantedResults(graph: Graph, { state, outputs }: CompileOptions): Set<string> {
  const names = new Set(graph.results.map(({ name }) => name))
  if (outputs === undefined) return names
  for (const name of outputs) invariant(names.has(name), `output ${name} is a result of ${graph.name}`)
  return new Set([...outputs, ...Object.values(state ?? {}).filter((name) => name !== undefined)])
}

function checkPrecision({ name, dtypes }: CompileTarget, { precision }: CompileOptions): void {
  if (precision !== 'bf16' || dtypes.has('bf16')) return
  throw new TalwegError({
    code: 'UNSUPPORTED_BY_ENGINE',
    operation: 'compile',
    problem: `precision bf16 is not to be had: the ${name} engine has ${[...dtypes].join(', ')}`,
    hint: 'use --precision f32, or --engine native',
  })
}
