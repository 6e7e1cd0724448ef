/**
 * From a program over buffers to one over arrays.
 *
 * jax-js owns arrays one by one, so there are no buffers here: each array ("slot") is written once, by one step. Values
 * that no instruction writes are views of what their buffer holds at that time, and become steps of their own.
 *
 * The steps are cut into segments, each of which `jit` makes one function of. A segment as long as the whole program
 * would be fastest, but the memory of everything computed in a segment is held until its end (jax-js allocates when it
 * queues its kernels), so that the cuts are what lets memory be used again.
 *
 * Liveness is counted in slots, not taken from `lastUses`: a view here is an array that may outlive the value it is of.
 */
import { invariant } from '../../core/errors.js'
import { isElementwise } from '../../core/operations.js'
import {
  contiguousStrides,
  numElements,
  sameShape,
  sizeBytes,
  type TensorData,
  type TensorType,
} from '../../core/shape.js'
import type { Instruction, InstructionOperation, Program, ProgramValue } from '../program.js'
import { assertSupported, lowerInstruction } from './lowering/index.js'
import { stridedView } from './lowering/movement.js'
import type { Scope, Term } from './term.js'

export interface Step {
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  readonly label: string
  readonly operation: string
  readonly lower: (operands: readonly Term[], scope: Scope) => readonly Term[]
  readonly kind: StepKind
}

/**
 * What `jit` does with a step: arithmetic becomes part of the kernels that read it, movement of their index expressions;
 * results of anything else are stored.
 */
export type StepKind = 'arithmetic' | 'movement' | 'stored'

/** Neighbouring steps that run as one function from arrays to arrays. */
export interface Segment {
  readonly steps: readonly Step[]
  /** Slots from outside. */
  readonly inputs: readonly number[]
  /** Slots that are read outside. */
  readonly outputs: readonly number[]
  /** Slots that nobody reads after the segment, of those that it reads or makes. */
  readonly released: readonly number[]
}

export interface Plan {
  readonly types: readonly TensorType[]
  readonly steps: readonly Step[]
  readonly constants: ReadonlyMap<number, TensorData>
  /** In the order of the program's state, inputs and outputs. */
  readonly state: readonly number[]
  readonly inputs: readonly number[]
  readonly newState: readonly (number | undefined)[]
  readonly outputs: readonly number[]
}

export function planProgram(program: Program): Plan {
  const planner = new Planner(program)
  program.instructions.forEach((instruction) => planner.addInstruction(instruction))
  return planner.plan
}

class Planner {
  private readonly types: TensorType[] = []
  private readonly steps: Step[] = []
  private readonly constants = new Map<number, TensorData>()
  private readonly slotOf = new Map<number, number>()
  /** The slot that each buffer holds, all of it. */
  private readonly held = new Map<number, number>()
  private readonly state: readonly number[]
  private readonly inputs: readonly number[]

  constructor(private readonly program: Program) {
    program.buffers.forEach(({ data }, buffer) => {
      if (data === undefined) return
      const slot = this.addSlot(data)
      this.constants.set(slot, data)
      this.held.set(buffer, slot)
    })
    this.state = program.state.map(({ value }) => this.define(value))
    this.inputs = program.inputs.map(({ value }) => this.define(value))
  }

  get plan(): Plan {
    const { types, steps, constants, state, inputs, program } = this
    const newState = program.state.map(({ output }) => (output === undefined ? undefined : this.read(output)))
    const outputs = program.outputs.map(({ value }) => this.read(value))
    return { types, steps, constants, state, inputs, newState, outputs }
  }

  addInstruction(instruction: Instruction): void {
    const inputs = instruction.inputs.map((value) => this.read(value))
    const types = instruction.outputs.map((value) => this.program.values[value])
    assertSupported(instruction, types)
    const { operation, label } = instruction
    this.steps.push({
      inputs,
      outputs: instruction.outputs.map((value) => this.define(value)),
      label,
      operation,
      lower: (operands, scope) => lowerInstruction(instruction, operands, types, scope),
      kind: kindOf(operation),
    })
  }

