/**
 * The reference engine: plain TypeScript in double precision, the executable specification of the operations. It is
 * slow, and it is what the other engines and the derivatives are checked against.
 *
 * Floats are doubles within a step, whatever their type: only what leaves a step (state and outputs) is rounded, so that
 * checkpoints are exact, and so is what `convert` makes bf16 of.
 */
import { isFloat } from '../../core/dtype.js'
import { invariant } from '../../core/errors.js'
import { numElements, tensorData, tensorType, type TensorData, type TensorType } from '../../core/shape.js'
import { boundState, checkData, checkInputs, stackRows } from '../boundary.js'
import type { Engine, EngineBuffer, Executable, NonFiniteFinding, RunOptions, TimedRun } from '../engine.js'
import type { Program } from '../program.js'
import { Timeline } from '../timeline.js'
import { execute, operations } from './kernels/index.js'
import { Memory } from './memory.js'
import { fromHost, numbersOf, roundTo, toHost, type Numbers } from './tensor.js'

class ReferenceBuffer implements EngineBuffer {
  readonly numbers: Numbers

  constructor(
    readonly type: TensorType,
    data: TensorData | undefined,
  ) {
    this.numbers = numbersOf(type)
    if (data !== undefined) this.set(data)
  }

  async read(into = tensorData(this.type.dtype, this.type.shape)): Promise<TensorData> {
    checkData('read', this.type, into)
    toHost(this.numbers, into, 0)
    return into
  }

  async write(data: TensorData): Promise<void> {
    this.set(data)
  }

  private set(data: TensorData): void {
    checkData('write', this.type, data)
    this.numbers.set(fromHost(data, 0, this.numbers.length))
  }
}

type Inputs = Readonly<Record<string, TensorData>>
/** Looks at values as they come into being; true ends the step. */
type Watch = (value: number, label: string, operation: string) => boolean

class ReferenceExecutable implements Executable {
  private readonly memory: Memory

  constructor(
    readonly program: Program,
    private readonly state: readonly ReferenceBuffer[],
  ) {
    this.memory = new Memory(program)
    program.state.forEach(({ value }, index) => {
      const { buffer, dtype } = program.values[value]
      this.memory.bind(buffer, dtype, state[index].numbers)
    })
  }

  async run(inputs: Inputs, options: RunOptions = {}): Promise<Record<string, TensorData>> {
    return this.runSteps(inputs, options)
  }

  async runTimed(inputs: Inputs, options: RunOptions = {}): Promise<TimedRun> {
    const timeline = new Timeline(this.program, options.steps ?? 1)
    return { outputs: this.runSteps(inputs, options, timeline), times: timeline.times }
  }

  private runSteps(given: Inputs, options: RunOptions, timeline?: Timeline): Record<string, TensorData> {
    checkInputs(this.program, given, options)
    const inputs = stackRows(this.program, given, options)
    const { steps } = options
    const outputs = this.program.outputs.map(({ name, value }): [string, TensorData] => {
      const { dtype, shape } = this.program.values[value]
      return [name, tensorData(dtype, steps === undefined ? shape : [steps, ...shape])]
    })
    for (let step = 0; step < (steps ?? 1); step++) {
      timeline?.mark()
      this.runStep(inputs, step, () => false, timeline)
      this.program.outputs.forEach(({ value }, index) => {
        const { data } = this.memory.read(value)
        toHost(data, outputs[index][1], step * data.length)
      })
      this.keepState()
      timeline?.mark()
    }
    return Object.fromEntries(outputs)
  }

  async findNonFinite(inputs: Inputs): Promise<NonFiniteFinding | undefined> {
    checkInputs(this.program, inputs)
    const before = this.state.map(({ numbers }) => numbers.slice())
    let finding: NonFiniteFinding | undefined
    this.runStep(inputs, 0, (value, label, operation) => {
      const { dtype, shape, data } = this.memory.read(value)
      const isFine = !isFloat(dtype) || (data as Float64Array).every((x) => Number.isFinite(roundTo(dtype, x)))
      if (!isFine) finding = { label, operation, type: tensorType(dtype, shape) }
      return !isFine
    })
    this.state.forEach(({ numbers }, index) => numbers.set(before[index]))
    return finding
  }

  private runStep(inputs: Inputs, step: number, watch: Watch, timeline?: Timeline): void {
    const { program, memory } = this
    for (const { name, value } of program.state) {
      if (watch(value, `state ${name}`, 'parameter')) return
    }
    for (const { name, value, stepped } of program.inputs) {
      const count = numElements(program.values[value].shape)
      memory.write(value, fromHost(inputs[name], stepped ? step * count : 0, count))
      if (watch(value, `input ${name}`, 'parameter')) return
    }
    timeline?.mark()
    for (const instruction of program.instructions) {
      const operands = instruction.inputs.map((input) => memory.read(input))
      const results = execute(instruction, operands, program.values)
      instruction.outputs.forEach((output, index) => memory.write(output, results[index]))
      if (instruction.outputs.some((output) => watch(output, instruction.label, instruction.operation))) return
      timeline?.mark()
    }
  }

  /** Every new value is taken before the first is stored: one may be another entry's old value. */
  private keepState(): void {
    const updated = this.program.state.map(({ output }) =>
      output === undefined ? undefined : this.memory.read(output),
    )
    updated.forEach((tensor, index) => {
      if (tensor !== undefined) this.state[index].numbers.set(tensor.data.map((x) => roundTo(tensor.dtype, x)))
    })
  }
}

/** @returns the reference engine: every operation and element type, one thread, no kernels for composites */
export function createReferenceEngine(): Engine {
  return {
    name: 'reference',
    composites: new Set(),
    dtypes: new Set(['f64', 'f32', 'bf16', 'i32', 'u32', 'u8', 'bool']),
    stridedInputs: new Set(operations),
    takesRows: true,
    description: 'reference: plain TypeScript in double precision, one thread',
    allocate: (type, data) => new ReferenceBuffer(type, data),
    load: async (program, state) => {
      const buffers = boundState(program, state).map((buffer) => {
        invariant(buffer instanceof ReferenceBuffer, 'state of the reference engine is in buffers of its own')
        return buffer
      })
      return new ReferenceExecutable(program, buffers)
    },
    profiling: {
      run: async (executable, inputs, options) => {
        invariant(executable instanceof ReferenceExecutable, 'the reference engine times executables of its own')
        return executable.runTimed(inputs, options)
      },
    },
  }
}
