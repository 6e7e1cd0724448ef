/** `reduce` and `reduceWindow`. Both go dimension by dimension, since how their values are combined is associative. */
import { isFloat, type DType } from '../../../core/dtype.js'
import type { ReductionKind } from '../../../core/operations.js'
import type { Shape } from '../../../core/shape.js'
import { isEmpty, type Reduction, type Term } from '../term.js'
import { padWith, stridedSlice } from './movement.js'
import { lowBits } from './integers.js'
import type { Rule, Rules } from './rule.js'

/** Least and most of each integer type. */
const integerRange = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  u8: [0, 255],
  bool: [0, 1],
} as const

/** What a reduction of nothing gives. */
function identity(kind: ReductionKind, dtype: DType): number {
  const [least, most] = isFloat(dtype) ? [-Infinity, Infinity] : integerRange[dtype]
  const identities: { readonly [K in ReductionKind]: number } = {
    add: 0,
    multiply: 1,
    maximum: least,
    minimum: most,
    and: 1,
    or: 0,
  }
  return identities[kind]
}

/** Of booleans, kept as 0 and 1, `and` is the least and `or` the most. */
const reductionOf: { readonly [K in ReductionKind]: Reduction } = {
  add: 'add',
  multiply: 'multiply',
  maximum: 'maximum',
  minimum: 'minimum',
  and: 'minimum',
  or: 'maximum',
}

/** The longest run of floats added one after the other: their errors grow with its length. */
const longestSum = 512

/** Reduces one dimension; a long sum of floats as a sum of sums, so that its error stays that of short ones. */
export function reduceDim(x: Term, kind: Reduction, dim: number): Term {
  const size = x.shape[dim]
  if (x.dtype !== 'f32' || kind !== 'add' || size <= longestSum) return x.reduce(kind, dim)
  const [before, after] = [x.shape.slice(0, dim), x.shape.slice(dim + 1)]
  const block = blockSize(size)
  const numBlocks = Math.floor(size / block)
  const part = (start: number, end: number): Term =>
    x.slice([...before.map(() => 0), start, ...after.map(() => 0)], [...before, end, ...after]) // prettier-ignore
  const blocks = part(0, numBlocks * block).reshape([...before, numBlocks, block, ...after])
  const sum = reduceDim(blocks.reduce(kind, dim + 1), kind, dim)
  return numBlocks * block === size ? sum : sum.add(part(numBlocks * block, size).reduce(kind, dim))
}

/** A divisor of `size` from a sixteenth of the longest sum on, if there is one: then no rest is left over. */
function blockSize(size: number): number {
  for (let block = longestSum; block >= longestSum / 16; block--) if (size % block === 0) return block
  return longestSum
}

/** Neighbouring dimensions are reduced as one. */
export function reduceDims(x: Term, kind: Reduction, dims: readonly number[]): Term {
  const sorted = [...dims].sort((a, b) => a - b)
  const last = sorted.at(-1)
  if (last === undefined) return x
  let first = last
  while (sorted.includes(first - 1)) first--
  const size = x.shape.slice(first, last + 1).reduce((a, b) => a * b, 1)
  const merged = x.reshape([...x.shape.slice(0, first), size, ...x.shape.slice(last + 1)])
  return reduceDims(reduceDim(merged, kind, first), kind, sorted.filter((dim) => dim < first)) // prettier-ignore
}

/** jax-js vectorises reductions of booleans as if they were floats, so they go as integers. */
function asNumbers(x: Term, f: (x: Term) => Term): Term {
  return x.dtype === 'bool' ? f(x.as('i32')).notEquals(0) : lowBits(f(x))
}

const reduce: Rule<'reduce'> = ([operand], { kind, dims }, { scope, results: [{ shape }] }) => {
  if (isEmpty(operand)) return scope.full(shape, identity(kind, operand.dtype), operand.dtype)
  return asNumbers(operand, (x) => reduceDims(x, reductionOf[kind], dims))
}

interface Window {
  readonly size: number
  readonly stride: number
  readonly dilation: number
}

/** Windows along one dimension of padded values: blocks where they lie side by side, otherwise as many slices as a window has elements. */
function reduceWindowDim(
  x: Term,
  kind: Reduction,
  dim: number,
  { size, stride, dilation }: Window,
  count: number,
): Term {
  if (size === 1 && stride === 1) return x
  const [before, after] = [x.shape.slice(0, dim), x.shape.slice(dim + 1)]
  const zeros = x.shape.map(() => 0)
  if (size === stride && dilation === 1) {
    const used = x.slice(zeros, [...before, count * size, ...after])
    return reduceDim(used.reshape([...before, count, size, ...after]), kind, dim + 1)
  }
  const elements = Array.from(
    { length: size },
    (_, k) =>
    stridedSlice(x, zeros.with(dim, k * dilation), [...before, count, ...after], zeros.map((__, d) => (d === dim ? stride : 1))), // prettier-ignore
  )
  return elements.reduce((sum, element) => combine(kind, sum, element))
}

function combine(kind: Reduction, x: Term, y: Term): Term {
  const combined = { add: () => x.add(y), multiply: () => x.multiply(y), maximum: () => x.maximum(y), minimum: () => x.minimum(y) } // prettier-ignore
  return combined[kind]()
}

const reduceWindow: Rule<'reduceWindow'> = ([operand], attributes, { results: [{ shape }] }) => {
  const { kind, window, strides, padding, baseDilation, windowDilation } = attributes
  const [low, high] = [padding.map(([before]) => before), padding.map(([, behind]) => behind)]
  const interior = baseDilation.map((dilation) => dilation - 1)
  return asNumbers(operand, (x) => {
    const spread = x.shape.map((size, dim) => (size === 0 ? 0 : (size - 1) * baseDilation[dim] + 1))
    const paddedShape: Shape = spread.map((size, dim) => size + low[dim] + high[dim])
    const filler = x.scope.full([], identity(kind, operand.dtype), x.dtype)
    const padded = padWith(x, filler, { low, high, interior }, paddedShape)
    return shape.reduce((reduced, count, dim) => {
      const along = { size: window[dim], stride: strides[dim], dilation: windowDilation[dim] }
      return reduceWindowDim(reduced, reductionOf[kind], dim, along, count)
    }, padded)
  })
}

export const reductionRules: Rules<'reduce' | 'reduceWindow'> = { reduce, reduceWindow }
