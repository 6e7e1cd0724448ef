/**
 * Gradient descent of a linear model without its rows. The objective is quadratic: all that a step needs of the rows are
 * their moments XᵀX, Xᵀy and yᵀy, which add up over folds. So the rows are read once, whatever the number of steps, of
 * rates and of splits, and a step is a product of the moments with a column a rate. The steps are those of a descent over
 * the rows, but for rounding.
 */
import { tensorData, tensorType } from '../../../core/shape.js'
import type { EngineBuffer } from '../../../engine/engine.js'
import type { AnyTensor, Tensor } from '../../../graph/index.js'
import { add, broadcastTo, concatenate, matmul, multiply, ones, reshape, square, subtract, sum, transpose, oneHot, sliceDim } from '../../../ops/index.js' // prettier-ignore
import type { Shape } from '../../../core/shape.js'
import { get, traceNamed } from '../../namedTrace.js'
import { foldBuffers, load, numCandidates, rowTypesOf, stopWhenFlat, total, type Candidates, type CandidateWeights } from './candidates.js' // prettier-ignore
import { stepCandidates, type Progress } from './progress.js'

/** A fold's sums over its rows, [columns, columns], [columns], []; the intercept's column of ones is the last. */
interface Moments {
  readonly squares: Float64Array
  readonly products: Float64Array
  readonly target: number
}

/** Whether the moments are no more numbers than the rows: else reading the rows again is cheaper. */
export function hasFewMoments({ model, rows, folds }: Candidates): boolean {
  return model.kind === 'linear' && numColumns(model) * folds.numFolds <= rows.numRows
}

function numColumns({ numFeatures, hasIntercept }: Candidates['model']): number {
  return numFeatures + (hasIntercept ? 1 : 0)
}

/** Descends as `descendTogether` does. */
export async function descendByMoments(
  candidates: Candidates,
  limits: { readonly steps: number; readonly tolerance: number; readonly shouldStop: () => boolean },
): Promise<{ progress: Progress; weights: CandidateWeights }> {
  const { engine, folds, rates, model } = candidates
  const dtype = engine.dtypes.has('f64') ? 'f64' : 'f32'
  const [numSplits, size, numRates] = [folds.splits.length, numColumns(model), rates.length]
  const ofSplits = momentsOfSplits(candidates, await momentsOfFolds(candidates))
  const types = {
    weights: tensorType(dtype, [numSplits, size, numRates]),
    done: tensorType('bool', [numSplits, 1, numRates]),
    squares: tensorType(dtype, [numSplits, size, size]),
    products: tensorType(dtype, [numSplits, size, 1]),
    target: tensorType(dtype, [numSplits, 1, 1]),
    rates: tensorType(dtype, [1, 1, numRates]),
  }
  const inputs = Object.entries(types).map(([name, type]) => ({ name, type }))
  const given: Record<string, readonly number[]> = { ...ofSplits, rates }
  const state = new Map<string, EngineBuffer>(
    inputs.map(({ name, type }) => [name, engine.allocate(type, tensorData(type.dtype, type.shape, given[name]))]),
  )
  const graph = traceNamed('momentsDescent', inputs, (tensors) => {
    const weights = get(tensors, 'weights')
    const pull = matmul(get(tensors, 'squares'), weights) as AnyTensor
    const slopes = subtract(pull, get(tensors, 'products')) as AnyTensor
    // ½ (wᵀGw - 2wᵀc + yᵀy)
    const crossed = multiply(weights, subtract(slopes, get(tensors, 'products')) as AnyTensor) as AnyTensor
    const loss = multiply(
      add(sum(crossed, 1, { keepDims: true }) as AnyTensor, get(tensors, 'target')) as AnyTensor,
      0.5,
    ) as AnyTensor
    const spread = broadcastTo(get(tensors, 'rates'), [numSplits, 1, numRates]) as AnyTensor
    const { isDone, move } = stopWhenFlat(sum(square(slopes), 1, { keepDims: true }) as AnyTensor, spread, get(tensors, 'done'), limits.tolerance) // prettier-ignore
    const next = move(weights, multiply(slopes, get(tensors, 'rates')) as AnyTensor, (flags) => flags)
    return { 'new weights': next, 'new done': isDone, loss, isDone }
  })
  const executable = await load(engine, graph, inputs, new Set(['weights', 'done']), ['loss', 'isDone'], state)
  const progress = await stepCandidates(executable, numSplits * numRates, limits)
  const found = await state.get('weights')?.read()
  executable.release?.()
  return { progress, weights: asColumns(candidates, found?.data ?? []) }
}

