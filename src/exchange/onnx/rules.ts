/**
 * How each of the graph's operations is said in ONNX (operator set 20). The table is a mapped type over all operations, so none
 * is forgotten; what a model in use never has (gradients' operations, random bits) is refused by name.
 *
 * Source: https://onnx.ai/onnx/operators/
 */
import type { CompositeCall, CompositeName, OperationName, ReductionKind } from '../../core/operations.js'
import type { Node, Value } from '../../graph/index.js'
import { convolution, reduceWindow } from './rules/images.js'
import { dotGeneral, gather, scatter } from './rules/products.js'
import { dataTypes } from './schema.js'
import { constantDim } from './sizes.js'
import { unsupported, type AttributeValue, type OnnxWriter } from './writer.js'

/** Writes a node and names its results. */
export type OnnxRule<O extends OperationName> = (node: Node<O>, writer: OnnxWriter) => void

/** Of an operation with one result: its name. */
export function result<O extends OperationName>(write: (node: Node<O>, writer: OnnxWriter) => string): OnnxRule<O> {
  return (node, writer) => writer.name(node.outputs[0], write(node, writer))
}

function elementwise(opType: string, attributes: Readonly<Record<string, AttributeValue>> = {}) {
  return (node: Node, writer: OnnxWriter): void =>
    writer.name(node.outputs[0], writer.add(opType, writer.meeting(node.inputs), attributes))
}

function refuse(why: string) {
  return (node: Node): never => {
    throw unsupported(node, why)
  }
}

/** One for booleans, one for integers. */
function bitwise(onBooleans: string, onIntegers: string) {
  return (node: Node, writer: OnnxWriter): void =>
    elementwise(node.inputs[0].type.dtype === 'bool' ? onBooleans : onIntegers)(node, writer)
}

function shift(direction: 'LEFT' | 'RIGHT') {
  return (node: Node, writer: OnnxWriter): void => {
    if (!['u32', 'u8'].includes(node.inputs[0].type.dtype))
      throw unsupported(node, 'ONNX shifts unsigned integers only')
    elementwise('BitShift', { direction })(node, writer)
  }
}

/** A number of a value's own type. */
function number(writer: OnnxWriter, { type: { dtype } }: Value, value: number): string {
  const data = dtype === 'f64' ? Float64Array.of(value) : Float32Array.of(value)
  return writer.tensor('number', { dtype: dtype === 'f64' ? 'f64' : 'f32', shape: [], data })
}

const comparisons = { EQ: 'Equal', NE: 'Equal', LT: 'Less', LE: 'LessOrEqual', GT: 'Greater', GE: 'GreaterOrEqual' } as const // prettier-ignore

const reductions: { readonly [K in ReductionKind]: string } = {
  add: 'ReduceSum', multiply: 'ReduceProd', maximum: 'ReduceMax', minimum: 'ReduceMin', and: 'ReduceMin', or: 'ReduceMax',
} // prettier-ignore

const reduce = result<'reduce'>((node, writer) => {
  const [operand] = node.inputs
  const { kind, dims } = node.attributes
  const axes = writer.ints(dims)
  const opType = reductions[kind]
  if (operand.type.dtype !== 'bool') return writer.add(opType, [writer.full(operand), axes], { keepdims: 0 })
  const whole = writer.add('Cast', [writer.full(operand)], { to: dataTypes.i32 })
  return writer.add('Cast', [writer.add(opType, [whole, axes], { keepdims: 0 })], { to: dataTypes.bool })
})

/** Dimensions of 1 are put in where ONNX would not put them itself (before all others); what is repeated stays loose. */
function broadcastInDim(node: Node<'broadcastInDim'>, writer: OnnxWriter): void {
  const [operand] = node.inputs
  const { dims, shape } = node.attributes
  const isTrailing = dims.every((dim, index) => dim === shape.length - dims.length + index)
  const inner = writer.dimsOf(operand)
  const spread = shape.map((_, dim) => (dims.includes(dim) ? inner[dims.indexOf(dim)] : constantDim(1)))
  const name = writer.full(operand)
  const placed = isTrailing ? name : writer.add('Reshape', [name, writer.vector(spread)])
  writer.name(node.outputs[0], placed, true)
}

