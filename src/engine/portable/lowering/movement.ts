/** Operations that move elements without changing them. jax-js has them without steps, negative or interior padding. */
import { contiguousStrides, numElements, type Shape } from '../../../core/shape.js'
import { isEmpty, isFilledWith, type Scope, type Term } from '../term.js'
import type { Rule, Rules } from './rule.js'

type MovementOperation = 'broadcastInDim' | 'reshape' | 'transpose' | 'slice' | 'concatenate' | 'pad' | 'reverse'

/**
 * The operand's dimensions put in the result's order, with sizes of 1 between them; then NumPy's broadcasting. What is
 * repeated is stored first: `jit` would compute it again for each of the result's elements.
 */
const broadcastInDim: Rule<'broadcastInDim'> = ([operand], { shape, dims }) => {
  const order = [...dims.keys()].sort((a, b) => dims[a] - dims[b])
  const sizes = shape.map((_, dim) => (dims.includes(dim) ? operand.shape[dims.indexOf(dim)] : 1))
  const isRepeated = numElements(operand.shape) < numElements(shape) && operand.knowledge.isInline === true
  return (isRepeated ? operand.stored() : operand).transpose(order).reshape(sizes).broadcastTo(shape)
}

/** Every `step`-th element of one dimension, from `start`, `count` of them: rows of `step` whose first column is kept. */
function stepThrough(x: Term, dim: number, start: number, count: number, step: number): Term {
  const from = x.shape.map((_, d) => (d === dim ? start : 0))
  const end = step === 1 ? start + count : Math.min(x.shape[dim], start + count * step)
  const cut = x.slice(from, x.shape.map((size, d) => (d === dim ? end : size))) // prettier-ignore
  if (step === 1) return cut
  const none = x.shape.map(() => 0)
  const padded = cut.pad(none, x.shape.map((_, d) => (d === dim ? start + count * step - end : 0))) // prettier-ignore
  const [before, after] = [x.shape.slice(0, dim), x.shape.slice(dim + 1)]
  const rows = padded.reshape([...before, count, step, ...after])
  const firsts = rows.slice(rows.shape.map(() => 0), [...before, count, 1, ...after]) // prettier-ignore
  return firsts.reshape([...before, count, ...after])
}

/** StableHLO's slice: `counts[d]` elements of each dimension, from `starts[d]` by steps of `steps[d]`. */
export function stridedSlice(
  x: Term,
  starts: readonly number[],
  counts: readonly number[],
  steps: readonly number[],
): Term {
  return x.shape.reduce(
    (term, size, dim) =>
      starts[dim] === 0 && counts[dim] === size ? term : stepThrough(term, dim, starts[dim], counts[dim], steps[dim]),
    x,
  )
}

const slice: Rule<'slice'> = ([operand], { starts, strides }, { results: [{ shape }] }) =>
  stridedSlice(operand, starts, shape, strides)

const concatenate: Rule<'concatenate'> = (operands, { dim }, { scope }) =>
  scope.concatenate(
    operands.filter((operand) => !isEmpty(operand)),
    dim,
  )

/** Puts `count` zeros between the elements of a dimension: as columns after each, the last ones cut off. */
function spread(x: Term, dim: number, count: number): Term {
  if (count === 0 || x.shape[dim] <= 1) return x
  const [before, size, after] = [x.shape.slice(0, dim), x.shape[dim], x.shape.slice(dim + 1)]
  const column = x.reshape([...before, size, 1, ...after])
  const none = column.shape.map(() => 0)
  const rows = column.pad(none, none.map((_, d) => (d === dim + 1 ? count : 0))) // prettier-ignore
  const line = rows.reshape([...before, size * (count + 1), ...after])
  return line.slice(line.shape.map(() => 0), [...before, size + (size - 1) * count, ...after]) // prettier-ignore
}

export interface Padding {
  readonly low: readonly number[]
  readonly high: readonly number[]
  readonly interior: readonly number[]
}

/** StableHLO's pad with zeros. Neither operand nor result may be empty. */
export function padWithZeros(x: Term, { low, high, interior }: Padding): Term {
  const dilated = interior.reduce((term, count, dim) => spread(term, dim, count), x)
  const cut = dilated.slice(
    low.map((count, dim) => Math.min(Math.max(-count, 0), dilated.shape[dim])),
    high.map((count, dim) => dilated.shape[dim] - Math.max(-count, 0)),
  )
  return cut.pad(
    low.map((count) => Math.max(count, 0)),
    high.map((count) => Math.max(count, 0)),
  )
}

