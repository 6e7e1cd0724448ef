/**
 * All candidates of a cross-validation, that is each rate on each split, as one model whose weights have a column a
 * candidate: rows are read once for all of them, and what was a product with one column is one with as many as there are
 * candidates. To which candidates a row counts is a weight of 0 or 1, by the row's fold.
 */
import { gradients } from '../../../autodiff/index.js'
import { compileGraph } from '../../../compile/index.js'
import { tensorData, tensorType, type Shape, type TensorType } from '../../../core/shape.js'
import type { Engine, EngineBuffer, Executable } from '../../../engine/engine.js'
import type { AnyTensor, Graph, NamedType, Tensor } from '../../../graph/index.js'
import {
  add,
  argmax,
  broadcastTo,
  concatenate,
  convert,
  divide,
  equal,
  expandDim,
  greaterEqual,
  less,
  logSumExp,
  matmul,
  maximum,
  multiply,
  oneHot,
  or,
  reshape,
  scalar,
  sliceDim,
  softplus,
  square,
  subtract,
  sum,
  transpose,
  where,
} from '../../../ops/index.js'
import { get, traceNamed, type Tensors } from '../../namedTrace.js'
import type { FitModel } from '../model.js'
import type { ResidentRows } from '../rows.js'
import { stepCandidates, type Progress } from './progress.js'
import type { Folds } from './folds.js'

/** Candidate `split * rates.length + rate`. */
export interface Candidates {
  readonly model: FitModel
  readonly rows: ResidentRows
  readonly folds: Folds
  readonly rates: readonly number[]
  readonly engine: Engine
}

/** Weights f[features, candidates · outputs] and, where there is one, intercept f[candidates · outputs]. */
export type CandidateWeights = ReadonlyMap<string, EngineBuffer>

export function numCandidates({ folds, rates }: Candidates): number {
  return folds.splits.length * rates.length
}

export function parameterTypes(candidates: Candidates): NamedType[] {
  const { numFeatures, numOutputs, hasIntercept, dtype } = candidates.model
  const width = numCandidates(candidates) * numOutputs
  const weights = { name: 'weights', type: tensorType(dtype, [numFeatures, width]) }
  return hasIntercept ? [weights, { name: 'intercept', type: tensorType(dtype, [width]) }] : [weights]
}

/** Gradient descent of all candidates, from zeros, each until it is flat by the tolerance. */
export async function descendTogether(
  candidates: Candidates,
  limits: { readonly steps: number; readonly tolerance: number; readonly shouldStop: () => boolean },
): Promise<{ progress: Progress; weights: CandidateWeights }> {
  const { engine, rows, folds, rates, model } = candidates
  const parameters = parameterTypes(candidates)
  const count = numCandidates(candidates)
  const vector = tensorType(model.dtype, [count])
  const flag = tensorType('bool', [count])
  const state = new Map<string, EngineBuffer>([...rows.buffers, ...foldBuffers(candidates)])
  for (const { name, type } of parameters) state.set(name, engine.allocate(type, tensorData(type.dtype, type.shape)))
  const each = (value: (split: number, rate: number) => number): number[] =>
    folds.splits.flatMap((_, split) => rates.map((__, rate) => value(split, rate)))
  state.set('rates', engine.allocate(vector, tensorData(model.dtype, [count], each((_, rate) => rates[rate])))) // prettier-ignore
  state.set('counts', engine.allocate(vector, tensorData(model.dtype, [count], each((split) => folds.splits[split].numTraining)))) // prettier-ignore
  state.set('done', engine.allocate(flag, tensorData('bool', [count])))
  const fixed = [
    { name: 'rates', type: vector },
    { name: 'counts', type: vector },
    { name: 'done', type: flag },
  ]
  const inputs = [...parameters, ...fixed, ...rowTypesOf(candidates)]
  const graph = traceNamed('crossValidation', inputs, (tensors) => traceStep(candidates, tensors, limits.tolerance))
  const moved = new Set([...parameters.map(({ name }) => name), 'done'])
  const executable = await load(engine, graph, inputs, moved, ['loss', 'isDone'], state)
  const progress = await stepCandidates(executable, count, limits)
  executable.release?.()
  return { progress, weights: new Map(parameters.flatMap(({ name }) => { const buffer = state.get(name); return buffer === undefined ? [] : [[name, buffer] as const] })) } // prettier-ignore
}

