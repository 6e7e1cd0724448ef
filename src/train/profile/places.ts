/**
 * Where in the model an instruction belongs. Nodes don't know what module they come from, but the program says which
 * parameters they read and write, and one step from there lie the weights' copies in another form and the gradients.
 * What has no parameter at all (attention, an activation) is placed by what it reads.
 */
import { sameShape, type TensorType } from '../../core/shape.js'
import type { Instruction, Program } from '../../engine/program.js'
import { isParameterState } from '../step.js'

/** For each instruction a parameter's path, `near` and a module's, or undefined. */
export function findPlaces(program: Program): (string | undefined)[] {
  const parameters = findParameters(program)
  const modules = findModules(program, parameters)
  return parameters.map((names, index) => {
    if (names.length > 0) return joinPaths(names)
    const module = modules[index]
    return module === undefined ? undefined : `near ${module.join('.')}`
  })
}

/**
 * For each instruction the parameters that it reads or updates, or makes the gradients of. Buffers stand for all views
 * of them.
 */
function findParameters(program: Program): string[][] {
  const { values, instructions } = program
  const bufferOf = (value: number): number => values[value].buffer
  const held = new Map<number, string>()
  for (const { name, value } of program.state) if (isParameterState(name)) held.set(bufferOf(value), name)
  const gradients = findGradients(program, held)
  const copies = new Map(held)
  for (const instruction of instructions) {
    const source = copiedFrom(instruction, values)
    const name = source === undefined ? undefined : copies.get(bufferOf(source))
    if (name !== undefined) copies.set(bufferOf(instruction.outputs[0]), name)
  }
  return instructions.map(({ inputs, outputs }) => {
    const direct = namesOf([...inputs, ...outputs].map(bufferOf), copies)
    return direct.length > 0 ? direct : namesOf(outputs.map(bufferOf), gradients)
  })
}

/** The operand of which an instruction makes nothing but another form: another element type, another order. */
function copiedFrom({ operation, inputs, outputs }: Instruction, values: readonly TensorType[]): number | undefined {
  const isForm = operation === 'convert' || operation === 'transpose' || operation === 'reshape'
  const isGroup = operation === 'composite' && inputs.length === 1 && outputs.length === 1
  return isForm || (isGroup && sameShape(values[inputs[0]].shape, values[outputs[0]].shape)) ? inputs[0] : undefined
}

/** What an update reads beside the parameter that it writes: its gradient, if they have one shape. By buffer. */
function findGradients({ instructions, values }: Program, held: ReadonlyMap<number, string>): Map<number, string> {
  const gradients = new Map<number, string>()
  for (const { inputs, outputs } of instructions) {
    const written = outputs.filter((output) => held.has(values[output].buffer))
    for (const input of inputs) {
      const fitting = written.filter((output) => sameShape(values[output].shape, values[input].shape))
      if (fitting.length === 1) gradients.set(values[input].buffer, held.get(values[fitting[0]].buffer)!)
    }
  }
  return gradients
}

/** The path of the module that each instruction is in or near to, as far as what it reads is of one. */
function findModules(
  { instructions, values }: Program,
  parameters: readonly (readonly string[])[],
): (string[] | undefined)[] {
  const modules: (string[] | undefined)[] = []
  const producers = new Map<number, number>()
  instructions.forEach(({ inputs, outputs }, index) => {
    const own = parameters[index].map((name) => name.split('.').slice(0, -1))
    const read = inputs.map((input) => producers.get(values[input].buffer)).filter((producer) => producer !== undefined)
    const around = own.length > 0 ? own : read.map((producer) => modules[producer]).filter((path) => path !== undefined)
    const common = around.length === 0 ? [] : commonStart(around)
    // Of two blocks the list of blocks says nothing.
    const isTelling = common.length > 1 || around.every(({ length }) => length === common.length)
    modules.push(common.length > 0 && isTelling ? common : undefined)
    outputs.forEach((output) => producers.set(values[output].buffer, index))
  })
  return modules
}

function namesOf(buffers: readonly number[], names: ReadonlyMap<number, string>): string[] {
  return [...new Set(buffers.map((buffer) => names.get(buffer)).filter((name) => name !== undefined))]
}

function commonStart(paths: readonly (readonly string[])[]): string[] {
  const differs = paths[0].findIndex((part, index) => paths.some((path) => path[index] !== part))
  return paths[0].slice(0, differs === -1 ? undefined : differs)
}

/** `blocks.0.norm.{scale, shift}`; `blocks.12 parameters` where that would be long. */
function joinPaths(names: readonly string[]): string {
  if (names.length === 1) return names[0]
  const paths = names.map((name) => name.split('.'))
  const common = commonStart(paths)
  const rest = paths.map((path) => path.slice(common.length).join('.'))
  return [...common, rest.length > 2 ? `${rest.length} parameters` : `{${rest.join(', ')}}`].join('.')
}
