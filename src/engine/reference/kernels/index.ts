/** The specification: what every operation computes. One exhaustive table; the families are in files of their own. */
import { TalwegError, invariant } from '../../../core/errors.js'
import type { Instruction, InstructionOperation, ProgramBody } from '../../program.js'
import { fromHost, type Numbers, type ReferenceTensor } from '../tensor.js'
import { elementwiseKernels } from './elementwise.js'
import { indexingKernels } from './indexing.js'
import type { Kernel, Kernels } from './kernel.js'
import { movementKernels } from './movement.js'
import { productKernels } from './products.js'
import { reductionKernels } from './reductions.js'
import { sourceKernels } from './sources.js'

/** What one worker alone gives itself. */
function alone(operation: Collective): Kernel<Collective> {
  return (operands, { axis, size }) => {
    if (size === 1) return operands.map(({ data }) => data)
    throw new TalwegError({
      code: 'UNSUPPORTED_BY_ENGINE',
      operation,
      problem: `the reference engine runs on one worker, not on ${size} along "${axis}"`,
      hint: 'use --engine native for more than one worker',
    })
  }
}

type Collective = 'allReduce' | 'allGather' | 'reduceScatter' | 'collectivePermute'

const kernels: Kernels<InstructionOperation> = {
  ...sourceKernels,
  ...elementwiseKernels,
  ...movementKernels,
  ...indexingKernels,
  ...productKernels,
  ...reductionKernels,
  optimizationBarrier: (operands) => operands.map(({ data }) => data),
  /** A composite is what its decomposition says. */
  composite: (operands, _attributes, _results, body) => {
    invariant(body !== undefined, 'a composite comes with its body')
    return runBody(body, operands)
  },
  allReduce: alone('allReduce'),
  allGather: alone('allGather'),
  reduceScatter: alone('reduceScatter'),
  collectivePermute: alone('collectivePermute'),
}

export const operations = Object.keys(kernels) as InstructionOperation[]

/** The results of one instruction; `values` gives the types of the values that it names. */
export function execute(
  instruction: Instruction,
  operands: readonly ReferenceTensor[],
  values: ProgramBody['values'],
): readonly Numbers[] {
  const kernel = kernels[instruction.operation] as Kernel<InstructionOperation>
  const results = instruction.outputs.map((output) => values[output])
  return kernel(operands, instruction.attributes as never, results, instruction.body)
}

function runBody(body: ProgramBody, operands: readonly ReferenceTensor[]): readonly Numbers[] {
  const held = new Map<number, ReferenceTensor>()
  const hold = (value: number, data: Numbers): void => void held.set(value, { ...body.values[value], data })
  body.inputs.forEach((value, index) => hold(value, operands[index].data))
  for (const { value, data } of body.constants) hold(value, fromHost(data, 0, data.data.length))
  for (const instruction of body.instructions) {
    const results = execute(instruction, instruction.inputs.map((input) => held.get(input)!), body.values) // prettier-ignore
    instruction.outputs.forEach((output, index) => hold(output, results[index]))
  }
  return body.outputs.map((output) => held.get(output)!.data)
}
