/**
 * `gather` and `scatter` in StableHLO's general form, by what jax-js has: elements by their coordinates in some dimensions
 * ("indexed" here), all of the others ("free").
 */
import type { GatherAttributes, ReductionKind, ScatterAttributes } from '../../../core/operations.js'
import { numElements, type Shape } from '../../../core/shape.js'
import { isEmpty, type Term } from '../term.js'
import { lowBits } from './integers.js'
import type { Rule, Rules } from './rule.js'

/** Each entry of the index vectors, of the shape of the starts without `indexVectorDim`. */
function indexEntries(starts: Term, indexVectorDim: number, count: number): Term[] {
  if (indexVectorDim === starts.shape.length) return [starts]
  const rest = starts.shape.filter((_, dim) => dim !== indexVectorDim)
  return Array.from({ length: count }, (_, entry) => {
    const from = starts.shape.map((__, dim) => (dim === indexVectorDim ? entry : 0))
    const to = starts.shape.map((size, dim) => (dim === indexVectorDim ? entry + 1 : size))
    return starts.slice(from, to).reshape(rest)
  })
}

/** Windows of a tensor: which dimensions are indexed, and each one's coordinates [...windows, ...window's indexed dims]. */
interface Windows {
  readonly indexed: readonly number[]
  readonly free: readonly number[]
  readonly coordinates: readonly Term[]
}

/**
 * @param extents the window's size in each dimension of the tensor
 * @param startOf the window's start in a dimension, for each window; undefined where it is 0
 */
function windowsOf(
  shape: Shape,
  extents: Shape,
  windowsShape: Shape,
  startOf: (dim: number) => Term | undefined,
): Windows {
  const dims = [...shape.keys()]
  const indexed = dims.filter((dim) => startOf(dim) !== undefined)
  const free = dims.filter((dim) => startOf(dim) === undefined)
  const coordinates = indexed.map((dim, slot) => {
    const start = startOf(dim)! // that is what `indexed` has been filtered by
    const ones = indexed.map(() => 1)
    const base = start.reshape([...windowsShape, ...ones])
    if (extents[dim] === 1) return base
    const steps = start.scope.iota(extents[dim], 'i32').reshape([...windowsShape.map(() => 1), ...ones.with(slot, extents[dim])]) // prettier-ignore
    return base.add(steps)
  })
  return { indexed, free, coordinates }
}

function gather(operand: Term, starts: Term, attributes: GatherAttributes, shape: Shape): Term {
  const { offsetDims, collapsedSliceDims, startIndexMap, indexVectorDim, sliceSizes } = attributes
  const windowsShape = starts.shape.filter((_, dim) => dim !== indexVectorDim)
  const entries = indexEntries(starts, indexVectorDim, startIndexMap.length)
  // A dimension taken whole starts at 0 whatever its index says; one without an index is cut beforehand.
  const cut = operand.slice(operand.shape.map(() => 0), operand.shape.map((size, dim) => (startIndexMap.includes(dim) ? size : sliceSizes[dim]))) // prettier-ignore
  const moved = startIndexMap.filter((dim) => sliceSizes[dim] < operand.shape[dim])
  const startOf = (dim: number): Term | undefined =>
    moved.includes(dim) ? entries[startIndexMap.indexOf(dim)].maximum(0).minimum(operand.shape[dim] - sliceSizes[dim]) : undefined // prettier-ignore
  const { indexed, free, coordinates } = windowsOf(cut.shape, sliceSizes, windowsShape, startOf)
  const taken = takeWindows(cut, indexed, free, coordinates, windowsShape, sliceSizes)
  const axisOf = (dim: number): number => windowsShape.length + [...indexed, ...free].indexOf(dim)
  const kept = [...sliceSizes.keys()].filter((dim) => !collapsedSliceDims.includes(dim))
  let nextWindow = 0
  const order = shape.map((_, dim) => (offsetDims.includes(dim) ? axisOf(kept[offsetDims.indexOf(dim)]) : nextWindow++))
  return taken.transpose([...order, ...collapsedSliceDims.map(axisOf)]).reshape(shape)
}

/** [...windows, ...indexed dimensions' extents, ...free dimensions' extents]. */
function takeWindows(
  operand: Term,
  indexed: readonly number[],
  free: readonly number[],
  coordinates: readonly Term[],
  windowsShape: Shape,
  extents: Shape,
): Term {
  const inFront = operand.transpose([...indexed, ...free])
  const whole = [...windowsShape, ...indexed.map((dim) => extents[dim]), ...free.map((dim) => extents[dim])]
  return indexed.length === 0 ? inFront.broadcastTo(whole) : inFront.gather(coordinates)
}

/** The updates as [windows, free dimensions], where in the operand's indexed dimensions each goes, and where that is. */
interface Updates {
  readonly updates: Term
  readonly coordinates: readonly Term[]
  /** The operand's dimensions, the indexed ones first. */
  readonly order: readonly number[]
  readonly indexed: readonly number[]
}

