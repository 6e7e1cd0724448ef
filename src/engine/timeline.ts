/** The layout of `CallTimes.marks`: for the engines that write them, and for whoever reads them. */
import type { CallTimes } from './engine.js'
import type { Program } from './program.js'

export function marksPerStep({ instructions }: Program): number {
  return instructions.length + 3
}

/** Writes marks, by JavaScript's clock. */
export class Timeline {
  readonly #start = performance.now()
  readonly #steps: number
  readonly #marks: Float64Array
  #next = 0

  constructor(program: Program, steps: number) {
    this.#steps = steps
    this.#marks = new Float64Array(steps * marksPerStep(program))
  }

  mark(): void {
    this.#marks[this.#next++] = (performance.now() - this.#start) / 1000
  }

  get times(): CallTimes {
    return { steps: this.#steps, marks: this.#marks }
  }
}
