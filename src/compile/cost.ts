/**
 * What each instruction costs: floating-point operations and bytes to and from memory. For `inspect`, profiles and
 * planning; nothing is decided by it here.
 *
 * A product and a sum are one operation each, and so is a transcendental function; integer arithmetic, comparisons and
 * movement count nothing. Bytes are those of operands and results, each once: what a kernel that keeps everything else
 * in cache moves.
 */
import { isFloat } from '../core/dtype.js'
import type { CompositeCall, OperationAttributes } from '../core/operations.js'
import { binaryOperations, unaryOperations, type ElementwiseOperation } from '../core/operations.js'
import { numElements, sizeBytes, type TensorType } from '../core/shape.js'
import type { Instruction, InstructionOperation, Program, ProgramBody } from '../engine/program.js'

export interface Cost {
  /** Floating-point operations. */
  readonly flops: number
  /** Bytes read and written. */
  readonly bytes: number
}

/** Number of floating-point operations, from the types of operands and results. */
type FlopsRule<O extends InstructionOperation> = (
  inputs: readonly TensorType[],
  outputs: readonly TensorType[],
  attributes: OperationAttributes[O],
  body: ProgramBody | undefined,
) => number

const none = (): number => 0
/** One for each element of the result, where operands are floats. */
const onePerElement: FlopsRule<ElementwiseOperation> = ([operand], [result]) =>
  isFloat(operand.dtype) && isFloat(result.dtype) ? numElements(result.shape) : 0

const elementwise = Object.fromEntries(
  [...unaryOperations, ...binaryOperations].map((operation) => [operation, onePerElement]),
) as unknown as { readonly [O in Exclude<ElementwiseOperation, 'select'>]: FlopsRule<O> }

const flopsRules: { readonly [O in InstructionOperation]: FlopsRule<O> } = {
  ...elementwise,
  negate: none,
  convert: none,
  bitcastConvert: none,
  compare: none,
  select: none,
  iota: none,
  rngBitGenerator: none,
  broadcastInDim: none,
  reshape: none,
  transpose: none,
  slice: none,
  concatenate: none,
  pad: none,
  reverse: none,
  gather: none,
  /** One sum for each number that is added. */
  scatter: (inputs, [result], { kind }) =>
    kind === 'replace' || !isFloat(result.dtype) ? 0 : numElements(inputs[2].shape),
  /** 2 times the results times the length of the sums. */
  dotGeneral: ([left], [result], { leftContracting }) =>
    2 * numElements(result.shape) * leftContracting.reduce((product, dim) => product * left.shape[dim], 1),
  /** 2 times the results times the elements of one kernel. */
  convolution: ([, kernel], [result], { dimensions }) =>
    (2 * numElements(result.shape) * numElements(kernel.shape)) /
    Math.max(1, kernel.shape[dimensions.kernelOutputFeature]),
  reduce: ([operand]) => (isFloat(operand.dtype) ? numElements(operand.shape) : 0),
  reduceWindow: ([operand], [result], { window }) =>
    isFloat(operand.dtype) ? numElements(result.shape) * numElements(window) : 0,
  optimizationBarrier: none,
  composite: (_inputs, _outputs, call, body) => compositeFlops(call, body),
  /** One sum for each element and each other worker, shared among them. */
  allReduce: (operands, _, { size }) =>
    operands.reduce((sum, { dtype, shape }) => sum + (isFloat(dtype) ? numElements(shape) * (size - 1) : 0), 0) / size,
  allGather: none,
  reduceScatter: ([operand], _, { size }) =>
    isFloat(operand.dtype) ? (numElements(operand.shape) * (size - 1)) / size : 0,
  collectivePermute: none,
}

/** What its inside costs; of causal attention the half that the causal kernel computes. */
function compositeFlops(call: CompositeCall, body: ProgramBody | undefined): number {
  if (body === undefined) return 0
  const whole = bodyFlops(body)
  const isCausal = (call.name === 'attention' || call.name === 'attentionGradient') && call.attributes.causal
  return isCausal ? whole / 2 : whole
}

/** The same body is shared by many instructions. */
const known = new WeakMap<ProgramBody, number>()

function bodyFlops(body: ProgramBody): number {
  const before = known.get(body)
  if (before !== undefined) return before
  const flops = body.instructions.reduce((sum, instruction) => sum + instructionFlops(instruction, body.values), 0)
  known.set(body, flops)
  return flops
}

function instructionFlops(
  { operation, inputs, outputs, attributes, body }: Instruction,
  values: readonly TensorType[],
): number {
  const rule = flopsRules[operation] as FlopsRule<InstructionOperation>
  return rule(inputs.map((input) => values[input]), outputs.map((output) => values[output]), attributes as never, body) // prettier-ignore
}

/** Gathers and scatters touch only the rows that they take. */
function bytesMoved({ operation, inputs, outputs }: Instruction, values: readonly TensorType[]): number {
  const total = (indices: readonly number[]): number =>
    indices.reduce((sum, index) => sum + sizeBytes(values[index]), 0)
  if (operation === 'gather') return total(inputs.slice(1)) + 2 * total(outputs)
  if (operation === 'scatter') return total(inputs.slice(1)) + 2 * total(inputs.slice(2))
  return total([...new Set(inputs)]) + total(outputs)
}

export function instructionCost(instruction: Instruction, values: readonly TensorType[]): Cost {
  return { flops: instructionFlops(instruction, values), bytes: bytesMoved(instruction, values) }
}

/** Of one step: each instruction, in order, and all together. */
export function programCost({ instructions, values }: Program): {
  readonly each: readonly Cost[]
  readonly total: Cost
} {
  const each = instructions.map((instruction) => instructionCost(instruction, values))
  const total = each.reduce((sum, cost) => ({ flops: sum.flops + cost.flops, bytes: sum.bytes + cost.bytes }), {
    flops: 0,
    bytes: 0,
  })
  return { each, total }
}
