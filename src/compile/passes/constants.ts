/** Constants and repeated scalars: reading them out of a graph, and repeating one. */
import { numberAt, type Shape } from '../../core/shape.js'
import { producedBy, type GraphBuilder, type Value } from '../../graph/index.js'

/** The number that a value is everywhere, if it is a constant of that kind (a scalar, or one repeated). */
export function splatNumber(value: Value): number | undefined {
  const scalar = splatScalar(value)
  const constant = scalar && producedBy(scalar, 'constant')
  return constant === undefined ? undefined : numberAt(constant.attributes.value, 0)
}

/** The scalar that a value repeats, if it does; a scalar repeats itself. */
export function splatScalar(value: Value): Value | undefined {
  if (value.type.shape.length === 0) return value
  const broadcast = producedBy(value, 'broadcastInDim')
  return broadcast !== undefined && broadcast.inputs[0].type.shape.length === 0 ? broadcast.inputs[0] : undefined
}

/** A scalar as a tensor that repeats it. */
export function repeatScalar(scalar: Value, shape: Shape, builder: GraphBuilder): Value {
  return shape.length === 0 ? scalar : builder.add('broadcastInDim', [scalar], { shape, dims: [] })[0]
}