function iota(node: Node<'iota'>, writer: OnnxWriter): void {
  const { type, dim } = node.attributes
  const [output] = node.outputs
  const length = writer.add('Squeeze', [writer.vector([writer.dimsOf(output)[dim]])])
  const scalar = (value: number): string => writer.add('Squeeze', [writer.ints([value])])
  const range = writer.add('Cast', [writer.add('Range', [scalar(0), length, scalar(1)])], { to: dataTypes[type.dtype] })
  const numAfter = type.shape.length - 1 - dim
  const placed = numAfter === 0 ? range : writer.add('Unsqueeze', [range, writer.ints(Array.from({ length: numAfter }, (_, index) => 1 + index))]) // prettier-ignore
  writer.name(output, placed, type.shape.length > 1)
}

const slice = result<'slice'>((node, writer) => {
  const numbers = (key: 'starts' | 'limits' | 'strides'): string =>
    writer.vector(writer.sizes.dims(node, (each) => (each as Node<'slice'>).attributes[key]))
  const axes = writer.ints(node.attributes.starts.map((_, dim) => dim))
  return writer.add('Slice', [writer.full(node.inputs[0]), numbers('starts'), numbers('limits'), axes, numbers('strides')]) // prettier-ignore
})

const pad = result<'pad'>((node, writer) => {
  const { low, high, interior } = node.attributes
  if (interior.some((size) => size !== 0)) throw unsupported(node, 'ONNX pads only before and after')
  return writer.add('Pad', [writer.full(node.inputs[0]), writer.ints([...low, ...high]), writer.full(node.inputs[1])])
})

const reverse = result<'reverse'>((node, writer) => {
  const { dims } = node.attributes
  const all = (value: number): string => writer.ints(dims.map(() => value))
  return writer.add('Slice', [writer.full(node.inputs[0]), all(-1), all(-Number.MAX_SAFE_INTEGER), writer.ints(dims), all(-1)]) // prettier-ignore
})

type CompositeRule = (node: Node<'composite'>, call: CompositeCall, writer: OnnxWriter) => void

