/** Derivatives of products and reductions. */
import type { DotGeneralAttributes, OperationAttributes, OperationName } from '../../core/operations.js'
import { numElements, type Shape } from '../../core/shape.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { maxPoolGradient, reduceWindow, sumPoolGradient } from '../../ops/convolution.js'
import { convert, divide, equal, multiply, negate, where } from '../../ops/elementwise.js'
import { concatenate, pad, reshape, slice, transpose } from '../../ops/movement.js'
import { dotGeneral } from '../../ops/products.js'
import { sum } from '../../ops/reductions.js'
import { broadcastTo, full } from '../../ops/lift.js'
import { convolutionRule } from './convolution.js'
import { inversePermutation, notDifferentiable } from './movement.js'
import { simple, type Cotangent, type Rule } from './rule.js'

type Product = Extract<OperationName, 'dotGeneral' | 'convolution' | 'reduce' | 'reduceWindow'>

export const productRules: { readonly [O in Product]: Rule<O> } = {
  // y = a b, summed over the contracting dimensions: dy bᵀ, aᵀ dy
  dotGeneral: simple(({ dy, inputs: [left, right], attributes, wants }) => [
    wants(0) ? gradientByLeft(dy, left, right, attributes) : undefined,
    wants(1) ? gradientByRight(dy, left, right, attributes) : undefined,
  ]),
  convolution: convolutionRule,
  reduce: simple(({ dy, x, y, attributes }) => [gradientOfReduce(dy, x, y, attributes)]),
  reduceWindow: simple(({ dy, x, y, attributes }) => [gradientOfReduceWindow(dy, x, y, attributes)]),
}

function freeDims(shape: Shape, batch: readonly number[], contracting: readonly number[]): number[] {
  return shape.map((_, dim) => dim).filter((dim) => !batch.includes(dim) && !contracting.includes(dim))
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index)
}

/** dy [batch, leftFree, rightFree] by right over rightFree: [batch, leftFree, contracting], put in left's order. */
function gradientByLeft(dy: AnyTensor, left: AnyTensor, right: AnyTensor, attributes: DotGeneralAttributes): AnyTensor {
  const { leftBatch, rightBatch, leftContracting, rightContracting } = attributes
  const leftFree = freeDims(left.shape, leftBatch, leftContracting)
  const rightFree = freeDims(right.shape, rightBatch, rightContracting)
  const result = dotGeneral(convert(dy, right.dtype), right, {
    leftBatch: range(0, leftBatch.length),
    rightBatch,
    leftContracting: range(leftBatch.length + leftFree.length, rightFree.length),
    rightContracting: rightFree,
  })
  return transpose(
    result,
    inversePermutation([...leftBatch, ...leftFree, ...partners(rightContracting, leftContracting)]),
  )
}

/** dy [batch, leftFree, rightFree] by left over leftFree: [batch, rightFree, contracting], put in right's order. */
function gradientByRight(
  dy: AnyTensor,
  left: AnyTensor,
  right: AnyTensor,
  attributes: DotGeneralAttributes,
): AnyTensor {
  const { leftBatch, rightBatch, leftContracting, rightContracting } = attributes
  const leftFree = freeDims(left.shape, leftBatch, leftContracting)
  const rightFree = freeDims(right.shape, rightBatch, rightContracting)
  // Written as leftᵀ dy rather than dyᵀ left: the result is then in the order of most weights, [in, out].
  const result = dotGeneral(left, convert(dy, left.dtype), {
    leftBatch,
    rightBatch: range(0, leftBatch.length),
    leftContracting: leftFree,
    rightContracting: range(leftBatch.length, leftFree.length),
  })
  return transpose(
    result,
    inversePermutation([...rightBatch, ...partners(leftContracting, rightContracting), ...rightFree]),
  )
}

/** A result's contracting dimensions come in the order in which `own` lies in its operand; the other operand's names for them. */
function partners(own: readonly number[], other: readonly number[]): number[] {
  return [...own].sort((a, b) => a - b).map((dim) => other[own.indexOf(dim)])
}

