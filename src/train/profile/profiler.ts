/**
 * Stands between the loop and the engine while a training is profiled: makes its calls with times, and sums these up.
 *
 * Calls are the same as without it, so the bits are. What is kept is a sum an instruction, whatever the length of the
 * training, and the times themselves of as many steps as a trace can show.
 */
import type { TensorData } from '../../core/shape.js'
import type { CallTimes, EngineProfiling, Executable, MachinePeaks, RunOptions } from '../../engine/engine.js'
import { marksPerStep } from '../../engine/timeline.js'

/** A call as it is kept for the trace. */
export interface TracedCall {
  /** Since the profiler was made. */
  readonly startSeconds: number
  readonly seconds: number
  readonly times: CallTimes
}

/** Sums over calls. */
export class Tally {
  calls = 0
  steps = 0
  /** From making a call to having its result. */
  callSeconds = 0
  /** Within steps, outside instructions: taking in inputs, keeping outputs and state. */
  copySeconds = 0
  /** Of each instruction: the sum, and the shortest and longest time of one step. */
  readonly seconds: Float64Array
  readonly shortest: Float64Array
  readonly longest: Float64Array

  constructor(numInstructions: number) {
    this.seconds = new Float64Array(numInstructions)
    this.shortest = new Float64Array(numInstructions).fill(Infinity)
    this.longest = new Float64Array(numInstructions)
  }

  add({ steps, marks }: CallTimes, callSeconds: number): void {
    this.calls++
    this.steps += steps
    this.callSeconds += callSeconds
    const numInstructions = this.seconds.length
    const width = marks.length / steps
    for (let step = 0; step < steps; step++) {
      const begin = step * width
      for (let index = 0; index < numInstructions; index++) {
        const seconds = marks[begin + index + 2] - marks[begin + index + 1]
        this.seconds[index] += seconds
        this.shortest[index] = Math.min(this.shortest[index], seconds)
        this.longest[index] = Math.max(this.longest[index], seconds)
      }
      const last = begin + width - 1
      this.copySeconds += marks[begin + 1] - marks[begin] + marks[last] - marks[last - 1]
    }
  }
}

/** A trace of more is slow to open. */
const maxTracedMarks = 60_000

export class Profiler {
  readonly executable: Executable
  readonly peaks: MachinePeaks | undefined
  readonly traced: TracedCall[] = []
  readonly #profiling: EngineProfiling
  readonly #start = performance.now()
  readonly #first: Tally
  readonly #rest: Tally
  #numTracedMarks = 0
  #lastEnd: number | undefined
  #betweenSeconds = 0

  constructor(profiling: EngineProfiling, executable: Executable, peaks: MachinePeaks | undefined) {
    this.#profiling = profiling
    this.executable = executable
    this.peaks = peaks
    const { length } = executable.program.instructions
    this.#first = new Tally(length)
    this.#rest = new Tally(length)
  }

  /** Runs a call of the loop's. */
  async run(inputs: Readonly<Record<string, TensorData>>, options: RunOptions): Promise<Record<string, TensorData>> {
    const start = performance.now()
    const { outputs, times } = await this.#profiling.run(this.executable, inputs, options)
    const end = performance.now()
    const seconds = (end - start) / 1000
    if (this.#lastEnd !== undefined) this.#betweenSeconds += (start - this.#lastEnd) / 1000
    this.#lastEnd = end
    const isFirst = this.#first.calls === 0
    ;(isFirst ? this.#first : this.#rest).add(times, seconds)
    this.#keep({ startSeconds: (start - this.#start) / 1000, seconds, times })
    return outputs
  }

  /** The calls that count: all but the first, which touches memory for the first time; that one where there is no other. */
  get tally(): Tally {
    return this.#rest.calls === 0 ? this.#first : this.#rest
  }

  get leavesFirstOut(): boolean {
    return this.#rest.calls > 0
  }

  /** Between the end of a call and the beginning of the next: reports, validation, checkpoints, waiting for data. */
  get betweenSeconds(): number {
    return this.#betweenSeconds
  }

  #keep(call: TracedCall): void {
    this.#numTracedMarks += call.times.steps * marksPerStep(this.executable.program)
    if (this.traced.length === 0 || this.#numTracedMarks <= maxTracedMarks) this.traced.push(call)
  }
}
