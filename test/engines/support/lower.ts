/**
 * The suite's own lowering, so that engines are tested apart from the compiler: one buffer for each value, in the
 * graph's order, no fusion, no views. A composite that the engine doesn't know is taken apart where it stands.
 */
import { invariant } from '../../../src/core/errors.js'
import { sizeBytes } from '../../../src/core/shape.js'
import type { Engine } from '../../../src/engine/engine.js'
import type {
  Instruction,
  Program,
  ProgramBody,
  ProgramBuffer,
  ProgramInput,
  ProgramState,
  ProgramValue,
} from '../../../src/engine/program.js'
import type { Graph, Node, Value } from '../../../src/graph/index.js'
import { inline, parameterName, rewrite } from '../../../src/graph/index.js'

export interface LowerOptions {
  /** Parameters that are state, each with the result that updates it (undefined: only read). */
  readonly state?: Readonly<Record<string, string | undefined>>
  readonly stepped?: readonly string[]
}

const alignmentBytes = 64

export function lower(graph: Graph, engine: Engine, { state = {}, stepped = [] }: LowerOptions = {}): Program {
  const flat = takeApart(graph, engine)
  const buffers: ProgramBuffer[] = []
  const values: ProgramValue[] = []
  const numbered = new Map<Value, number>()
  let arenaSizeBytes = 0
  const addValue = (value: Value, buffer: Omit<ProgramBuffer, 'sizeBytes' | 'offsetBytes'>): number => {
    const size = sizeBytes(value.type)
    buffers.push({ ...buffer, sizeBytes: size, offsetBytes: buffer.storage === 'arena' ? arenaSizeBytes : 0 })
    if (buffer.storage === 'arena') arenaSizeBytes += Math.ceil(size / alignmentBytes) * alignmentBytes
    values.push({ ...value.type, buffer: buffers.length - 1, offsetElements: 0 })
    numbered.set(value, values.length - 1)
    return values.length - 1
  }
  const inputs: ProgramInput[] = []
  const states: { name: string; value: number }[] = []
  for (const parameter of flat.parameters) {
    const name = parameterName(parameter)
    if (name in state) states.push({ name, value: addValue(parameter, { storage: 'state' }) })
    else inputs.push({ name, value: addValue(parameter, { storage: 'input' }), stepped: stepped.includes(name) })
  }
  const results = new Map(flat.results.map(({ name, value }) => [name, value]))
  const isOutput = new Set(results.values())
  const instructions: Instruction[] = []
  for (const node of flat.nodes) {
    if (node.operation === 'parameter') continue
    if (node.operation === 'constant') {
      addValue(node.outputs[0], { storage: 'constant', data: node.attributes.value })
      continue
    }
    const outputs = node.outputs.map((value) => addValue(value, { storage: isOutput.has(value) ? 'output' : 'arena' }))
    instructions.push(instructionOf(node, (value) => numbered.get(value)!, outputs))
  }
  const updates = new Set(Object.values(state))
  return {
    name: flat.name,
    buffers,
    values,
    instructions: withLastUses(instructions, isOutput, numbered),
    inputs,
    state: states.map(({ name, value }): ProgramState => {
      const result = state[name]
      return {
        name,
        value,
        output: result === undefined ? undefined : numbered.get(results.get(result)!),
        isAliased: false,
      }
    }),
    outputs: flat.results
      .filter(({ name }) => !updates.has(name))
      .map(({ name, value }) => ({ name, value: numbered.get(value)! })),
    arenaSizeBytes,
  }
}

function takeApart(graph: Graph, engine: Engine): Graph {
  return rewrite(graph, function replace(node, inputs, builder) {
    if (node.operation !== 'composite' || engine.composites.has(node.attributes.name)) return undefined
    return inline(node.decomposition!, inputs, builder, replace)
  })
}

function instructionOf(node: Node, numberOf: (value: Value) => number, outputs: readonly number[]): Instruction {
  const instruction = {
    operation: node.operation,
    attributes: node.attributes,
    inputs: node.inputs.map(numberOf),
    outputs,
    body: node.decomposition && bodyOf(node.decomposition),
    lastUses: [],
    label: `${node.operation} ${node.id}`,
  }
  return instruction as unknown as Instruction
}

/** The inside of a composite, whose own composites stay. */
function bodyOf(graph: Graph): ProgramBody {
  const numbered = new Map<Value, number>()
  const values: Value[] = []
  const number = (value: Value): number => {
    numbered.set(value, values.length)
    return values.push(value) - 1
  }
  const inputs = graph.parameters.map(number)
  const constants: { value: number; data: ProgramBody['constants'][number]['data'] }[] = []
  const instructions: Instruction[] = []
  for (const node of graph.nodes) {
    if (node.operation === 'parameter') continue
    const outputs = node.outputs.map(number)
    if (node.operation === 'constant') constants.push({ value: outputs[0], data: node.attributes.value })
    else instructions.push(instructionOf(node, (value) => numbered.get(value)!, outputs))
  }
  const results = graph.results.map(({ value }) => numbered.get(value)!)
  const keep = new Set(graph.results.map(({ value }) => value))
  return {
    values: values.map(({ type }) => type),
    constants,
    inputs,
    outputs: results,
    instructions: withLastUses(instructions, keep, numbered),
  }
}

/** Tells each instruction which values nobody reads after it; results of the graph are read by the caller. */
function withLastUses(
  instructions: readonly Instruction[],
  results: ReadonlySet<Value>,
  numbered: ReadonlyMap<Value, number>,
): Instruction[] {
  const alive = new Set([...results].map((value) => numbered.get(value)!))
  invariant(!alive.has(undefined as never), 'each result is computed')
  return instructions
    .toReversed()
    .map((instruction) => {
      const lastUses = [...new Set([...instruction.inputs, ...instruction.outputs])].filter(
        (value) => !alive.has(value),
      )
      lastUses.forEach((value) => alive.add(value))
      return { ...instruction, lastUses } as Instruction
    })
    .toReversed()
}
