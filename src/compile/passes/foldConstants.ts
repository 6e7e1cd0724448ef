/**
 * Computes what depends on small constants alone, by the reference engine's own definitions. Repeated scalars and iotas
 * stay as they are: nothing large is ever made here, and a large constant of equal numbers becomes a repeated scalar.
 */
import { dtypes } from '../../core/dtype.js'
import { binaryOperations, unaryOperations, type OperationName } from '../../core/operations.js'
import { numElements, tensorData, type TensorData, type TensorType } from '../../core/shape.js'
import type { Instruction } from '../../engine/program.js'
import { execute } from '../../engine/reference/kernels/index.js'
import { fromHost, toHost } from '../../engine/reference/tensor.js'
import { inferTypes, producedBy } from '../../graph/index.js'
import type { Candidate, Emitter, Rule, RuleTable } from './peephole.js'
import type { Value } from '../../graph/index.js'

/** The most elements that an operand or a result may have. */
const maxElements = 1024

const foldedOperations = [
  ...unaryOperations, ...binaryOperations, 'select', 'reshape', 'transpose', 'slice', 'concatenate', 'pad', 'reverse', 'reduce',
] as const satisfies readonly OperationName[] // prettier-ignore

const fold: Rule = ({ operation, inputs, attributes }, emitter) => {
  const operands: TensorData[] = []
  for (const input of inputs) {
    const constant = producedBy(input, 'constant')
    if (constant === undefined || numElements(input.type.shape) > maxElements) return undefined
    operands.push(constant.attributes.value)
  }
  const [type] = inferTypes(operation, inputs.map((input) => input.type), attributes as never, undefined) // prettier-ignore
  if (numElements(type.shape) > maxElements) return undefined
  return emitter.emit('constant', [], { value: evaluate({ operation, inputs, attributes }, operands, type) })
}

function evaluate({ operation, attributes }: Candidate, operands: readonly TensorData[], type: TensorType): TensorData {
  const held = operands.map((operand) => ({ ...operand, data: fromHost(operand, 0, operand.data.length) }))
  const inputs = [...operands.keys()]
  const instruction = {
    operation,
    attributes,
    inputs,
    outputs: [inputs.length],
    lastUses: [],
    label: operation,
  } as unknown as Instruction
  const [numbers] = execute(instruction, held, [...operands, type])
  const result = tensorData(type.dtype, type.shape)
  toHost(numbers, result, 0)
  return result
}

/** A constant of equal elements is one number, repeated. Compared by bits, so that -0 and NaN stay what they are. */
function splatConstant({ attributes: { value } }: Candidate<'constant'>, emitter: Emitter): Value | undefined {
  const count = numElements(value.shape)
  if (count <= 1) return undefined
  const { sizeBytes } = dtypes[value.dtype]
  const bytes = new Uint8Array(value.data.buffer, value.data.byteOffset, count * sizeBytes)
  for (let index = sizeBytes; index < bytes.length; index++)
    if (bytes[index] !== bytes[index - sizeBytes]) return undefined
  const scalar = tensorData(value.dtype, [], [value.data[0]])
  return emitter.emit('broadcastInDim', [emitter.emit('constant', [], { value: scalar })], {
    shape: value.shape,
    dims: [],
  })
}

export const foldingRules: RuleTable = {
  ...Object.fromEntries(foldedOperations.map((operation) => [operation, [fold]])),
  constant: [splatConstant],
}