/** For each dimension that is padded, where the operand's elements lie along it. */
function insideMasks(operand: Shape, result: Shape, { low, interior }: Padding, scope: Scope): Term[] {
  return result.flatMap((size, dim) => {
    const step = interior[dim] + 1
    const isInside = (index: number): boolean => {
      const place = (index - low[dim]) / step
      return Number.isInteger(place) && place >= 0 && place < operand[dim]
    }
    const mask = Int32Array.from({ length: size }, (_, index) => Number(isInside(index)))
    if (mask.every((inside) => inside === 1)) return []
    return [scope.vector(mask, 'bool').reshape(result.map((_, d) => (d === dim ? size : 1)))]
  })
}

/** Pads with what `value` holds, which is a scalar: with zeros, replaced where the operand isn't. */
export function padWith(x: Term, value: Term, padding: Padding, shape: Shape): Term {
  if (isEmpty(x)) return value.broadcastTo(shape)
  const padded = padWithZeros(x, padding)
  if (isFilledWith(value, 0)) return padded
  const masks = insideMasks(x.shape, shape, padding, x.scope)
  if (masks.length === 0) return padded
  return masks.reduce((all, mask) => all.and(mask)).choose(padded, value)
}

const pad: Rule<'pad'> = ([operand, value], padding, { results: [{ shape }] }) =>
  padWith(operand, value, padding, shape)

/**
 * What a strided walk over a row-major array sees: `shape`, `strides` and `offset` in elements. Dimensions that repeat are
 * broadcast; the others, from the widest stride on, split the array into rows of a stride each, of which as much is kept
 * as the next dimension walks over. Walks that overlap themselves go by index.
 */
export function stridedView(x: Term, shape: Shape, strides: readonly number[], offset: number): Term {
  const isRepeated = shape.map((size, dim) => strides[dim] === 0 || size === 1)
  const walked = [...shape.keys()].filter((dim) => !isRepeated[dim]).sort((a, b) => strides[b] - strides[a])
  const isNested = walked.every((dim, i) => i === 0 || shape[dim] * strides[dim] <= strides[walked[i - 1]])
  const forward = walked.every((dim) => strides[dim] > 0)
  const flat = x.reshape([numElements(x.shape)])
  if (!isNested || !forward) return viewByIndex(flat, shape, strides, offset)
  const elements = splitIntoRows(flat, walked.map((dim) => shape[dim]), walked.map((dim) => strides[dim]), offset) // prettier-ignore
  const inOrder = [...walked.keys()].sort((a, b) => walked[a] - walked[b])
  return elements
    .transpose(inOrder)
    .reshape(shape.map((size, dim) => (isRepeated[dim] ? 1 : size)))
    .broadcastTo(shape)
}

function splitIntoRows(flat: Term, sizes: readonly number[], strides: readonly number[], offset: number): Term {
  const [size] = flat.shape
  const length = sizes.length === 0 ? 1 : sizes[0] * strides[0]
  const end = Math.min(size, offset + length)
  let rows = flat.slice([offset], [end]).pad([0], [offset + length - end])
  sizes.forEach((count, level) => {
    const outer = sizes.slice(0, level)
    const split = rows.reshape([...outer, count, strides[level]])
    const kept = level + 1 < sizes.length ? sizes[level + 1] * strides[level + 1] : 1
    rows = split.slice(split.shape.map(() => 0), [...outer, count, kept]) // prettier-ignore
  })
  return rows.reshape(sizes)
}

function viewByIndex(flat: Term, shape: Shape, strides: readonly number[], offset: number): Term {
  const natural = contiguousStrides(shape)
  const places = Int32Array.from({ length: numElements(shape) }, (_, i) =>
    shape.reduce((sum, size, dim) => sum + (Math.floor(i / natural[dim]) % size) * strides[dim], offset),
  )
  return flat.gather([flat.scope.vector(places, 'i32').reshape(shape)])
}

export const movementRules: Rules<MovementOperation> = {
  broadcastInDim,
  reshape: ([operand], { shape }) => operand.reshape(shape),
  transpose: ([operand], { permutation }) => operand.transpose(permutation),
  slice,
  concatenate,
  pad,
  reverse: ([operand], { dims }) => operand.reverse(dims),
}