/** One pass over the rows. */
async function momentsOfFolds(candidates: Candidates): Promise<Moments[]> {
  const { engine, rows, folds, model } = candidates
  const inputs = rowTypesOf(candidates)
  const graph = traceNamed('moments', inputs, (tensors) => {
    const parts = rows.blockSizes.map((numRows, block) => {
      const features = get(tensors, `features.${block}`)
      const columns = model.hasIntercept ? (concatenate([features, ones([numRows, 1], model.dtype) as AnyTensor], 1) as AnyTensor) : features // prettier-ignore
      const targets = reshape(get(tensors, `targets.${block}`), [numRows, 1]) as AnyTensor
      const ofFold = oneHot(
        get(tensors, `folds.${block}`) as Tensor<Shape, 'i32'>,
        folds.numFolds,
        model.dtype,
      ) as AnyTensor
      return Array.from({ length: folds.numFolds }, (_, fold) => {
        const mine = sliceDim(ofFold, 1, fold, fold + 1)
        const own = transpose(multiply(columns, mine) as AnyTensor) as AnyTensor
        const aims = multiply(targets, mine) as AnyTensor
        return [matmul(own, columns) as AnyTensor, matmul(own, targets) as AnyTensor, sum(multiply(aims, targets) as AnyTensor) as AnyTensor] // prettier-ignore
      })
    })
    const sums = Array.from({ length: folds.numFolds }, (_, fold) =>
      [0, 1, 2].map((part) => total(parts.map((ofBlock) => ofBlock[fold][part]))),
    )
    return Object.fromEntries(sums.flatMap(([g, c, y], fold) => [[`squares.${fold}`, g], [`products.${fold}`, c], [`target.${fold}`, y]])) // prettier-ignore
  })
  const outputs = graph.results.map(({ name }) => name)
  const state = new Map([...rows.buffers, ...foldBuffers(candidates)])
  const executable = await load(engine, graph, inputs, new Set(), outputs, state)
  const found = await executable.run({})
  executable.release?.()
  return Array.from({ length: folds.numFolds }, (_, fold) => ({
    squares: Float64Array.from(found[`squares.${fold}`].data),
    products: Float64Array.from(found[`products.${fold}`].data),
    target: found[`target.${fold}`].data[0],
  }))
}

/** Means over each split's training rows. */
function momentsOfSplits({ folds }: Candidates, ofFolds: readonly Moments[]): Record<string, number[]> {
  const mean = (values: (moments: Moments) => ArrayLike<number>): number[] =>
    folds.splits.flatMap(({ trains, numTraining }) => {
      const sums = new Float64Array(values(ofFolds[0]).length)
      for (const [fold, moments] of ofFolds.entries()) {
        if (!trains[fold]) continue
        const own = values(moments)
        for (let index = 0; index < sums.length; index++) sums[index] += own[index]
      }
      return Array.from(sums, (value) => value / numTraining)
    })
  return {
    squares: mean(({ squares }) => squares),
    products: mean(({ products }) => products),
    target: mean(({ target }) => [target]),
  }
}

/** From [splits, columns, rates] to a column a candidate. */
function asColumns(candidates: Candidates, found: ArrayLike<number>): CandidateWeights {
  const { engine, folds, rates, model } = candidates
  const { numFeatures, hasIntercept, dtype } = model
  const [size, count] = [numColumns(model), numCandidates(candidates)]
  const weights = tensorData(dtype, [numFeatures, count])
  const intercept = tensorData(dtype, [count])
  for (let split = 0; split < folds.splits.length; split++) {
    for (let column = 0; column < size; column++) {
      for (let rate = 0; rate < rates.length; rate++) {
        const value = found[(split * size + column) * rates.length + rate]
        const candidate = split * rates.length + rate
        if (column < numFeatures) weights.data[column * count + candidate] = value
        else intercept.data[candidate] = value
      }
    }
  }
  const buffers = new Map([['weights', engine.allocate(weights, weights)]])
  if (hasIntercept) buffers.set('intercept', engine.allocate(intercept, intercept))
  return buffers
}
