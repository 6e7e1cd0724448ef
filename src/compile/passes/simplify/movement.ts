/** Movements of elements that cancel, combine, or move nothing. */
import { dtypes } from '../../../core/dtype.js'
import { numElements, sameShape, type Shape } from '../../../core/shape.js'
import { inferTypes, producedBy } from '../../../graph/index.js'
import { splatScalar } from '../constants.js'
import type { Candidate, Emitter, Rule, RuleTable } from '../peephole.js'
import type { Value } from '../../../graph/index.js'

type Movement = 'reshape' | 'transpose' | 'slice' | 'reverse'

/** Whatever is done to one number repeated, it is that number repeated. */
function splat({ operation, inputs, attributes }: Candidate<Movement>, emitter: Emitter): Value | undefined {
  const scalar = splatScalar(inputs[0])
  if (scalar === undefined) return undefined
  const [{ shape }] = inferTypes(operation, [inputs[0].type], attributes as never, undefined)
  if (shape.length === 0) return scalar
  return scalar === inputs[0] ? undefined : emitter.emit('broadcastInDim', [scalar], { shape, dims: [] })
}

/** Widening goes after a reshape, to whoever needs it. */
const reshape: Rule<'reshape'> = ({ inputs: [x], attributes: { shape } }, emitter) => {
  if (sameShape(x.type.shape, shape)) return x
  const inner = producedBy(x, 'reshape')
  if (inner) return emitter.emit('reshape', inner.inputs, { shape })
  const widened = producedBy(x, 'convert')
  const isWidened = widened && dtypes[widened.inputs[0].type.dtype].sizeBytes < dtypes[x.type.dtype].sizeBytes
  return isWidened
    ? emitter.emit('convert', [emitter.emit('reshape', widened.inputs, { shape })], { dtype: x.type.dtype })
    : undefined
}

/** Two transpositions are one; one that moves only dimensions of size 1 is a reshape, which costs nothing. */
const transpose: Rule<'transpose'> = ({ inputs: [x], attributes: { permutation } }, emitter) => {
  if (permutation.every((from, dim) => from === dim)) return x
  const inner = producedBy(x, 'transpose')
  if (inner)
    return emitter.emit('transpose', inner.inputs, {
      permutation: permutation.map((dim) => inner.attributes.permutation[dim]),
    })
  const large = permutation.filter((dim) => x.type.shape[dim] !== 1)
  if (large.every((dim, index) => index === 0 || large[index - 1] < dim)) {
    return emitter.emit('reshape', [x], { shape: permutation.map((dim) => x.type.shape[dim]) })
  }
  const broadcast = producedBy(x, 'broadcastInDim')
  if (broadcast === undefined) return undefined
  const dims = broadcast.attributes.dims.map((dim) => permutation.indexOf(dim))
  if (!isIncreasing(dims)) return undefined
  return emitter.emit('broadcastInDim', broadcast.inputs, { shape: permutation.map((dim) => x.type.shape[dim]), dims })
}

/** A slice of everything is nothing; a slice of a slice is one; a slice of one piece of a concatenation is of the piece. */
const slice: Rule<'slice'> = ({ inputs: [x], attributes: { starts, limits, strides } }, emitter) => {
  const { shape } = x.type
  if (shape.every((size, dim) => starts[dim] === 0 && limits[dim] === size && strides[dim] === 1)) return x
  const inner = producedBy(x, 'slice')
  if (inner) return emitter.emit('slice', inner.inputs, combineSlices(inner.attributes, { starts, limits, strides }))
  return sliceOfConcatenation(x, { starts, limits, strides }, emitter)
}

type Bounds = Candidate<'slice'>['attributes']

/** The last element taken is what counts for the limit: one stride further may lie outside. */
function combineSlices(inner: Bounds, outer: Bounds): Bounds {
  const isEmpty = outer.starts.map((start, dim) => start === outer.limits[dim])
  const place = (index: number, dim: number): number => inner.starts[dim] + index * inner.strides[dim]
  return {
    starts: outer.starts.map((start, dim) => (isEmpty[dim] ? 0 : place(start, dim))),
    limits: outer.limits.map((limit, dim) => (isEmpty[dim] ? 0 : place(limit - 1, dim) + 1)),
    strides: outer.strides.map((stride, dim) => stride * inner.strides[dim]),
  }
}

function sliceOfConcatenation(x: Value, { starts, limits, strides }: Bounds, emitter: Emitter): Value | undefined {
  const joined = producedBy(x, 'concatenate')
  if (joined === undefined) return undefined
  const { dim } = joined.attributes
  let begin = 0
  for (const piece of joined.inputs) {
    const end = begin + piece.type.shape[dim]
    if (starts[dim] >= begin && limits[dim] <= end) {
      const shift = (bounds: readonly number[]): number[] =>
        bounds.map((bound, d) => (d === dim ? bound - begin : bound))
      return emitter.emit('slice', [piece], { starts: shift(starts), limits: shift(limits), strides })
    }
    begin = end
  }
  return undefined
}

const reverse: Rule<'reverse'> = ({ inputs: [x], attributes: { dims } }) => {
  if (dims.every((dim) => x.type.shape[dim] === 1)) return x
  const inner = producedBy(x, 'reverse')
  return inner && sameShape([...dims].sort(), [...inner.attributes.dims].sort()) ? inner.inputs[0] : undefined
}

const concatenate: Rule<'concatenate'> = ({ inputs, attributes }, emitter) => {
  if (inputs.length === 1) return inputs[0]
  const filled = inputs.filter(({ type }) => type.shape[attributes.dim] !== 0)
  return filled.length > 0 && filled.length < inputs.length
    ? emitter.emit('concatenate', filled, attributes)
    : undefined
}

const pad: Rule<'pad'> = ({ inputs: [x], attributes: { low, high, interior } }) =>
  x.type.shape.every((_, dim) => low[dim] === 0 && high[dim] === 0 && interior[dim] === 0) ? x : undefined

/** The normal form of a broadcast has an operand without dimensions of size 1, and repeats something. */
const broadcastInDim: Rule<'broadcastInDim'> = ({ inputs: [x], attributes: { shape, dims } }, emitter) => {
  if (numElements(x.type.shape) === numElements(shape) && isIncreasing(dims))
    return emitter.emit('reshape', [x], { shape })
  const index = producedBy(x, 'iota')
  if (index) return emitter.emit('iota', [], { type: { dtype: x.type.dtype, shape }, dim: dims[index.attributes.dim] })
  const inner = producedBy(x, 'broadcastInDim')
  if (inner)
    return emitter.emit('broadcastInDim', inner.inputs, { shape, dims: inner.attributes.dims.map((dim) => dims[dim]) })
  if (!x.type.shape.includes(1)) return undefined
  const kept = dims.map((_, index) => index).filter((index) => x.type.shape[index] !== 1)
  const squeezed: Shape = kept.map((index) => x.type.shape[index])
  return emitter.emit('broadcastInDim', [emitter.emit('reshape', [x], { shape: squeezed })], {
    shape,
    dims: kept.map((index) => dims[index]),
  })
}

function isIncreasing(dims: readonly number[]): boolean {
  return dims.every((dim, index) => index === 0 || dims[index - 1] < dim)
}

export const movementRules: RuleTable = {
  reshape: [splat, reshape],
  transpose: [splat, transpose],
  slice: [splat, slice],
  reverse: [splat, reverse],
  concatenate: [concatenate],
  pad: [pad],
  broadcastInDim: [broadcastInDim],
}