  private addSlot({ dtype, shape }: TensorType): number {
    return this.types.push({ dtype, shape }) - 1
  }

  /** A new slot for a value that fills its buffer. */
  private define(value: number): number {
    const { buffer, offsetElements, strides, ...type } = this.program.values[value]
    const isWhole = offsetElements === 0 && (strides === undefined || sameShape(strides, contiguousStrides(type.shape)))
    invariant(isWhole, `value ${value} begins at the start of its buffer and is row-major`)
    const slot = this.addSlot(type)
    this.slotOf.set(value, slot)
    this.held.set(buffer, slot)
    return slot
  }

  private read(value: number): number {
    const slot = this.slotOf.get(value) ?? this.view(this.program.values[value])
    this.slotOf.set(value, slot)
    return slot
  }

  /** The slot of a value that looks into what its buffer holds. */
  private view({ buffer, offsetElements, strides, dtype, shape }: ProgramValue): number {
    const source = this.held.get(buffer)
    invariant(source !== undefined, `buffer ${buffer} is written before it is read`)
    const type = this.types[source]
    invariant(type.dtype === dtype, `a view of ${type.dtype} is not of ${dtype}`)
    const steps = strides ?? contiguousStrides(shape)
    if (offsetElements === 0 && sameShape(type.shape, shape) && sameShape(steps, contiguousStrides(shape)))
      return source
    const slot = this.addSlot({ dtype, shape })
    const isEmpty = numElements(shape) === 0
    this.steps.push({
      inputs: [source],
      outputs: [slot],
      label: 'view',
      operation: 'reshape',
      lower: ([x], scope) => [isEmpty ? scope.full(shape, 0, x.dtype) : stridedView(x, shape, steps, offsetElements)],
      kind: 'movement',
    })
    return slot
  }
}

function kindOf(operation: InstructionOperation): StepKind {
  if (isElementwise(operation)) return 'arithmetic'
  return movements.has(operation) ? 'movement' : 'stored'
}

const movements: ReadonlySet<string> = new Set(['broadcastInDim', 'reshape', 'transpose', 'slice', 'reverse', 'optimizationBarrier', 'iota']) // prettier-ignore

/** Cuts the steps into segments that store about `segmentBytes` each. 0 cuts after every step. */
export function cutSegments({ types, steps, newState, outputs }: Plan, segmentBytes: number): Segment[] {
  const groups: Step[][] = [[]]
  let storedBytes = 0
  for (const step of steps) {
    if (storedBytes > segmentBytes || (segmentBytes === 0 && groups[0].length > 0)) {
      groups.push([])
      storedBytes = 0
    }
    groups.at(-1)!.push(step) // there is always one
    if (step.kind === 'stored') storedBytes += step.outputs.reduce((sum, slot) => sum + sizeBytes(types[slot]), 0)
  }
  const lastGroup = new Map<number, number>()
  groups.forEach((group, index) => group.forEach(({ inputs }) => inputs.forEach((slot) => lastGroup.set(slot, index))))
  for (const slot of [...newState, ...outputs]) if (slot !== undefined) lastGroup.set(slot, groups.length)
  return groups.map((group, index) => segmentOf(group, index, lastGroup)).filter(({ outputs }) => outputs.length > 0) // prettier-ignore
}

function segmentOf(steps: readonly Step[], index: number, lastGroup: ReadonlyMap<number, number>): Segment {
  const made = new Set(steps.flatMap(({ outputs }) => outputs))
  const inputs = [...new Set(steps.flatMap((step) => step.inputs))].filter((slot) => !made.has(slot))
  const outputs = [...made].filter((slot) => (lastGroup.get(slot) ?? -1) > index)
  return { steps, inputs, outputs, released: inputs.filter((slot) => lastGroup.get(slot) === index) }
}