function gradientOfReduce(
  dy: AnyTensor,
  x: AnyTensor,
  y: AnyTensor,
  { kind, dims }: OperationAttributes['reduce'],
): Cotangent {
  const spread = (value: AnyTensor): AnyTensor =>
    broadcastTo(
      reshape(
        value,
        x.shape.map((size, dim) => (dims.includes(dim) ? 1 : size)),
      ),
      x.shape,
    )
  switch (kind) {
    case 'add': // dy for each
      return spread(dy)
    case 'maximum':
    case 'minimum': {
      // dy shared evenly among the elements that are the extreme
      const hits = equal(x, spread(y)) as Tensor<Shape, 'bool'>
      const share = divide(dy, sum(convert(hits, x.dtype), dims))
      return where(hits, spread(share), 0)
    }
    case 'multiply': // dy times the product of all the others
      return multiply(spread(dy), productOfOthers(x, dims))
    case 'and':
    case 'or':
      return undefined
  }
}

/** For each element the product of the others along `dims`: without division, so that zeros need no care in any order. */
function productOfOthers(x: AnyTensor, dims: readonly number[]): AnyTensor {
  const order = [...freeDims(x.shape, dims, []), ...dims]
  const moved = transpose(x, order)
  const numKept = x.rank - dims.length
  const flat = reshape(moved, [...moved.shape.slice(0, numKept), numElements(moved.shape.slice(numKept))])
  return transpose(reshape(othersAlongLast(flat), moved.shape), inversePermutation(order))
}

/** Element i of the first half is paired with element i of the second: others(i) = other pairs' product * partner. */
function othersAlongLast(x: AnyTensor): AnyTensor {
  const last = x.rank - 1
  const size = x.shape[last]
  if (size <= 1) return full(x.shape, 1, x.dtype)
  const half = Math.ceil(size / 2)
  const part = (start: number, limit: number): AnyTensor => {
    const starts = x.shape.map((_, dim) => (dim === last ? start : 0))
    return slice(x, starts, x.shape.map((length, dim) => (dim === last ? limit : length))) // prettier-ignore
  }
  const first = part(0, half)
  const rest = part(half, size)
  const none = x.shape.map(() => 0)
  const second = size % 2 === 0 ? rest : pad(rest, none, none.map((_, dim) => (dim === last ? 1 : 0)), 1) // prettier-ignore
  const others = othersAlongLast(multiply(first, second))
  const joined = concatenate([multiply(others, second), multiply(others, first)], last)
  return size % 2 === 0 ? joined : slice(joined, none, x.shape)
}

function gradientOfReduceWindow(
  dy: AnyTensor,
  x: AnyTensor,
  y: AnyTensor,
  { kind, ...window }: OperationAttributes['reduceWindow'],
): Cotangent {
  if (window.baseDilation.some((n) => n !== 1)) return throughDilation(dy, x, { kind, ...window })
  switch (kind) {
    case 'add': // every element met gets its windows' dy
      return sumPoolGradient(dy, x.shape, window)
    case 'maximum': // the first largest gets it
      return maxPoolGradient(dy, x, y, window)
    case 'minimum':
      return maxPoolGradient(dy, negate(x), negate(y), window)
    default:
      throw notDifferentiable(`reduceWindow of kind ${kind}`)
  }
}

/** With a dilated base: the gradient by the base spread out, of which the real elements are every n-th. */
function throughDilation(dy: AnyTensor, x: AnyTensor, attributes: OperationAttributes['reduceWindow']): Cotangent {
  const neutral = { add: 0, multiply: 1, maximum: -Infinity, minimum: Infinity, and: 1, or: 0 }[attributes.kind]
  const none = x.shape.map(() => 0)
  const spread = pad(
    x,
    none,
    none,
    neutral,
    attributes.baseDilation.map((n) => n - 1),
  )
  const plain = { ...attributes, baseDilation: x.shape.map(() => 1) }
  const gradient = gradientOfReduceWindow(dy, spread, reduceWindow(spread, plain), plain)
  return gradient && slice(gradient, none, spread.shape, attributes.baseDilation)
}
