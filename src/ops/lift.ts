/** From what users write (numbers, tensors of several shapes) to what the graph takes (values of one type). */
import { dtypes, toBFloat16Bits, type DType } from '../core/dtype.js'
import type { OperationAttributes, OperationName } from '../core/operations.js'
import { broadcastShapes, formatType, sameShape, type Shape } from '../core/shape.js'
import { TalwegError } from '../core/errors.js'
import { GraphBuilder } from '../graph/builder.js'
import type { Graph, Value } from '../graph/graph.js'
import { currentPlace } from '../graph/location.js'
import { Tensor, type AnyTensor } from '../graph/tensor.js'
import { currentBuilder, isTracing } from '../graph/trace.js'

/** Adds an operation with one result to the trace in progress (or, outside any, to its first operand's graph). */
export function apply<O extends OperationName, S extends Shape = Shape, D extends DType = DType>(
  operation: O,
  inputs: readonly AnyTensor[],
  attributes: OperationAttributes[O],
): Tensor<S, D> {
  return new Tensor<S, D>(applyAll(operation, inputs, attributes)[0])
}

/** The same for an operation with several results, or with a decomposition. */
export function applyAll<O extends OperationName>(
  operation: O,
  inputs: readonly AnyTensor[],
  attributes: OperationAttributes[O],
  decomposition?: Graph,
): readonly Value[] {
  const values = inputs.map((input) => input.value)
  const builder = isTracing() || values.length === 0 ? currentBuilder(operation) : GraphBuilder.of(values[0])
  return builder.add(operation, values, attributes, { decomposition })
}

/** A constant scalar in the trace in progress. */
export function scalar<D extends DType>(value: number, dtype: D): Tensor<readonly [], D> {
  const data = dtypes[dtype].allocate(1)
  data[0] = dtype === 'bf16' ? toBFloat16Bits(value) : value
  return apply('constant', [], { value: { dtype, shape: [], data } })
}

/** Repeats a tensor to a shape that it broadcasts to, NumPy's way: dimensions are matched from the last. */
export function broadcastTo(tensor: AnyTensor, shape: Shape): AnyTensor {
  if (sameShape(tensor.shape, shape)) return tensor
  const offset = shape.length - tensor.rank
  return apply('broadcastInDim', [tensor], { shape, dims: tensor.shape.map((_, dim) => dim + offset) })
}

/** A constant of one value throughout. */
export function full<D extends DType>(shape: Shape, value: number, dtype: D): Tensor<Shape, D> {
  return broadcastTo(scalar(value, dtype), shape) as Tensor<Shape, D>
}

/** Two operands of one type, by broadcasting and by giving numbers the other's element type. */
export function matchOperands(
  operation: string,
  left: AnyTensor | number,
  right: AnyTensor | number,
): [AnyTensor, AnyTensor] {
  if (typeof left === 'number') {
    if (typeof right === 'number') return [scalar(left, 'f32'), scalar(right, 'f32')]
    return [full(right.shape, left, right.dtype), right]
  }
  if (typeof right === 'number') return [left, full(left.shape, right, left.dtype)]
  const shape = broadcastShapes(left.shape, right.shape)
  if (shape === undefined) {
    throw new TalwegError({
      code: 'SHAPE_MISMATCH',
      operation,
      problem: `shapes don't broadcast: ${clash(left.shape, right.shape)} (left ${formatType(left.type)}, right ${formatType(right.type)})`,
      hint: 'sizes are compared from the last dimension; one of two unlike sizes must be 1',
      place: currentPlace(),
    })
  }
  return [broadcastTo(left, shape), broadcastTo(right, shape)]
}

function clash(left: Shape, right: Shape): string {
  for (let fromLast = 1; fromLast <= Math.min(left.length, right.length); fromLast++) {
    const a = left[left.length - fromLast]
    const b = right[right.length - fromLast]
    if (a !== b && a !== 1 && b !== 1)
      return `left dimension ${left.length - fromLast} is ${a}, right dimension ${right.length - fromLast} is ${b}`
  }
  return 'ranks differ'
}
