/**
 * From the fused and ordered graph to a `Program`: parameters become state and inputs, constants become buffers, views
 * become values of the buffers they look into, and everything else becomes an instruction.
 */
import { invariant } from '../core/errors.js'
import type { BufferStorage, Instruction, InstructionOperation, Program, ProgramValue } from '../engine/program.js'
import { formatType, sameType, sizeBytes } from '../core/shape.js'
import { isSource, parameterName, type Graph, type Node, type Value } from '../graph/index.js'
import { labelOf } from './label.js'
import { Bodies } from './lowerBody.js'
import { planMemory, type Draft, type DraftInstruction, type DraftStorage, type DraftValue, type MemoryFigures, type PlannedMemory } from './memory/index.js' // prettier-ignore
import type { CompileOptions, CompileTarget } from './options.js'
import { Texts } from './text.js'
import { isView, type ViewPlan } from './views.js'

export interface Lowered {
  readonly program: Program
  readonly plan: MemoryFigures
  /** The program before its memory was planned, for checking the plan. */
  readonly draft: Draft
}

export function lower(
  graph: Graph,
  views: ViewPlan,
  target: CompileTarget,
  options: CompileOptions,
  allowInPlace: boolean,
): Lowered {
  const lowering = new Lowering(graph, views, options)
  const draft = lowering.draft()
  const scratchSizes = findScratchSizes(draft, target)
  const memory = planMemory(draft, scratchSizes, allowInPlace)
  return { program: lowering.program(draft, memory), plan: memory.figures, draft }
}

/** Asks the engine, once for all instructions that are alike, before anything has a place: `buffer`s mean nothing yet. */
function findScratchSizes({ instructions, values }: Draft, target: CompileTarget): readonly number[] {
  if (target.scratchBytes === undefined) return instructions.map(() => 0)
  const unplaced = values.map(({ storage, ...value }): ProgramValue => ({ ...value, buffer: storage }))
  const texts = new Texts()
  const typeTexts = values.map((value) => `${formatType(value)}${value.strides?.join() ?? ''}`)
  const kinds = new Map<string, number>()
  const asked: Instruction[] = []
  const kindOf = instructions.map((instruction) => {
    const { operation, attributes, inputs, outputs, body } = instruction
    const types = [...inputs, ...outputs].map((value) => typeTexts[value])
    const text = `${operation} ${texts.of(attributes)} ${types.join(' ')} ${body === undefined ? '' : texts.identityOf(body)}`
    const kind = kinds.get(text) ?? asked.push({ ...instruction, lastUses: [], label: operation } as Instruction) - 1
    kinds.set(text, kind)
    return kind
  })
  const sizes = target.scratchBytes(asked, unplaced)
  return kindOf.map((kind) => sizes[kind])
}

class Lowering {
  private readonly storages: DraftStorage[] = []
  private readonly values: DraftValue[] = []
  private readonly indices = new Map<Value, number>()
  private readonly bodies = new Bodies()
  private readonly nodes: readonly Node[]
  private readonly outputs: readonly { readonly name: string; readonly value: Value }[]
  private readonly outputRoots: ReadonlySet<Value>
  private readonly stateOf: ReadonlyMap<string, string | undefined>

  constructor(
    private readonly graph: Graph,
    private readonly views: ViewPlan,
    private readonly options: CompileOptions,
  ) {
    this.stateOf = new Map(Object.entries(options.state ?? {}))
    const updates = new Set(this.stateOf.values())
    this.outputs = graph.results.filter(({ name }) => !updates.has(name))
    this.outputRoots = new Set(this.outputs.map(({ value }) => views.get(value)!.root))
    this.nodes = graph.nodes.filter((node) => !isSource(node) && !isView(node, views))
  }

  draft(): Draft {
    for (const node of this.graph.nodes) node.outputs.forEach((output) => this.place(output))
    const instructions = this.nodes.map((node): DraftInstruction => ({
      operation: node.operation as InstructionOperation,
      attributes: node.attributes,
      inputs: node.inputs.map((input) => this.indexOf(input)),
      outputs: node.outputs.map((output) => this.indexOf(output)),
      body: node.decomposition && this.bodies.of(node.decomposition),
    }))
    return { storages: this.storages, values: this.values, instructions, state: this.state() }
  }

  program(draft: Draft, memory: PlannedMemory): Program {
    const { buffers, bufferOf, figures } = memory
    const valuesOf = this.valuesOfStorages()
    const values = this.values.map(({ storage, ...value }): ProgramValue => ({ ...value, buffer: bufferOf[storage] }))
    const instructions = draft.instructions.map((instruction, position) => {
      const node = this.nodes[position]
      const lastUses = memory.dying[position].flatMap((storage) => valuesOf[storage])
      const scratch = memory.scratch[position]
      return { ...instruction, lastUses, scratch, get label() { return labelOf(node) } } as Instruction // prettier-ignore
    })
    const inputs = this.graph.parameters
      .filter((parameter) => !this.stateOf.has(parameterName(parameter)))
      .map((parameter) => {
        const name = parameterName(parameter)
        return { name, value: this.indexOf(parameter), stepped: this.options.steppedInputs?.has(name) ?? false }
      })
    const state = draft.state.map((entry, index) => ({ ...entry, isAliased: memory.isAliased[index] }))
    const outputs = this.outputs.map(({ name, value }) => ({ name, value: this.indexOf(value) }))
    return {
      name: this.graph.name,
      buffers,
      values,
      instructions,
      inputs,
      state,
      outputs,
      arenaSizeBytes: figures.arenaBytes,
    }
  }

  private place(value: Value): void {
    const { root, offsetElements, strides } = this.views.get(value)!
    const storage = root === value ? this.addStorage(value) : this.values[this.indexOf(root)].storage
    const { dtype, shape } = value.type
    const layout = strides === undefined ? {} : { strides }
    this.indices.set(value, this.values.push({ dtype, shape, storage, offsetElements, ...layout }) - 1)
  }

  private addStorage(value: Value): number {
    const data = value.node.operation === 'constant' ? value.node.attributes.value : undefined
    return this.storages.push({ kind: this.storageKind(value), sizeBytes: sizeBytes(value.type), data }) - 1
  }

  private storageKind(value: Value): BufferStorage {
    const { operation } = value.node
    if (operation === 'constant') return 'constant'
    if (operation === 'parameter') return this.stateOf.has(parameterName(value)) ? 'state' : 'input'
    return this.outputRoots.has(value) ? 'output' : 'arena'
  }

  private state(): Draft['state'] {
    const parameters = new Map(this.graph.parameters.map((parameter) => [parameterName(parameter), parameter]))
    const results = new Map(this.graph.results.map(({ name, value }) => [name, value]))
    return [...this.stateOf].map(([name, resultName]) => {
      const parameter = parameters.get(name)
      const result = resultName === undefined ? undefined : results.get(resultName)
      invariant(parameter !== undefined, `state ${name} is a parameter of ${this.graph.name}`)
      invariant(
        resultName === undefined || result !== undefined,
        `${resultName}, the new value of ${name}, is a result of ${this.graph.name}`,
      )
      const keepsType = result === undefined || sameType(result.type, parameter.type)
      invariant(keepsType, `the new value of ${name} is of its type`)
      return { name, value: this.indexOf(parameter), output: result && this.indexOf(result) }
    })
  }

  private valuesOfStorages(): number[][] {
    const valuesOf = this.storages.map((): number[] => [])
    this.values.forEach(({ storage }, index) => valuesOf[storage].push(index))
    return valuesOf
  }

  private indexOf(value: Value): number {
    return this.indices.get(value)!
  }
}
