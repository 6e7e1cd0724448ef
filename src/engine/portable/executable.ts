/** A program loaded into the portable engine: a chain of compiled segments from state and inputs to new state and outputs. */
import { dtypes, isFloat, type HostArray } from '../../core/dtype.js'
import { numElements, type TensorData, type TensorType } from '../../core/shape.js'
import { checkInputs } from '../boundary.js'
import type { Executable, NonFiniteFinding, RunOptions } from '../engine.js'
import type { Program } from '../program.js'
import type { PortableBuffer } from './buffer.js'
import { fromDevice, toDevice } from './dtypes.js'
import { cutSegments, planProgram, type Plan } from './plan.js'
import type { Queue } from './queue.js'
import { compileSegment, type CompiledSegment } from './segment.js'
import type { DeviceArray } from './term.js'

type Inputs = Readonly<Record<string, TensorData>>
type Arrays = Map<number, DeviceArray>

/** What a segment may store before it is cut: enough for a small model's step to be one segment. */
const defaultSegmentBytes = 256 * 2 ** 20

/** How long steps may keep the thread from the event loop's timers and signals. */
const longestTurnMs = 20

/** Arrays and functions on the device that go with an executable, released once nobody holds it. */
interface Holdings {
  readonly constants: Arrays
  readonly segments: Map<number, readonly CompiledSegment[]>
}

const abandoned = new FinalizationRegistry<Holdings>(({ constants, segments }) => {
  for (const array of constants.values()) array.dispose()
  for (const compiled of segments.values()) compiled.forEach((segment) => segment.dispose())
})

export class PortableExecutable implements Executable {
  private readonly plan: Plan
  private readonly holdings: Holdings
  private turnStartMs = 0

  constructor(
    readonly program: Program,
    private readonly state: readonly PortableBuffer[],
    private readonly queue: Queue,
    private readonly segmentBytes = defaultSegmentBytes,
  ) {
    this.plan = planProgram(program)
    const upload = ([slot, data]: readonly [number, TensorData]): [number, DeviceArray] => [
      slot,
      toDevice(data, data, 0, data.data.length, program.name),
    ]
    this.holdings = { constants: new Map([...this.plan.constants].map(upload)), segments: new Map() }
    abandoned.register(this, this.holdings)
  }

  async run(inputs: Inputs, { steps }: RunOptions = {}): Promise<Record<string, TensorData>> {
    checkInputs(this.program, inputs, { steps })
    return this.queue.run(this.program.name, async () => {
      const outputs = this.program.outputs.map(({ name, value }): [string, TensorData] => {
        const { dtype, shape } = this.program.values[value]
        const whole = steps === undefined ? shape : [steps, ...shape]
        return [name, { dtype, shape: whole, data: dtypes[dtype].allocate(numElements(whole)) }]
      })
      await this.withFixedInputs(inputs, async (fixed) => {
        for (let step = 0; step < (steps ?? 1); step++) {
          const rows = await this.runStep(inputs, fixed, step)
          rows.forEach((row, index) => outputs[index][1].data.set(row, step * row.length))
          await this.takeTurns()
        }
      })
      return Object.fromEntries(outputs)
    })
  }

  async findNonFinite(inputs: Inputs): Promise<NonFiniteFinding | undefined> {
    checkInputs(this.program, inputs)
    return this.queue.run(this.program.name, () =>
      this.withFixedInputs(inputs, async (fixed) => {
        const arrays = this.startStep(inputs, fixed, 0)
        try {
          return (await this.checkGiven(inputs)) ?? (await this.checkSteps(arrays))
        } finally {
          releaseAll(arrays)
        }
      }),
    )
  }

  /** One step; its outputs. The state changes at the end alone, when nothing can fail any more. */
  private async runStep(inputs: Inputs, fixed: Arrays, step: number): Promise<HostArray[]> {
    const arrays = this.startStep(inputs, fixed, step)
    try {
      for (const segment of this.segments(this.segmentBytes)) await this.runSegment(segment, arrays)
      const { outputs, newState, types } = this.plan
      const rows: HostArray[] = []
      for (const slot of outputs) rows.push(await fromDevice(arrays.get(slot)!, types[slot]))
      newState.forEach((slot, index) => {
        if (slot !== undefined) this.state[index].replace(arrays.get(slot)!.ref)
      })
      return rows
    } finally {
      releaseAll(arrays)
    }
  }

