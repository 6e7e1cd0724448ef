/**
 * The roofline: the least time that an instruction could take on this machine, which is that of its arithmetic at the speed of
 * the largest products or that of its bytes at the speed of memory, whichever is more.
 */
import type { Cost } from '../../compile/index.js'
import type { CompositeName } from '../../core/operations.js'
import type { MachinePeaks } from '../../engine/engine.js'
import type { Instruction, InstructionOperation, Program } from '../../engine/program.js'

/** What multiplies and sums in its operands' own type; everything else computes in f32, whatever it reads. */
const products: ReadonlySet<InstructionOperation | CompositeName> = new Set([
  'dotGeneral',
  'convolution',
  'dotEpilogue',
  'attention',
  'attentionGradient',
])

export function kindOf({ operation, attributes }: Instruction): InstructionOperation | CompositeName {
  return operation === 'composite' ? attributes.name : operation
}

/** Products in f64 are measured by those in f32, which no machine has slower ones of. */
export function leastSeconds(
  instruction: Instruction,
  { values }: Program,
  { flops, bytes }: Cost,
  { productFlopsPerSecond, bytesPerSecond }: MachinePeaks,
): number {
  const isBFloat16 = products.has(kindOf(instruction)) && values[instruction.inputs[0]].dtype === 'bf16'
  const { f32, bf16 = f32 } = productFlopsPerSecond
  return Math.max(flops / (isBFloat16 ? bf16 : f32), bytes / bytesPerSecond)
}
