/**
 * The suite's own lowering, so that engines are tested apart from the compiler: one buffer for each value, in the
 * graph's order, no fusion. A composite that the engine doesn't know is taken apart where it stands.
 *
 * Two options let it give an engine what the compiler may: operands that are views, and results in an operand's buffer.
 */
import { isElementwise } from '../../../src/core/operations.js'
import { contiguousStrides, sizeBytes, type TensorType } from '../../../src/core/shape.js'
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
import { inline, parameterName, rewrite, type Graph, type Node, type Value } from '../../../src/graph/index.js'

export interface LowerOptions {
  /** Parameters that are state, each with the result that updates it (undefined: only read). */
  readonly state?: Readonly<Record<string, string | undefined>>
  readonly stepped?: readonly string[]
  /** Reshapes and slices, and what else the engine's `stridedInputs` allow, are views and no instructions. */
  readonly views?: boolean
  /** Elementwise results and scatters lie in the buffer of an operand that is not needed any more. */
  readonly inPlace?: boolean
}

const alignmentBytes = 64

export function lower(graph: Graph, engine: Engine, options: LowerOptions = {}): Program {
  return new Lowering(takeApart(graph, engine), engine, options).program()
}

function takeApart(graph: Graph, engine: Engine): Graph {
  return rewrite(graph, function replace(node, inputs, builder) {
    if (node.operation !== 'composite' || engine.composites.has(node.attributes.name)) return undefined
    return inline(node.decomposition!, inputs, builder, replace)
  })
}

class Lowering {
  private readonly buffers: ProgramBuffer[] = []
  private readonly values: ProgramValue[] = []
  private readonly numbered = new Map<Value, number>()
  /** For a view, the value that it is a view of. */
  private readonly roots: number[] = []
  private readonly instructions: Instruction[] = []
  private readonly results: ReadonlySet<Value>
  private arenaSizeBytes = 0

  constructor(
    private readonly graph: Graph,
    private readonly engine: Engine,
    private readonly options: LowerOptions,
  ) {
    this.results = new Set(graph.results.map(({ value }) => value))
  }

  program(): Program {
    const { graph, options } = this
    const { state = {}, stepped = [] } = options
    const inputs: ProgramInput[] = []
    for (const parameter of graph.parameters) {
      const name = parameterName(parameter)
      const value = this.addValue(parameter, { storage: name in state ? 'state' : 'input' })
      if (!(name in state)) inputs.push({ name, value, stepped: stepped.includes(name) })
    }
    for (const node of graph.nodes) this.lowerNode(node)
    const numberOf = (name: string): number => this.numbered.get(graph.results.find((r) => r.name === name)!.value)!
    const states = Object.entries(state).map(([name, result]): ProgramState => {
      const value = this.numbered.get(graph.parameters.find((parameter) => parameterName(parameter) === name)!)!
      return { name, value, output: result === undefined ? undefined : numberOf(result), isAliased: false }
    })
    const updates = new Set(Object.values(state))
    return {
      name: graph.name,
      buffers: this.buffers,
      values: this.values,
      instructions: this.withLastUses(),
      inputs,
      state: states,
      outputs: graph.results.filter((r) => !updates.has(r.name)).map(({ name }) => ({ name, value: numberOf(name) })),
      arenaSizeBytes: this.arenaSizeBytes,
    }
  }

  private addValue(value: Value, place: Omit<ProgramBuffer, 'sizeBytes' | 'offsetBytes'>): number {
    return this.place(value, { ...value.type, buffer: this.addBuffer(sizeBytes(value.type), place), offsetElements: 0 })
  }

  private addBuffer(size: number, place: Omit<ProgramBuffer, 'sizeBytes' | 'offsetBytes'>): number {
    const isArena = place.storage === 'arena'
    this.buffers.push({ ...place, sizeBytes: size, offsetBytes: isArena ? this.arenaSizeBytes : 0 })
    if (isArena) this.arenaSizeBytes += Math.ceil(size / alignmentBytes) * alignmentBytes
    return this.buffers.length - 1
  }

  private place(value: Value, placed: ProgramValue, root?: number): number {
    const index = this.values.push(placed) - 1
    this.numbered.set(value, index)
    this.roots.push(root ?? index)
    return index
  }

  private lowerNode(node: Node): void {
    if (node.operation === 'parameter') return
    if (node.operation === 'constant') {
      this.addValue(node.outputs[0], { storage: 'constant', data: node.attributes.value })
      return
    }
    if (this.options.views === true && this.lowerToView(node)) return
    const reused = this.reusedBuffer(node)
    const outputs = node.outputs.map((value) =>
      reused === undefined
        ? this.addValue(value, { storage: this.results.has(value) ? 'output' : 'arena' })
        : this.place(value, { ...value.type, buffer: reused, offsetElements: 0 }),
    )
    const instruction = instructionOf(node, this.numbered, outputs)
    const [scratchBytes] = this.engine.scratchBytes?.([instruction], this.values) ?? [0]
    const scratch = scratchBytes > 0 ? this.addBuffer(scratchBytes, { storage: 'arena' }) : undefined
    this.instructions.push({ ...instruction, scratch } as Instruction)
  }

