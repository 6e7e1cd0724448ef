/** What a profile says: each instruction's time beside what it computes and moves, and the time that is in none. */
import { programCost } from '../../compile/index.js'
import type { MachinePeaks } from '../../engine/engine.js'
import type { Instruction, Program } from '../../engine/program.js'
import { nameInstructions, type InstructionName } from './names.js'
import type { Profiler } from './profiler.js'
import { kindOf, leastSeconds } from './roofline.js'

/** Of one step; seconds are means over the steps measured. */
export interface Measure {
  readonly seconds: number
  /** The shortest that an instruction took in any of the steps; of several, these added up. Others may be at work here. */
  readonly bestSeconds: number
  readonly flops: number
  readonly bytes: number
  /** What the machine's peaks allow at best, instruction by instruction; undefined where there are no peaks. */
  readonly leastSeconds: number | undefined
}

export interface ProfiledInstruction extends Measure, InstructionName {
  /** Its place in the program. */
  readonly index: number
  readonly kind: string
  readonly longestSeconds: number
}

/** Instructions taken together. */
export interface ProfiledGroup extends Measure {
  readonly name: string
  readonly count: number
}

export interface Profile {
  /** The engine, in one line. */
  readonly engine: string
  readonly precision: string
  readonly peaks: MachinePeaks | undefined
  readonly steps: number
  readonly calls: number
  /** Whether there was a first call that does not count: it touches memory for the first time. */
  readonly leavesFirstOut: boolean
  /** Of one step, and what it consists of: the parts sum up to it. */
  readonly stepSeconds: number
  readonly instructionSeconds: number
  /** Taking in inputs, keeping outputs and state. */
  readonly copySeconds: number
  /** Of the call, outside its steps: getting to the engine's thread and back. */
  readonly callSeconds: number
  /** All calls: reports, validation, checkpoints and waiting for data between them. No part of the step's time. */
  readonly betweenCallsSeconds: number
  readonly total: Measure
  /** By kernel, and by kernel and types; the slowest first. */
  readonly kinds: readonly ProfiledGroup[]
  readonly alike: readonly ProfiledGroup[]
  /** In the program's order. */
  readonly instructions: readonly ProfiledInstruction[]
}

export interface ProfiledRun {
  readonly engine: string
  readonly precision: string
}

export function makeProfile(profiler: Profiler, { engine, precision }: ProfiledRun): Profile {
  const { tally, peaks, leavesFirstOut, betweenSeconds, executable } = profiler
  const { steps, calls } = tally
  const instructions = measureInstructions(profiler)
  const total = sumUp(instructions)
  const stepSeconds = tally.callSeconds / steps
  const copySeconds = tally.copySeconds / steps
  return {
    engine,
    precision,
    peaks,
    steps,
    calls,
    leavesFirstOut,
    stepSeconds,
    instructionSeconds: total.seconds,
    copySeconds,
    callSeconds: stepSeconds - total.seconds - copySeconds,
    betweenCallsSeconds: betweenSeconds,
    total,
    kinds: groupBy(instructions, ({ index }) =>
      describeKind(executable.program.instructions[index], executable.program),
    ),
    alike: groupBy(instructions, ({ operation, types }) => `${operation}  ${types}`),
    instructions,
  }
}

function measureInstructions({ executable: { program }, tally, peaks }: Profiler): ProfiledInstruction[] {
  const { each } = programCost(program)
  const names = nameInstructions(program)
  return program.instructions.map((instruction, index) => ({
    index,
    kind: kindOf(instruction),
    ...names[index],
    seconds: tally.seconds[index] / tally.steps,
    bestSeconds: tally.shortest[index],
    longestSeconds: tally.longest[index],
    ...each[index],
    leastSeconds: peaks && leastSeconds(instruction, program, each[index], peaks),
  }))
}

/** A kernel by its name and the element type that it reads: `dotGeneral bf16`. */
function describeKind(instruction: Instruction, { values }: Program): string {
  const [first = instruction.outputs[0]] = instruction.inputs
  return `${kindOf(instruction)} ${values[first].dtype}`
}

function groupBy(
  instructions: readonly ProfiledInstruction[],
  nameOf: (instruction: ProfiledInstruction) => string,
): ProfiledGroup[] {
  const groups = new Map<string, ProfiledInstruction[]>()
  for (const instruction of instructions) {
    const name = nameOf(instruction)
    const members = groups.get(name)
    if (members === undefined) groups.set(name, [instruction])
    else members.push(instruction)
  }
  return [...groups]
    .map(([name, members]): ProfiledGroup => ({ name, count: members.length, ...sumUp(members) }))
    .toSorted((left, right) => right.seconds - left.seconds)
}

function sumUp(measures: readonly Measure[]): Measure {
  const total = (of: (measure: Measure) => number): number => measures.reduce((sum, measure) => sum + of(measure), 0)
  const hasRoofline = measures.every(({ leastSeconds: least }) => least !== undefined)
  return {
    seconds: total(({ seconds }) => seconds),
    bestSeconds: total(({ bestSeconds }) => bestSeconds),
    flops: total(({ flops }) => flops),
    bytes: total(({ bytes }) => bytes),
    leastSeconds: hasRoofline ? total(({ leastSeconds: least }) => least ?? 0) : undefined,
  }
}
