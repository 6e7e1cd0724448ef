/**
 * The forms in which the compiler may give an operation its operands. Each puts something before the operation that the
 * lowering turns into a view, or that makes an operand's buffer free to be used again.
 */
import { dtypes } from '../../../src/core/dtype.js'
import { numElements, type TensorData, type TensorType } from '../../../src/core/shape.js'
import type { GraphBuilder, Value } from '../../../src/graph/index.js'
import type { LowerOptions } from './lower.js'

export interface Form {
  readonly options: LowerOptions
  /** Whether only engines that take strided views of an operation's operands are given it. */
  readonly isStrided: boolean
  /** The parameter's type from which `recover` makes an operand; undefined where there is none. */
  readonly wrap: (type: TensorType) => TensorType | undefined
  readonly recover: (builder: GraphBuilder, wrapped: Value, type: TensorType) => Value
}

const views: LowerOptions = { views: true }

function unchanged(type: TensorType): TensorType {
  return type
}

export const forms = {
  plain: { options: {}, isStrided: false, wrap: unchanged, recover: (_, value) => value },
  'views at an odd place': {
    options: views,
    isStrided: false,
    wrap: ({ dtype, shape }) => ({ dtype, shape: [numElements(shape) + 3] }),
    recover: (builder, value, { shape }) => {
      const limits = [numElements(shape) + 3]
      const [row] = builder.add('slice', [value], { starts: [3], limits, strides: [1] })
      return builder.add('reshape', [row], { shape })[0]
    },
  },
  'in place': {
    options: { inPlace: true },
    isStrided: false,
    wrap: unchanged,
    recover: (builder, value, { dtype }) => builder.add('convert', [value], { dtype })[0],
  },
  transposed: {
    options: views,
    isStrided: true,
    wrap: ({ dtype, shape }) => (shape.length < 2 ? undefined : { dtype, shape: shape.toReversed() }),
    recover: (builder, value, { shape }) =>
      builder.add('transpose', [value], { permutation: [...shape.keys()].toReversed() })[0],
  },
  sliced: {
    options: views,
    isStrided: true,
    wrap: ({ dtype, shape }) =>
      shape.length === 0
        ? undefined
        : { dtype, shape: shape.map((size, dim) => (dim === shape.length - 1 ? size + 2 : size)) },
    recover: (builder, value, { shape }) => {
      const last = shape.length - 1
      const starts = shape.map((_, dim) => (dim === last ? 1 : 0))
      const limits = shape.map((size, dim) => (dim === last ? size + 1 : size))
      return builder.add('slice', [value], { starts, limits, strides: shape.map(() => 1) })[0]
    },
  },
  repeated: {
    options: views,
    isStrided: true,
    wrap: ({ dtype, shape }) => (shape.length === 0 || shape[0] === 0 ? undefined : { dtype, shape: shape.with(0, 1) }),
    recover: (builder, value, { shape }) =>
      builder.add('broadcastInDim', [value], { shape, dims: [...shape.keys()] })[0],
  },
} as const satisfies Readonly<Record<string, Form>>

export type FormName = keyof typeof forms

/** The numbers of an operand in another shape: the first of them, and then from the start again. */
export function refill({ data }: TensorData, { dtype, shape }: TensorType): TensorData {
  const wrapped = dtypes[dtype].allocate(numElements(shape))
  for (let i = 0; i < wrapped.length; i++) wrapped[i] = data.length === 0 ? 0 : data[i % data.length]
  return { dtype, shape, data: wrapped }
}
