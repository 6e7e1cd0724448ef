/**
 * The largest and smallest eigenvalue of the rows' second moments XᵀX/m (with a column of ones for the intercept), from which
 * the learning rates follow that are stable and fast. By power iteration: a product with X and one with Xᵀ a step.
 *
 * Source: Golub and Van Loan, "Matrix Computations", section 7.3.
 */
import { compileGraph } from '../../compile/index.js'
import { tensorData, tensorType, type TensorData } from '../../core/shape.js'
import { philox4x32 } from '../../core/random.js'
import type { Engine, EngineBuffer, Executable } from '../../engine/engine.js'
import { trace, type AnyTensor, type NamedType } from '../../graph/index.js'
import { add, divide, matmul, maximum, multiply, sqrt, square, subtract, sum, transpose } from '../../ops/index.js'
import type { FitModel } from './model.js'
import type { ResidentRows } from './rows.js'

export interface Spectrum {
  readonly largest: number
  /** An estimate from above. */
  readonly smallest: number
  /** Mean over columns: the trace divided by their number. */
  readonly mean: number
}

const stepsPerCall = 8
const maxIterations = 512

/** @param precision relative, between one call of the engine and the next; f32 can't tell less than 1e-6 */
export async function findSpectrum(
  model: FitModel,
  rows: ResidentRows,
  engine: Engine,
  precision: number,
): Promise<Spectrum> {
  const { executable, restart } = await prepare(model, rows, engine)
  const { eigenvalue: largest, trace: sumOfAll } = await iterate(executable, precision, maxIterations)
  // λmax - λ instead of λ: what was smallest is largest.
  await restart(largest)
  const { eigenvalue: smallest } = await iterate(executable, precision, maxIterations)
  const numColumns = model.numFeatures + (model.hasIntercept ? 1 : 0)
  return { largest, smallest: Math.max(0, smallest), mean: sumOfAll / numColumns }
}

/**
 * The largest eigenvalue as precisely as the rows' type allows. It is never overestimated by more than that, however few
 * the iterations: what is found is the curvature in some direction.
 */
export async function findLargest(
  model: FitModel,
  rows: ResidentRows,
  engine: Engine,
  iterations = maxIterations,
): Promise<number> {
  const { executable } = await prepare(model, rows, engine)
  return (await iterate(executable, precisionOf(model), Math.min(iterations, maxIterations))).eigenvalue
}

/** What an eigenvalue is known to, relative. */
export function precisionOf({ dtype }: FitModel): number {
  return dtype === 'f64' ? 1e-10 : 1e-6
}

interface PowerIteration {
  readonly executable: Executable
  /** Begins again, with `shift` - λ instead of λ. */
  readonly restart: (shift: number) => Promise<void>
}

async function prepare(model: FitModel, rows: ResidentRows, engine: Engine): Promise<PowerIteration> {
  const { dtype, hasIntercept, numFeatures } = model
  const state = new Map<string, EngineBuffer>()
  const vectors: NamedType[] = [{ name: 'vector', type: tensorType(dtype, [numFeatures, 1]) }]
  if (hasIntercept) vectors.push({ name: 'ones', type: tensorType(dtype, [1]) })
  for (const { name, type } of vectors) state.set(name, engine.allocate(type, startVector(type.dtype, type.shape)))
  state.set('shift', engine.allocate(tensorType(dtype, []), tensorData(dtype, [])))
  for (const [name, buffer] of rows.buffers) if (name.startsWith('features')) state.set(name, buffer)
  const restart = async (shift: number): Promise<void> => {
    await state.get('shift')?.write(tensorData(dtype, [], [shift]))
    for (const { name, type } of vectors) await state.get(name)?.write(startVector(type.dtype, type.shape))
  }
  return { executable: await load(model, rows, vectors, engine, state), restart }
}

function startVector(dtype: TensorData['dtype'], shape: readonly number[]): TensorData {
  const data = tensorData(dtype, shape)
  const words = new Uint32Array(4)
  for (let index = 0; index < data.data.length; index++) {
    philox4x32([1, shape.length], [index, 0, 0, 0], words, 0)
    data.data[index] = words[0] / 2 ** 32 + 0.5
  }
  return data
}

/** State `vector` (and its component on the column of ones); results the Rayleigh quotient and the trace. */
function load(
  { dtype }: FitModel,
  rows: ResidentRows,
  vectors: readonly NamedType[],
  engine: Engine,
  state: ReadonlyMap<string, EngineBuffer>,
): Promise<Executable> {
  const features = rows.types.filter(({ name }) => name.startsWith('features'))
  const inputs = [...vectors, { name: 'shift', type: tensorType(dtype, []) }, ...features]
  const graph = trace('spectrum', inputs, (...tensors) => {
    const parts = tensors.slice(0, vectors.length)
    const shift = tensors[vectors.length]
    const { products, trace: sumOfAll } = secondMoments(tensors.slice(vectors.length + 1), parts, rows.numRows)
    const squares = total(parts.map((part) => sum(square(part))))
    const dots = total(parts.map((part, index) => sum(multiply(part, products[index]) as AnyTensor)))
    const moved = parts.map((part, index) => subtract(multiply(part, shift), products[index]) as AnyTensor)
    const norm = maximum(sqrt(total(moved.map((part) => sum(square(part))))), 1e-30)
    const next = Object.fromEntries(vectors.map(({ name }, index) => [`new ${name}`, divide(moved[index], norm)]))
    return { ...next, quotient: divide(dots, maximum(squares, 1e-30)), trace: sumOfAll }
  })
  const updated = vectors.map(({ name }): [string, string] => [name, `new ${name}`])
  const readOnly = inputs.slice(vectors.length).map(({ name }): [string, undefined] => [name, undefined])
  const compiled = compileGraph(graph, engine, {
    state: Object.fromEntries([...updated, ...readOnly]),
    outputs: ['quotient', 'trace'],
  })
  return engine.load(compiled.program, state)
}

function total(terms: readonly AnyTensor[]): AnyTensor {
  return terms.reduce((left, right) => add(left, right))
}

/** XᵀX v / m, block by block, and the trace of XᵀX / m. */
function secondMoments(
  blocks: readonly AnyTensor[],
  [vector, ones]: readonly AnyTensor[],
  numRows: number,
): { products: AnyTensor[]; trace: AnyTensor } {
  const scores = blocks.map((block): AnyTensor => {
    const product: AnyTensor = matmul(block, vector)
    return ones === undefined ? product : add(product, ones)
  })
  const back = total(blocks.map((block, index): AnyTensor => matmul(transpose(block), scores[index])))
  const products = [divide(back, numRows) as AnyTensor]
  const diagonal: AnyTensor = divide(total(blocks.map((block) => sum(square(block)))), numRows)
  if (ones === undefined) return { products, trace: diagonal }
  const sums = total(scores.map((score): AnyTensor => sum(score, 0)))
  return { products: [...products, divide(sums, numRows) as AnyTensor], trace: add(diagonal, 1) }
}

async function iterate(
  executable: Executable,
  precision: number,
  limit: number,
): Promise<{ eigenvalue: number; trace: number }> {
  let previous = NaN
  for (let done = 0; ; done += stepsPerCall) {
    const { quotient, trace: sumOfAll } = await executable.run({}, { steps: stepsPerCall })
    const eigenvalue = quotient.data[stepsPerCall - 1]
    const isSettled = Math.abs(eigenvalue - previous) <= precision * Math.abs(eigenvalue)
    if (isSettled || done >= limit) return { eigenvalue, trace: sumOfAll.data[0] }
    previous = eigenvalue
  }
}