/** Composites that ONNX has as operators; all others are taken apart before. */
const compositeRules: { readonly [N in CompositeName]?: CompositeRule } = {
  erf: elementwise1('Erf'),
  softmax: elementwise1('Softmax', { axis: -1 }),
  gelu: (node, { attributes }, writer) => {
    const { approximate } = attributes as { readonly approximate: string }
    writer.name(node.outputs[0], writer.add('Gelu', [writer.full(node.inputs[0])], { approximate }))
  },
  layerNorm: (node, { attributes }, writer) => {
    const { epsilon } = attributes as { readonly epsilon: number }
    const inputs = node.inputs.map((input) => writer.full(input))
    const names = writer.addMany('LayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon } }, 3)
    const drop = (name: string): string => writer.add('Squeeze', [name, writer.ints([-1])])
    for (const [index, output] of node.outputs.entries())
      writer.name(output, index > 0 && writer.isUsed(output) ? drop(names[index]) : names[index])
  },
}

function elementwise1(opType: string, attributes: Readonly<Record<string, AttributeValue>> = {}): CompositeRule {
  return (node, _, writer) =>
    writer.name(node.outputs[0], writer.add(opType, [writer.full(node.inputs[0])], attributes))
}

export const onnxComposites: ReadonlySet<CompositeName> = new Set(Object.keys(compositeRules) as CompositeName[])

/** On one worker an exchange gives back what it was given. */
const alone = result((node, writer) => {
  if ((node.attributes as { readonly size: number }).size > 1)
    throw unsupported(node, 'a model is exported from one worker')
  return writer.full(node.inputs[0])
})

export const onnxRules: { readonly [O in OperationName]: OnnxRule<O> } = {
  parameter: refuse('it is an input or a weight'),
  constant: result((node, writer) => writer.tensor('constant', node.attributes.value)),
  iota,
  rngBitGenerator: refuse('a model in use draws no random numbers'),

  negate: elementwise('Neg'),
  abs: elementwise('Abs'),
  sign: elementwise('Sign'),
  exponential: elementwise('Exp'),
  exponentialMinusOne: result((node, writer) => {
    const [x] = node.inputs
    return writer.add('Sub', [writer.add('Exp', [writer.full(x)]), number(writer, x, 1)])
  }),
  log: elementwise('Log'),
  logPlusOne: result((node, writer) => {
    const [x] = node.inputs
    return writer.add('Log', [writer.add('Add', [writer.full(x), number(writer, x, 1)])])
  }),
  sqrt: elementwise('Sqrt'),
  rsqrt: result((node, writer) => writer.add('Reciprocal', [writer.add('Sqrt', [writer.full(node.inputs[0])])])),
  cbrt: result((node, writer) => {
    const [x] = node.inputs
    const name = writer.full(x)
    const size = writer.add('Pow', [writer.add('Abs', [name]), number(writer, x, 1 / 3)])
    return writer.add('Mul', [writer.add('Sign', [name]), size])
  }),
  tanh: elementwise('Tanh'),
  logistic: elementwise('Sigmoid'),
  sine: elementwise('Sin'),
  cosine: elementwise('Cos'),
  floor: elementwise('Floor'),
  ceil: elementwise('Ceil'),
  roundNearestEven: elementwise('Round'),
  isFinite: result((node, writer) => {
    const name = writer.full(node.inputs[0])
    return writer.add('Not', [writer.add('Or', [writer.add('IsNaN', [name]), writer.add('IsInf', [name])])])
  }),
  not: (node, writer) => elementwise(node.inputs[0].type.dtype === 'bool' ? 'Not' : 'BitwiseNot')(node, writer),
  convert: (node, writer) => elementwise('Cast', { to: dataTypes[node.attributes.dtype] })(node, writer),
  bitcastConvert: refuse('ONNX does not look at the bits of a number'),

  add: elementwise('Add'),
  subtract: elementwise('Sub'),
  multiply: elementwise('Mul'),
  divide: elementwise('Div'),
  remainder: elementwise('Mod', { fmod: 1 }),
  power: elementwise('Pow'),
  maximum: elementwise('Max'),
  minimum: elementwise('Min'),
  atan2: refuse('ONNX has no such operator'),
  and: bitwise('And', 'BitwiseAnd'),
  or: bitwise('Or', 'BitwiseOr'),
  xor: bitwise('Xor', 'BitwiseXor'),
  shiftLeft: shift('LEFT'),
  shiftRightLogical: shift('RIGHT'),
  shiftRightArithmetic: refuse('ONNX shifts unsigned integers only'),
  compare: result((node, writer) => {
    const { direction } = node.attributes
    const compared = writer.add(comparisons[direction], writer.meeting(node.inputs))
    return direction === 'NE' ? writer.add('Not', [compared]) : compared
  }),
  select: elementwise('Where'),

  broadcastInDim,
  reshape: result((node, writer) =>
    writer.add('Reshape', [writer.full(node.inputs[0]), writer.vector(writer.dimsOf(node.outputs[0]))]),
  ),
  transpose: result((node, writer) =>
    writer.add('Transpose', [writer.full(node.inputs[0])], { perm: node.attributes.permutation }),
  ),
  slice,
  concatenate: result(
    (node, writer) =>
    writer.add('Concat', node.inputs.map((input) => writer.full(input)), { axis: node.attributes.dim }), // prettier-ignore
  ),
  pad,
  reverse,
  gather,
  scatter,

  dotGeneral,
  convolution,
  reduce,
  reduceWindow,

  optimizationBarrier: (node, writer) =>
    node.outputs.forEach((output, index) => writer.name(output, writer.full(node.inputs[index]))),
  composite: (node, writer) => {
    const rule = compositeRules[node.attributes.name]
    if (rule === undefined) throw unsupported(node, `${node.attributes.name} has been taken apart before`)
    rule(node, node.attributes, writer)
  },

  allReduce: alone,
  allGather: alone,
  reduceScatter: alone,
  collectivePermute: alone,
}