  /** References to the constants, the state and the inputs of one step. */
  private startStep(inputs: Inputs, fixed: Arrays, step: number): Arrays {
    const { constants } = this.holdings
    const arrays: Arrays = new Map([...constants, ...fixed].map(([slot, array]) => [slot, array.ref]))
    this.plan.state.forEach((slot, index) => arrays.set(slot, this.state[index].array.ref))
    this.program.inputs.forEach(({ name, stepped }, index) => {
      if (!stepped) return
      const slot = this.plan.inputs[index]
      const type = this.plan.types[slot]
      const count = numElements(type.shape)
      arrays.set(slot, toDevice(type, inputs[name], step * count, count, this.program.name))
    })
    return arrays
  }

  /** Runs `work` with the inputs that are the same for every step. */
  private async withFixedInputs<T>(inputs: Inputs, work: (fixed: Arrays) => Promise<T>): Promise<T> {
    const fixed: Arrays = new Map()
    this.program.inputs.forEach(({ name, stepped }, index) => {
      if (stepped) return
      const slot = this.plan.inputs[index]
      const type = this.plan.types[slot]
      fixed.set(slot, toDevice(type, inputs[name], 0, numElements(type.shape), this.program.name))
    })
    try {
      return await work(fixed)
    } finally {
      releaseAll(fixed)
    }
  }

  private async runSegment({ inputs, outputs, released, call }: CompiledSegment, arrays: Arrays): Promise<void> {
    const results = call(inputs.map((slot) => arrays.get(slot)!.ref))
    outputs.forEach((slot, index) => arrays.set(slot, results[index]))
    // jax-js queues kernels until a result is asked for; any one of a segment's results stands for all.
    await results[0].blockUntilReady()
    for (const slot of released) {
      arrays.get(slot)!.dispose()
      arrays.delete(slot)
    }
  }

  private segments(segmentBytes: number): readonly CompiledSegment[] {
    const { segments } = this.holdings
    const known = segments.get(segmentBytes)
    if (known !== undefined) return known
    const { types, constants } = this.plan
    const compiled = cutSegments(this.plan, segmentBytes).map((segment) => compileSegment(segment, types, constants)) // prettier-ignore
    segments.set(segmentBytes, compiled)
    return compiled
  }

  private async checkGiven(inputs: Inputs): Promise<NonFiniteFinding | undefined> {
    for (const [index, { name }] of this.program.state.entries()) {
      const type = this.state[index].type
      const isFine = await isFiniteArray(this.state[index].array, type)
      if (!isFine) return { label: `state ${name}`, operation: 'parameter', type }
    }
    for (const { name, value } of this.program.inputs) {
      const { dtype, shape } = this.program.values[value]
      const count = numElements(shape)
      const isFine = !isFloat(dtype) || allFinite(inputs[name].data.subarray(0, count))
      if (!isFine) return { label: `input ${name}`, operation: 'parameter', type: { dtype, shape } }
    }
    return undefined
  }

  /** Runs the steps one by one and looks at what each gives. */
  private async checkSteps(arrays: Arrays): Promise<NonFiniteFinding | undefined> {
    for (const segment of this.segments(0)) {
      await this.runSegment(segment, arrays)
      const [{ label, operation }] = segment.steps
      for (const slot of segment.outputs) {
        const type = this.plan.types[slot]
        if (!(await isFiniteArray(arrays.get(slot)!, type))) return { label, operation, type }
      }
      await this.takeTurns()
    }
    return undefined
  }

  /** Lets timers and signals have their turn, if steps have run for a while. */
  private async takeTurns(): Promise<void> {
    if (performance.now() - this.turnStartMs < longestTurnMs) return
    await new Promise((resolve) => setTimeout(resolve, 0))
    this.turnStartMs = performance.now()
  }
}

function releaseAll(arrays: Arrays): void {
  for (const array of arrays.values()) array.dispose()
  arrays.clear()
}

async function isFiniteArray(array: DeviceArray, type: TensorType): Promise<boolean> {
  return !isFloat(type.dtype) || allFinite(await fromDevice(array, type))
}

function allFinite(data: HostArray): boolean {
  return data.every((x) => Number.isFinite(x))
}