function traceStep(candidates: Candidates, tensors: Tensors, tolerance: number): Record<string, AnyTensor> {
  const { model, folds } = candidates
  const count = numCandidates(candidates)
  const parameters = parameterTypes(candidates).map(({ name }) => get(tensors, name))
  const sums = candidates.rows.blockSizes.map((_, block) => {
    const losses = lossesOf(candidates, get(tensors, `features.${block}`), get(tensors, `targets.${block}`), parameters)
    const weight = membership(
      candidates,
      get(tensors, `folds.${block}`),
      (split, fold) => folds.splits[split].trains[fold],
    )
    return sum(multiply(losses, acrossRates(candidates, weight)) as AnyTensor, 0) as AnyTensor
  })
  const loss = divide(total(sums), get(tensors, 'counts')) as AnyTensor
  const slopes = gradients(sum(loss), parameters)
  const squares = total(slopes.map((slope) => squaresByCandidate(slope, count, model.numOutputs)))
  const rates = get(tensors, 'rates')
  const { isDone, move } = stopWhenFlat(squares, rates, get(tensors, 'done'), tolerance)
  const perColumn = (values: AnyTensor): AnyTensor => eachOutput(values, count, model.numOutputs)
  const next = parameterTypes(candidates).map(({ name }, index): [string, AnyTensor] => [
    `new ${name}`,
    move(parameters[index], multiply(slopes[index], perColumn(rates)) as AnyTensor, perColumn),
  ])
  return { ...Object.fromEntries(next), 'new done': isDone, loss, isDone }
}

/** The rule by which a candidate is done, that of a single descent; it is left where it is then. */
export function stopWhenFlat(
  squares: AnyTensor,
  rates: AnyTensor,
  wasDone: AnyTensor,
  tolerance: number,
): {
  isDone: AnyTensor
  move: (value: AnyTensor, by: AnyTensor, spread: (flags: AnyTensor) => AnyTensor) => AnyTensor
} {
  const limit = maximum(divide(scalar(tolerance, rates.dtype), rates) as AnyTensor, tolerance ** 2)
  const isDone = or(wasDone, less(squares, limit)) as AnyTensor
  const move = (value: AnyTensor, by: AnyTensor, spread: (flags: AnyTensor) => AnyTensor): AnyTensor =>
    where(broadcastTo(spread(isDone), value.shape) as Tensor<Shape, 'bool'>, value, subtract(value, by) as AnyTensor)
  return { isDone, move }
}

/** What the held-out rows of each candidate's split cost, summed, and for classes how many of them are right. */
export async function scoreTogether(
  candidates: Candidates,
  weights: CandidateWeights,
): Promise<{ losses: number[]; correct: number[] | undefined }> {
  const { engine, rows, folds, rates, model } = candidates
  const inputs = [...parameterTypes(candidates), ...rowTypesOf(candidates)]
  const graph = traceNamed('crossValidationScores', inputs, (tensors) => {
    const parameters = parameterTypes(candidates).map(({ name }) => get(tensors, name))
    const parts = rows.blockSizes.map((_, block) => {
      const [features, targets] = [get(tensors, `features.${block}`), get(tensors, `targets.${block}`)]
      const held = transpose(membership(candidates, get(tensors, `folds.${block}`), (split, fold) => folds.splits[split].heldOut === fold)) // prettier-ignore
      const right = model.kind === 'linear' ? undefined : correctOf(candidates, features, targets, parameters)
      return {
        losses: matmul(held as AnyTensor, lossesOf(candidates, features, targets, parameters)) as AnyTensor,
        correct: right && (matmul(held as AnyTensor, right) as AnyTensor),
      }
    })
    const correct = parts.flatMap((part) => part.correct ?? [])
    return {
      losses: total(parts.map(({ losses }) => losses)),
      ...(correct.length > 0 ? { correct: total(correct) } : {}),
    }
  })
  const outputs = model.kind === 'linear' ? ['losses'] : ['losses', 'correct']
  const state = new Map([...weights, ...rows.buffers, ...foldBuffers(candidates)])
  const executable = await load(engine, graph, inputs, new Set(), outputs, state)
  const { losses, correct } = await executable.run({})
  executable.release?.()
  const count = numCandidates(candidates)
  const own = ({ data }: { readonly data: ArrayLike<number> }): number[] =>
    folds.splits.flatMap((_, split) => rates.map((__, rate) => data[split * count + split * rates.length + rate]))
  return { losses: own(losses), correct: correct && own(correct) }
}

/** Each row's cost by each candidate: [rows, candidates]. */
function lossesOf(
  candidates: Candidates,
  features: AnyTensor,
  targets: AnyTensor,
  parameters: readonly AnyTensor[],
): AnyTensor {
  const { kind, numOutputs, dtype } = candidates.model
  const scores = scoresOf(candidates, features, parameters)
  const numRows = features.shape[0]
  if (kind === 'softmax') {
    const aim = reshape(oneHot(targets as Tensor<Shape, 'i32'>, numOutputs, dtype), [
      numRows,
      1,
      numOutputs,
    ]) as AnyTensor
    return subtract(logSumExp(scores, -1), sum(multiply(scores, aim) as AnyTensor, -1) as AnyTensor) as AnyTensor
  }
  const aim = reshape(convert(targets, dtype), [numRows, 1]) as AnyTensor
  if (kind === 'linear') return multiply(square(subtract(scores, aim) as AnyTensor), 0.5) as AnyTensor
  return subtract(softplus(scores), multiply(scores, aim) as AnyTensor) as AnyTensor
}

