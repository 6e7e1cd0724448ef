/** How every operation is composed of jax-js' operations: one exhaustive table; the families are in files of their own. */
import { invariant, TalwegError } from '../../../core/errors.js'
import { formatType, numElements, sameShape, type TensorType } from '../../../core/shape.js'
import { portableDType, toDevice } from '../dtypes.js'
import type { Instruction, InstructionOperation, ProgramBody } from '../../program.js'
import type { Scope, Term } from '../term.js'
import { elementwiseRules } from './elementwise.js'
import { indexingRules } from './indexing.js'
import { movementRules } from './movement.js'
import { productRules } from './products.js'
import { reductionRules } from './reductions.js'
import type { Rule, Rules } from './rule.js'
import { sourceRules } from './sources.js'

/** What one worker alone gives itself. `assertSupported` has seen to it that there is one. */
const alone = ([operand]: readonly Term[]): Term => operand

const rules: Rules<InstructionOperation> = {
  ...sourceRules,
  ...elementwiseRules,
  ...movementRules,
  ...indexingRules,
  ...productRules,
  ...reductionRules,
  optimizationBarrier: (operands) => operands,
  /** A composite is what its decomposition says; `jit` fuses what can be. */
  composite: (operands, _, { scope, body }) => {
    invariant(body !== undefined, 'a composite comes with its body')
    return lowerBody(body, operands, scope)
  },
  allReduce: (operands) => operands,
  allGather: alone,
  reduceScatter: alone,
  collectivePermute: alone,
}

/** Throws `UNSUPPORTED_BY_ENGINE` for what no rule can do. */
export function assertSupported(instruction: Instruction, results: readonly TensorType[]): void {
  const { operation, attributes } = instruction
  results.forEach((type) => portableDType(type, instruction.label))
  instruction.body?.instructions.forEach((inner) => {
    assertSupported(inner, inner.outputs.map((output) => instruction.body!.values[output])) // prettier-ignore
  })
  const isExchange = operation === 'allReduce' || operation === 'allGather' || operation === 'reduceScatter' || operation === 'collectivePermute' // prettier-ignore
  if (!isExchange || attributes.size === 1) return
  throw new TalwegError({
    code: 'UNSUPPORTED_BY_ENGINE',
    operation,
    problem: `the portable engine runs on one worker, not on ${attributes.size} along "${attributes.axis}"`,
    hint: 'use --engine native for more than one worker',
  })
}

/** An instruction's results. Empty ones are made without asking the rule, which then need not think of them. */
export function lowerInstruction(
  { operation, attributes, body, label }: Instruction,
  operands: readonly Term[],
  results: readonly TensorType[],
  scope: Scope,
): readonly Term[] {
  const allEmpty = results.every(({ shape }) => numElements(shape) === 0)
  if (allEmpty) return results.map((type) => scope.full(type.shape, 0, portableDType(type, label)))
  const rule = rules[operation] as Rule<InstructionOperation>
  const terms = [rule(operands, attributes as never, { scope, results, body })].flat()
  terms.forEach(({ dtype, shape }, index) => {
    const [given, wanted] = [{ dtype, shape }, results[index]]
    const fits = dtype === wanted.dtype && sameShape(shape, wanted.shape)
    invariant(fits, `${label}: ${operation} gave ${formatType(given)}, not ${formatType(wanted)}`)
  })
  return terms
}

function lowerBody(body: ProgramBody, operands: readonly Term[], scope: Scope): Term[] {
  const held = new Map<number, Term>()
  body.inputs.forEach((value, index) => held.set(value, operands[index]))
  for (const { value, data } of body.constants) held.set(value, constantTerm(body.values[value], data, scope))
  for (const instruction of body.instructions) {
    const inputs = instruction.inputs.map((input) => held.get(input)!)
    const results = lowerInstruction(instruction, inputs, instruction.outputs.map((output) => body.values[output]), scope) // prettier-ignore
    instruction.outputs.forEach((output, index) => held.set(output, results[index]))
  }
  return body.outputs.map((output) => held.get(output)!)
}

/** A constant inside a body, as an array even where it is a scalar; see `term.ts`. */
function constantTerm(type: TensorType, data: ProgramBody['constants'][number]['data'], scope: Scope): Term {
  const dtype = portableDType(type, 'constant')
  if (data.data.length === 1) return scope.full(type.shape, data.data[0], dtype)
  return scope.own(toDevice(type, data, 0, data.data.length, 'constant'), dtype)
}
