/** What is the same along a repeated dimension is computed once, then repeated: on fewer elements, often on one. */
import { binaryOperations, unaryOperations, type ElementwiseOperation } from '../../../core/operations.js'
import { numElements, sameShape, type Shape } from '../../../core/shape.js'
import { producedBy, type Value } from '../../../graph/index.js'
import { splatScalar } from '../constants.js'
import type { Rule, RuleTable } from '../peephole.js'

interface Narrow {
  readonly shape: Shape
  readonly dims: readonly number[]
}

/** f(broadcast(x), broadcast(y)) = broadcast(f(x, y)), where x and y are spread alike or are scalars. */
const narrowElementwise: Rule<ElementwiseOperation> = ({ operation, inputs, attributes }, emitter) => {
  const { shape } = inputs[0].type
  if (shape.length === 0) return undefined
  const narrow = commonNarrow(inputs)
  if (narrow === undefined || numElements(narrow.shape) >= numElements(shape)) return undefined
  const operands = inputs.map((input) => {
    const scalar = splatScalar(input)
    if (scalar === undefined) return producedBy(input, 'broadcastInDim')!.inputs[0]
    return narrow.shape.length === 0
      ? scalar
      : emitter.emit('broadcastInDim', [scalar], { shape: narrow.shape, dims: [] })
  })
  return emitter.emit('broadcastInDim', [emitter.emit(operation, operands, attributes)], { shape, dims: narrow.dims })
}

/** The shape before broadcasting that all operands share, scalars apart; undefined if they don't. */
function commonNarrow(inputs: readonly Value[]): Narrow | undefined {
  let common: Narrow | undefined
  for (const input of inputs) {
    const broadcast = producedBy(input, 'broadcastInDim')
    if (broadcast === undefined) return undefined
    const { shape } = broadcast.inputs[0].type
    const { dims } = broadcast.attributes
    if (shape.length === 0) continue
    if (common !== undefined && !(sameShape(common.shape, shape) && sameShape(common.dims, dims))) return undefined
    common = { shape, dims }
  }
  return common ?? { shape: [], dims: [] }
}

/** A reduction over nothing is nothing; over dimensions of size 1 a reshape; over repeated elements a product. */
const reduce: Rule<'reduce'> = ({ inputs: [x], attributes: { kind, dims } }, emitter) => {
  const shape = x.type.shape.filter((_, dim) => !dims.includes(dim))
  if (dims.every((dim) => x.type.shape[dim] === 1)) return emitter.emit('reshape', [x], { shape })
  const broadcast = producedBy(x, 'broadcastInDim')
  const repeated = broadcast !== undefined && dims.every((dim) => !broadcast.attributes.dims.includes(dim))
  const count = dims.reduce((product, dim) => product * x.type.shape[dim], 1)
  if (!repeated || count === 0 || kind === 'multiply') return undefined
  const [once] = broadcast.inputs
  const total = kind === 'add' ? emitter.emit('multiply', [once, emitter.splat(once.type, count)], {}) : once
  const kept = x.type.shape.map((_, dim) => dim).filter((dim) => !dims.includes(dim))
  return emitter.emit('broadcastInDim', [total], {
    shape,
    dims: broadcast.attributes.dims.map((dim) => kept.indexOf(dim)),
  })
}

export const broadcastRules: RuleTable = {
  ...Object.fromEntries(
    [...unaryOperations, ...binaryOperations, 'select' as const].map((operation) => [operation, [narrowElementwise]]),
  ),
  reduce: [reduce],
}