/** 1 where a row's class is the likeliest by a candidate. */
function correctOf(
  candidates: Candidates,
  features: AnyTensor,
  targets: AnyTensor,
  parameters: readonly AnyTensor[],
): AnyTensor {
  const { kind, dtype } = candidates.model
  const scores = scoresOf(candidates, features, parameters)
  const guess =
    kind === 'softmax' ? argmax(scores, -1) : (convert(greaterEqual(scores, 0) as AnyTensor, 'i32') as AnyTensor)
  return convert(
    equal(guess as AnyTensor, reshape(targets, [features.shape[0], 1]) as AnyTensor) as AnyTensor,
    dtype,
  ) as AnyTensor
}

/** [rows, candidates], for softmax [rows, candidates, outputs]. */
function scoresOf(candidates: Candidates, features: AnyTensor, [weights, intercept]: readonly AnyTensor[]): AnyTensor {
  const products = matmul(features, weights) as AnyTensor
  const scores = intercept === undefined ? products : (add(products, intercept) as AnyTensor)
  const { kind, numOutputs } = candidates.model
  return kind === 'softmax' ? reshape(scores, [features.shape[0], numCandidates(candidates), numOutputs]) : scores
}

/** 1 where a row belongs to a split in some way: [rows, splits]. */
function membership(
  { folds, model }: Candidates,
  foldOf: AnyTensor,
  belongs: (split: number, fold: number) => boolean,
): AnyTensor {
  const ofFold = oneHot(foldOf as Tensor<Shape, 'i32'>, folds.numFolds, model.dtype) as AnyTensor
  const columns = folds.splits.map((_, split) => {
    const members = Array.from({ length: folds.numFolds }, (__, fold) => fold).filter((fold) => belongs(split, fold))
    return sum(total(members.map((fold) => sliceDim(ofFold, 1, fold, fold + 1))), 1, { keepDims: true }) as AnyTensor
  })
  return concatenate(columns, 1) as AnyTensor
}

/** [rows, splits] as [rows, candidates]. */
function acrossRates(candidates: Candidates, values: AnyTensor): AnyTensor {
  const { folds, rates } = candidates
  const [numRows] = values.shape
  const spread = broadcastTo(expandDim(values, -1) as AnyTensor, [numRows, folds.splits.length, rates.length])
  return reshape(spread, [numRows, numCandidates(candidates)]) as AnyTensor
}

/** [candidates] as [candidates · outputs]. */
function eachOutput(values: AnyTensor, count: number, numOutputs: number): AnyTensor {
  if (numOutputs === 1) return values
  return reshape(broadcastTo(reshape(values, [count, 1]) as AnyTensor, [count, numOutputs]), [count * numOutputs])
}

function squaresByCandidate(slope: AnyTensor, count: number, numOutputs: number): AnyTensor {
  return sum(square(reshape(slope, [-1, count, numOutputs]) as AnyTensor), [0, 2]) as AnyTensor
}

export function foldBuffers({ folds, rows, engine }: Candidates): Map<string, EngineBuffer> {
  let first = 0
  return new Map(
    rows.blockSizes.map((size, block) => {
      const data = folds.foldOf.subarray(first, first + size)
      first += size
      return [`folds.${block}`, engine.allocate(tensorType('i32', [size]), { dtype: 'i32', shape: [size], data })]
    }),
  )
}

export function rowTypesOf({ rows }: Candidates): NamedType[] {
  const ofFolds = rows.blockSizes.map((size, block): NamedType => ({ name: `folds.${block}`, type: tensorType('i32', [size]) as TensorType })) // prettier-ignore
  return [...rows.types, ...ofFolds]
}

export function load(
  engine: Engine,
  graph: Graph,
  inputs: readonly NamedType[],
  moved: ReadonlySet<string>,
  outputs: readonly string[],
  state: ReadonlyMap<string, EngineBuffer>,
): Promise<Executable> {
  const updates = Object.fromEntries(inputs.map(({ name }) => [name, moved.has(name) ? `new ${name}` : undefined]))
  return engine.load(compileGraph(graph, engine, { state: updates, outputs: [...outputs] }).program, state)
}

export function total(terms: readonly AnyTensor[]): AnyTensor {
  return terms.reduce((left, right) => add(left, right) as AnyTensor)
}