/** A window that is not wholly inside gets a first coordinate of -1, which is outside too. */
function prepareUpdates(operand: Term, starts: Term, updates: Term, attributes: ScatterAttributes): Updates {
  const { updateWindowDims, insertedWindowDims, scatterDimsToOperandDims, indexVectorDim } = attributes
  const windowsShape = starts.shape.filter((_, dim) => dim !== indexVectorDim)
  const entries = indexEntries(starts, indexVectorDim, scatterDimsToOperandDims.length)
  const kept = [...operand.shape.keys()].filter((dim) => !insertedWindowDims.includes(dim))
  const extents = operand.shape.map((_, dim) => (kept.includes(dim) ? updates.shape[updateWindowDims[kept.indexOf(dim)]] : 1)) // prettier-ignore
  const startOf = (dim: number): Term | undefined => {
    const entry = scatterDimsToOperandDims.indexOf(dim)
    if (entry >= 0) return entries[entry]
    return extents[dim] === operand.shape[dim] ? undefined : starts.scope.full(windowsShape, 0, 'i32')
  }
  const { indexed, free, coordinates } = windowsOf(operand.shape, extents, windowsShape, startOf)
  const isInside = scatterDimsToOperandDims.map((dim, entry) => {
    const isEarly = entries[entry].lessThan(0)
    return isEarly.or(entries[entry].greaterThan(operand.shape[dim] - extents[dim])).xor(1)
  })
  const inside = isInside.reduce((all, each) => all.and(each)).reshape([...windowsShape, ...indexed.map(() => 1)])
  const windowDims = [...updates.shape.keys()].filter((dim) => !updateWindowDims.includes(dim))
  const expanded = updates.transpose([...windowDims, ...[...indexed, ...free].filter((dim) => kept.includes(dim)).map((dim) => updateWindowDims[kept.indexOf(dim)])]) // prettier-ignore
  const indexShape = [...windowsShape, ...indexed.map((dim) => extents[dim])]
  const count = numElements(indexShape)
  const flat = (coordinate: Term, slot: number): Term =>
    (slot === 0 ? inside.choose(coordinate, -1) : coordinate).broadcastTo(indexShape).reshape([count])
  return {
    updates: expanded.reshape([count, ...free.map((dim) => operand.shape[dim])]),
    coordinates: coordinates.map(flat),
    order: [...indexed, ...free],
    indexed,
  }
}

function scatter(operand: Term, starts: Term, given: Term, attributes: ScatterAttributes): Term {
  const { updates, coordinates, order, indexed } = prepareUpdates(operand, starts, given, attributes)
  const target = operand.transpose(order)
  const result =
    attributes.kind === 'add' && operand.dtype !== 'bool'
      ? target.add(target.scatterSum(coordinates, updates))
      : scatterBySearch(target, coordinates, updates, attributes.kind, indexed.length)
  return lowBits(result).transpose(order.map((_, dim) => order.indexOf(dim)))
}

/**
 * jax-js scatters sums alone. All other kinds look, for each place, through all updates for those that go there: work for
 * each pair of place and update, in one kernel without memory of its own.
 */
function scatterBySearch(
  target: Term,
  coordinates: readonly Term[],
  updates: Term,
  kind: ScatterAttributes['kind'],
  numIndexed: number,
): Term {
  const [places, free] = [target.shape.slice(0, numIndexed), target.shape.slice(numIndexed)]
  const [count, numPlaces] = [updates.shape[0], numElements(places)]
  const outside = coordinates.map((coordinate, dim) =>
    coordinate.lessThan(0).or(coordinate.lessThan(places[dim]).xor(1)),
  )
  const place = coordinates.reduce((sum, coordinate, dim) => sum.multiply(places[dim]).add(coordinate))
  const destination = outside.reduce((any, each) => any.or(each)).choose(-1, place)
  const rows = target.reshape([numPlaces, ...free])
  const goesThere = destination.reshape([1, count]).equals(target.scope.iota(numPlaces, 'i32').reshape([numPlaces, 1]))
  const result =
    kind === 'replace' ? replaceByLast(rows, goesThere, updates) : combineAll(rows, goesThere, updates, kind)
  return result.reshape(target.shape)
}

/** @param goesThere [places, updates] */
function replaceByLast(rows: Term, goesThere: Term, updates: Term): Term {
  const [numPlaces, count] = goesThere.shape
  const free = rows.shape.slice(1).map(() => 1)
  const last = goesThere.choose(rows.scope.iota(count, 'i32').reshape([1, count]), -1).reduce('maximum', 1)
  const replaced = updates.gather([last.maximum(0)])
  return last
    .lessThan(0)
    .reshape([numPlaces, ...free])
    .choose(rows, replaced)
}

function combineAll(rows: Term, goesThere: Term, updates: Term, kind: ReductionKind): Term {
  const [numPlaces, count] = goesThere.shape
  const free = rows.shape.slice(1)
  const isBool = rows.dtype === 'bool'
  const numbers = (isBool ? updates.as('i32') : updates).reshape([1, count, ...free])
  const before = isBool ? rows.as('i32') : rows
  const pairs = goesThere.reshape([numPlaces, count, ...free.map(() => 1)])
  const reduction = { add: 'maximum', multiply: 'multiply', maximum: 'maximum', minimum: 'minimum', and: 'minimum', or: 'maximum' } as const // prettier-ignore
  // A place that no update goes to is filled with its own value, of which one is enough: except for products.
  const filler = kind === 'multiply' ? 1 : before.reshape([numPlaces, 1, ...free])
  const combined = pairs.choose(numbers, filler).reduce(reduction[kind], 1)
  const result = combineTwo(before, combined, reduction[kind])
  return isBool ? result.notEquals(0) : result
}

function combineTwo(x: Term, y: Term, kind: 'multiply' | 'maximum' | 'minimum'): Term {
  if (kind === 'multiply') return x.multiply(y)
  return kind === 'maximum' ? x.maximum(y) : x.minimum(y)
}

const gatherRule: Rule<'gather'> = ([operand, starts], attributes, { results: [{ shape }] }) =>
  gather(operand, starts, attributes, shape)

const scatterRule: Rule<'scatter'> = ([operand, starts, updates], attributes) =>
  isEmpty(updates) ? operand : scatter(operand, starts, updates, attributes)

export const indexingRules: Rules<'gather' | 'scatter'> = { gather: gatherRule, scatter: scatterRule }
