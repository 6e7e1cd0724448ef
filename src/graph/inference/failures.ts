/** The two ways in which operands fail to fit, in the one form that messages have. */
import { TalwegError } from '../../core/errors.js'
import { formatType, type TensorType } from '../../core/shape.js'

export function shapeMismatch(
  operation: string,
  problem: string,
  types: readonly TensorType[],
  hint?: string,
): TalwegError {
  return new TalwegError({
    code: 'SHAPE_MISMATCH',
    operation,
    problem: `${problem} (${operandsText(types)})`,
    hint,
  })
}

export function dtypeMismatch(
  operation: string,
  problem: string,
  types: readonly TensorType[],
  hint?: string,
): TalwegError {
  return new TalwegError({
    code: 'DTYPE_MISMATCH',
    operation,
    problem: `${problem} (${operandsText(types)})`,
    hint,
  })
}

function operandsText(types: readonly TensorType[]): string {
  if (types.length === 1) return `operand ${formatType(types[0])}`
  if (types.length === 2) return `left ${formatType(types[0])}, right ${formatType(types[1])}`
  return `operands ${types.map(formatType).join(', ')}`
}
