/**
 * Gradients against finite differences, in double precision on the reference engine.
 *
 * The function that is differentiated is scalar: each result `r` counts as `sum(w r + v r² / 2)` with fixed random
 * weights `w` and `v`. The square makes the cotangent depend on the operands, without which a second derivative would
 * never go through a rule by way of the cotangent.
 */
import assert from 'node:assert/strict'
import { gradients } from '../../../src/autodiff/index.js'
import { isFloat } from '../../../src/core/dtype.js'
import { numElements, type Shape, type TensorData } from '../../../src/core/shape.js'
import { createReferenceEngine } from '../../../src/engine/reference/index.js'
import { trace, type AnyTensor, type Graph } from '../../../src/graph/index.js'
import { add, constantOf, multiply, sum, zeros } from '../../../src/ops/index.js'
import { randomTensor } from '../../engines/support/data.js'
import { evaluate, named } from '../../engines/support/evaluate.js'
import { lower } from '../../engines/support/lower.js'

export type Body = (...operands: AnyTensor[]) => AnyTensor | readonly AnyTensor[]

export interface GradientCase {
  readonly what: string
  /** Those that are floats are f64, and differentiated by. */
  readonly operands: readonly TensorData[]
  readonly body: Body
  /** Operands that count as constants, where the derivative by them is not defined. */
  readonly fixed?: readonly number[]
}

export const reference = createReferenceEngine()

const step = 1e-5
/** Of the largest derivative, or of 1. */
const tolerance = 1e-6
/** Of each operand, evenly spread; a direction through all elements stands for the others. */
const mostElements = 12

type Scalar = (operands: readonly AnyTensor[]) => AnyTensor

function weights(name: string, shape: Shape): AnyTensor {
  return constantOf(randomTensor(name, { dtype: 'f64', shape }, { least: 0.5, most: 2 }))
}

/** sum(w r + v r² / 2) over all results; a linear sum where `isLinear`. */
function scalarOf(body: Body, isLinear = false): Scalar {
  return (operands) => {
    const results = [body(...operands)].flat() as AnyTensor[]
    return results.reduce(
      (total: AnyTensor, result, index) => {
        const slope = weights(`slope ${index}`, result.shape)
        const bend = multiply(multiply(weights(`bend ${index}`, result.shape), result), 0.5)
        return add(total, sum(multiply(result, isLinear ? slope : add(slope, bend)) as AnyTensor))
      },
      zeros([], 'f64') as AnyTensor,
    )
  }
}

function differentiated({ operands, fixed = [] }: GradientCase): number[] {
  return [...operands.keys()].filter((index) => isFloat(operands[index].dtype) && !fixed.includes(index))
}

function traceCase(operands: readonly TensorData[], body: (xs: readonly AnyTensor[]) => readonly AnyTensor[]): Graph {
  const inputs = operands.map(({ dtype, shape }, index) => ({ name: `x${index}`, type: { dtype, shape } }))
  return trace('case', inputs, (...xs) => Object.fromEntries(body(xs).map((y, index) => [`y${index}`, y])))
}

/** The gradient of a case's scalar by each operand that is differentiated by. */
export async function gradientOf(gradientCase: GradientCase): Promise<TensorData[]> {
  return gradientBy(scalarOf(gradientCase.body), gradientCase)
}

async function gradientBy(scalar: Scalar, gradientCase: GradientCase): Promise<TensorData[]> {
  const { operands } = gradientCase
  const by = differentiated(gradientCase)
  const graph = traceCase(operands, (xs) => gradients(scalar(xs), by.map((index) => xs[index]))) // prettier-ignore
  return evaluate(reference, graph, operands)
}

/** Asserts that first and second derivatives are what finite differences of the value, and of the first, say. */
export async function assertGradients(gradientCase: GradientCase): Promise<void> {
  const first = scalarOf(gradientCase.body)
  await assertGradient('first derivative', first, gradientCase)
  const by = differentiated(gradientCase)
  const second = scalarOf((...xs) => gradients(first(xs), by.map((index) => xs[index])), true) // prettier-ignore
  await assertGradient('second derivative', second, gradientCase)
}

async function assertGradient(order: string, scalar: Scalar, gradientCase: GradientCase): Promise<void> {
  const { operands, what } = gradientCase
  const graph = traceCase(operands, (xs) => [scalar(xs)])
  const executable = await reference.load(lower(graph, reference), new Map())
  const valueAt = async (moved: readonly TensorData[]): Promise<number> =>
    (await executable.run(named(moved))).y0.data[0]
  const by = differentiated(gradientCase)
  const actual = await gradientBy(scalar, gradientCase)
  assert.ok(Number.isFinite(await valueAt(operands)), `${what}: the value of the ${order} is finite`)
  const found = actual.flatMap(({ data }) => [...data])
  const largest = found.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
  const compare = async (derivative: number, directions: readonly Float64Array[], place: string): Promise<void> => {
    const ahead = await valueAt(move(operands, by, directions, step))
    const behind = await valueAt(move(operands, by, directions, -step))
    const expected = (ahead - behind) / (2 * step)
    const isNear = Math.abs(derivative - expected) <= tolerance * largest
    assert.ok(isNear, `${what}, ${order} ${place}: ${derivative}, by differences ${expected}`)
  }
  for (const [nth, index] of by.entries()) {
    const count = numElements(operands[index].shape)
    assert.deepEqual(actual[nth].shape, operands[index].shape, `${what}, ${order} by operand ${index}: shape`)
    for (let i = 0; i < count; i += Math.ceil(count / mostElements)) {
      const directions = by.map((other) => new Float64Array(numElements(operands[other].shape)))
      directions[nth][i] = 1
      await compare(actual[nth].data[i], directions, `by element ${i} of operand ${index}`)
    }
  }
  const directions = by.map((index) => randomTensor(`direction ${index}`, operands[index], { least: -0.3, most: 0.3 }).data as Float64Array) // prettier-ignore
  const along = actual.reduce((total, { data }, nth) => total + inner(data as Float64Array, directions[nth]), 0)
  await compare(along, directions, 'along a random direction')
}

function inner(a: Float64Array, b: Float64Array): number {
  return a.reduce((total, x, i) => total + x * b[i], 0)
}

function move(
  operands: readonly TensorData[],
  by: readonly number[],
  directions: readonly Float64Array[],
  distance: number,
): TensorData[] {
  return operands.map((operand, index): TensorData => {
    const direction = directions[by.indexOf(index)]
    if (direction === undefined) return operand
    return { ...operand, data: (operand.data as Float64Array).map((x, i) => x + distance * direction[i]) }
  })
}
