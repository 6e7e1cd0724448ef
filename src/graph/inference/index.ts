/** The type of every operation's results from its operands': one exhaustive table. */
import { invariant } from '../../core/errors.js'
import {
  binaryOperations,
  unaryOperations,
  type BinaryOperation,
  type OperationAttributes,
  type OperationName,
  type UnaryOperation,
} from '../../core/operations.js'
import { formatType, sameType, tensorType, type TensorType } from '../../core/shape.js'
import type { Graph } from '../graph.js'
import { inferBinary, inferSelect, inferUnary } from './elementwise.js'
import { dtypeMismatch, shapeMismatch } from './failures.js'
import { inferBroadcastInDim, inferConcatenate, inferGather, inferPad, inferReshape, inferReverse, inferScatter, inferSlice, inferTranspose } from './movement.js' // prettier-ignore
import { inferConvolution, inferDotGeneral, inferReduce, inferReduceWindow } from './products.js'

type InferenceRule<O extends OperationName> = (
  types: readonly TensorType[],
  attributes: OperationAttributes[O],
  decomposition: Graph | undefined,
) => readonly TensorType[]

const unaryRules = Object.fromEntries(
  unaryOperations.map((operation) => [
    operation,
    (types: readonly TensorType[], attributes: never) => inferUnary(operation, types, attributes),
  ]),
) as unknown as { readonly [O in UnaryOperation]: InferenceRule<O> }

const binaryRules = Object.fromEntries(
  binaryOperations.map((operation) => [operation, (types: readonly TensorType[]) => inferBinary(operation, types)]),
) as unknown as { readonly [O in BinaryOperation]: InferenceRule<O> }

const rules: { readonly [O in OperationName]: InferenceRule<O> } = {
  ...unaryRules,
  ...binaryRules,
  parameter: (_, { type }) => [type],
  constant: (_, { value }) => [tensorType(value.dtype, value.shape)],
  iota: (_, { type }) => [type],
  rngBitGenerator: (types, { shape }) => {
    const [state] = types
    if (state.dtype !== 'u32' || state.shape.length !== 1 || state.shape[0] !== 4) {
      throw dtypeMismatch('rngBitGenerator', 'the state is not u32[4]', types)
    }
    return [tensorType('u32', shape)]
  },
  select: (types) => inferSelect(types),
  broadcastInDim: (types, attributes) => inferBroadcastInDim(types, attributes),
  reshape: (types, { shape }) => inferReshape(types, shape),
  transpose: (types, { permutation }) => inferTranspose(types, permutation),
  slice: (types, attributes) => inferSlice(types, attributes),
  concatenate: (types, { dim }) => inferConcatenate(types, dim),
  pad: (types, attributes) => inferPad(types, attributes),
  reverse: (types, { dims }) => inferReverse(types, dims),
  gather: (types, attributes) => inferGather(types, attributes),
  scatter: (types, attributes) => inferScatter(types, attributes),
  dotGeneral: (types, attributes) => inferDotGeneral(types, attributes),
  convolution: (types, attributes) => inferConvolution(types, attributes),
  reduce: (types, attributes) => inferReduce(types, attributes),
  reduceWindow: (types, attributes) => inferReduceWindow(types, attributes),
  optimizationBarrier: (types) => types,
  composite: (types, _, decomposition) => inferComposite(types, decomposition),
  allReduce: (types) => types,
  allGather: (types, { dim, size }) => [scaleDim(types[0], dim, size)],
  reduceScatter: (types, { dim, size }) => [divideDim(types, dim, size)],
  collectivePermute: (types) => types,
}

/** A composite's type is its decomposition's; the arguments must be what the decomposition takes. */
function inferComposite(types: readonly TensorType[], decomposition: Graph | undefined): readonly TensorType[] {
  invariant(decomposition !== undefined, 'a composite has a decomposition')
  const parameters = decomposition.parameters
  const fits =
    parameters.length === types.length && parameters.every((parameter, index) => sameType(parameter.type, types[index]))
  invariant(
    fits,
    `${decomposition.name} takes ${parameters.map((p) => formatType(p.type)).join(', ')}, not ${types.map(formatType).join(', ')}`,
  )
  return decomposition.results.map(({ value }) => value.type)
}

function scaleDim({ dtype, shape }: TensorType, dim: number, factor: number): TensorType {
  return tensorType(
    dtype,
    shape.map((size, d) => (d === dim ? size * factor : size)),
  )
}

function divideDim(types: readonly TensorType[], dim: number, size: number): TensorType {
  const [{ dtype, shape }] = types
  if (shape[dim] % size !== 0)
    throw shapeMismatch('reduceScatter', `dimension ${dim} is not divisible by ${size}`, types)
  return tensorType(
    dtype,
    shape.map((s, d) => (d === dim ? s / size : s)),
  )
}

export function inferTypes<O extends OperationName>(
  operation: O,
  types: readonly TensorType[],
  attributes: OperationAttributes[O],
  decomposition: Graph | undefined,
): readonly TensorType[] {
  return rules[operation](types, attributes, decomposition)
}