  private lowerToView(node: Node): boolean {
    const [output] = node.outputs
    if (this.results.has(output)) return false
    const [operand] = node.inputs.map((input) => this.numbered.get(input)!)
    const view = viewOf(node, this.values[operand])
    if (view === undefined) return false
    const consumers = this.graph.nodes.filter(({ inputs }) => inputs.includes(output))
    if (!isRowMajor(view) && !consumers.every((consumer) => this.takesStrided(consumer))) return false
    this.place(output, view, this.roots[operand])
    return true
  }

  private takesStrided(node: Node): boolean {
    const name = node.operation === 'composite' ? node.attributes.name : node.operation
    return this.engine.stridedInputs?.has(name as 'composite') ?? false
  }

  /** The buffer of an operand that nobody else reads and that the result fits exactly. */
  private reusedBuffer(node: Node): number | undefined {
    if (this.options.inPlace !== true || !(isElementwise(node.operation) || node.operation === 'scatter'))
      return undefined
    const candidates = node.operation === 'scatter' ? node.inputs.slice(0, 1) : node.inputs
    const [output] = node.outputs
    const isFree = (input: Value): boolean => {
      const { buffer } = this.values[this.numbered.get(input)!]
      const numUses = this.graph.nodes.flatMap(({ inputs }) => inputs).filter((other) => other === input).length
      return (
        this.buffers[buffer].storage === 'arena' && numUses === 1 && sizeBytes(input.type) === sizeBytes(output.type)
      )
    }
    const chosen = candidates.find(isFree)
    return chosen && this.values[this.numbered.get(chosen)!].buffer
  }

  /** Tells each instruction which arena values nobody reads after it, a value together with its views. */
  private withLastUses(): Instruction[] {
    const alive = new Set([...this.results].map((value) => this.roots[this.numbered.get(value)!]))
    return this.instructions
      .toReversed()
      .map((instruction) => {
        const used = new Set([...instruction.inputs, ...instruction.outputs].map((value) => this.roots[value]))
        const dying = [...used].filter((root) => !alive.has(root))
        dying.forEach((root) => alive.add(root))
        const lastUses = [...this.values.keys()].filter((value) => {
          const isArena = this.buffers[this.values[value].buffer].storage === 'arena'
          return isArena && dying.includes(this.roots[value])
        })
        return { ...instruction, lastUses } as Instruction
      })
      .toReversed()
  }
}

/** A node's result as a view of its operand, or undefined where that is impossible. */
function viewOf(node: Node, operand: ProgramValue): ProgramValue | undefined {
  const [{ type }] = node.outputs
  const from = operand.strides ?? contiguousStrides(operand.shape)
  const along = (strides: readonly number[], offset = 0): ProgramValue => ({
    ...operand,
    shape: type.shape,
    strides,
    offsetElements: operand.offsetElements + offset,
  })
  switch (node.operation) {
    case 'reshape':
      return isRowMajor(operand) ? along(contiguousStrides(type.shape)) : undefined
    case 'transpose':
      return along(node.attributes.permutation.map((dim) => from[dim]))
    case 'slice': {
      const { starts, strides } = node.attributes
      return along(
        strides.map((stride, dim) => stride * from[dim]),
        starts.reduce((sum, start, dim) => sum + start * from[dim], 0),
      )
    }
    case 'broadcastInDim': {
      const { dims } = node.attributes
      const sources = type.shape.map((_, dim) => dims.indexOf(dim))
      return along(sources.map((source) => (source < 0 || operand.shape[source] === 1 ? 0 : from[source])))
    }
    default:
      return undefined
  }
}

/** Sizes of 1 have no say: nobody goes along them. */
function isRowMajor({ shape, strides }: ProgramValue): boolean {
  const wanted = contiguousStrides(shape)
  return strides === undefined || shape.every((size, dim) => size === 1 || strides[dim] === wanted[dim])
}

function instructionOf(node: Node, numbered: ReadonlyMap<Value, number>, outputs: readonly number[]): Instruction {
  const instruction = {
    operation: node.operation,
    attributes: node.attributes,
    inputs: node.inputs.map((input) => numbered.get(input)!),
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
  const values: TensorType[] = []
  const number = (value: Value): number => {
    numbered.set(value, values.length)
    return values.push(value.type) - 1
  }
  const inputs = graph.parameters.map(number)
  const constants: { value: number; data: ProgramBody['constants'][number]['data'] }[] = []
  const instructions: Instruction[] = []
  for (const node of graph.nodes) {
    if (node.operation === 'parameter') continue
    const outputs = node.outputs.map(number)
    if (node.operation === 'constant') constants.push({ value: outputs[0], data: node.attributes.value })
    else instructions.push(instructionOf(node, numbered, outputs))
  }
  return { values, constants, inputs, outputs: graph.results.map(({ value }) => numbered.get(value)!), instructions }
}
