/**
 * What an instruction of a profile is called, so that a reader finds it in the model: operation, types, the user's line,
 * and the parameter that it reads or makes the gradient of.
 *
 * Nodes don't know what module they come from, but the program says which state they read and write, and one step from
 * there lie the weights' copies in bf16 and the gradients.
 */
import { formatType, type TensorType } from '../../core/shape.js'
import type { Instruction, Program } from '../../engine/program.js'
import { isParameterState } from '../step.js'
import { kindOf } from './roofline.js'

export interface InstructionName {
  /** `dotGeneral`, `elementwise(multiply, add)`. */
  readonly operation: string
  /** `f32[2048,384] · f32[384,1536] → f32[2048,1536]`; `ᵀ` where an operand is read by other strides than its own. */
  readonly types: string
  /** `train.ts:14`. */
  readonly line: string | undefined
  /** `blocks.0.mlp.up.weight`; of several parameters what their paths have in common. */
  readonly parameter: string | undefined
}

export function nameInstructions(program: Program): InstructionName[] {
  const parameters = findParameters(program)
  return program.instructions.map((instruction, index): InstructionName => {
    const [, line, operation] = /^(?:(.+?:\d+) )?(.+)$/.exec(instruction.label) ?? []
    return {
      operation: operation ?? kindOf(instruction),
      types: describeTypes(instruction, program),
      line,
      parameter: parameters[index],
    }
  })
}

export function formatName({ operation, types, line, parameter }: InstructionName): string {
  return [operation, types, parameter, line].filter((part) => part !== undefined).join('  ')
}

const maxTypesShown = 4

function describeTypes({ inputs, outputs }: Instruction, { values }: Program): string {
  const text = (value: number): string =>
    `${formatType(values[value])}${values[value].strides === undefined ? '' : 'ᵀ'}`
  return `${joinTypes(inputs.map(text))} → ${joinTypes(outputs.map((value) => formatType(values[value])))}`
}

/** Types one after another, equal ones as `3 × f32[8]`. */
function joinTypes(types: readonly string[]): string {
  const runs: { readonly type: string; count: number }[] = []
  for (const type of types) {
    const last = runs.at(-1)
    if (last?.type === type) last.count++
    else runs.push({ type, count: 1 })
  }
  const shown = runs.slice(0, maxTypesShown).map(({ type, count }) => (count === 1 ? type : `${count} × ${type}`))
  return `${shown.join(' · ')}${runs.length > maxTypesShown ? ' · …' : ''}`
}

/** For each instruction the parameters that it works on, in one path. */
function findParameters(program: Program): (string | undefined)[] {
  const { values, instructions } = program
  const ofBuffer = new Map<number, string>()
  for (const { name, value } of program.state) if (isParameterState(name)) ofBuffer.set(values[value].buffer, name)
  const ofValue = new Map<number, string>()
  const read = (value: number): string | undefined => ofValue.get(value) ?? ofBuffer.get(values[value].buffer)
  for (const instruction of instructions) {
    const source = copiedFrom(instruction, values)
    const name = source === undefined ? undefined : read(source)
    if (name !== undefined) ofValue.set(instruction.outputs[0], name)
  }
  const direct = instructions.map(({ inputs, outputs }) => namesOf([...inputs, ...outputs], read))
  const updated = gradientsOf(program, ofBuffer)
  return instructions.map(({ outputs }, index) => {
    const names = direct[index].length > 0 ? direct[index] : namesOf(outputs, (value) => updated.get(value))
    return names.length === 0 ? undefined : commonPath(names)
  })
}

/** The operand of which an instruction makes nothing but another form: another element type, another order. */
function copiedFrom({ operation, inputs, outputs }: Instruction, values: readonly TensorType[]): number | undefined {
  const isForm = operation === 'convert' || operation === 'transpose' || operation === 'reshape'
  const isGroup = operation === 'composite' && inputs.length === 1 && outputs.length === 1
  const isSameSize = (): boolean => values[inputs[0]].shape.join() === values[outputs[0]].shape.join()
  return isForm || (isGroup && isSameSize()) ? inputs[0] : undefined
}

/** Values that an update reads beside the parameter that it writes: its gradient, if it has the parameter's shape. */
function gradientsOf({ instructions, values }: Program, ofBuffer: ReadonlyMap<number, string>): Map<number, string> {
  const gradients = new Map<number, string>()
  for (const { inputs, outputs } of instructions) {
    const written = outputs.filter((output) => ofBuffer.has(values[output].buffer))
    for (const input of inputs) {
      const fitting = written.filter((output) => values[output].shape.join() === values[input].shape.join())
      if (fitting.length === 1) gradients.set(input, ofBuffer.get(values[fitting[0]].buffer)!)
    }
  }
  return gradients
}

function namesOf(indices: readonly number[], find: (value: number) => string | undefined): string[] {
  return [...new Set(indices.map(find).filter((name) => name !== undefined))]
}

/** `blocks.0.norm.{scale, shift}`; `blocks.…` where that would be long. */
function commonPath(names: readonly string[]): string {
  if (names.length === 1) return names[0]
  const paths = names.map((name) => name.split('.'))
  const length = paths[0].findIndex((part, index) => paths.some((path) => path[index] !== part))
  const common = paths[0].slice(0, length)
  const rest = paths.map((path) => path.slice(length).join('.'))
  const inside = rest.length > 2 ? `${rest.length} parameters` : `{${rest.join(', ')}}`
  return [...common, inside].join('.')
}
