/** How many trials fit at once: cores are shared out evenly, memory is given to each by its own plan. */
import { availableParallelism } from 'node:os'
import { availableMemoryBytes } from '../train/memory.js'

/** What a process of Node takes before the first buffer of its plan, measured. */
const processBytes = 120e6
/** Of what is free, for what plans don't know. */
const usableShare = 0.9

/**
 * @param threads of each, where the user says so
 * @param memoryBytes that the plan of one says
 */
export function trialsAtOnce(threads: number | undefined, memoryBytes: number, numTrials: number): number {
  const byCores = Math.floor(availableParallelism() / (threads ?? 1))
  const byMemory = Math.floor((usableShare * availableMemoryBytes()) / (memoryBytes + processBytes))
  return Math.max(1, Math.min(byCores, byMemory, numTrials))
}

/** Threads of one trial of so many. */
export function threadsEach(parallel: number): number {
  return Math.max(1, Math.floor(availableParallelism() / parallel))
}

/** Memory that trials wait for, in the order in which they ask. One that is larger than all there is gets it alone. */
export class MemoryPool {
  readonly #limitBytes = usableShare * availableMemoryBytes()
  #usedBytes = 0
  readonly #waiting: { readonly bytes: number; readonly enter: () => void }[] = []

  /** @returns gives it back */
  async take(planBytes: number): Promise<() => void> {
    const bytes = planBytes + processBytes
    if (this.#waiting.length > 0 || !this.#hasRoom(bytes))
      await new Promise<void>((enter) => this.#waiting.push({ bytes, enter }))
    else this.#usedBytes += bytes
    return () => {
      this.#usedBytes -= bytes
      this.#admit()
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#limitBytes
  }

  #admit(): void {
    for (let [next] = this.#waiting; next !== undefined && this.#hasRoom(next.bytes); [next] = this.#waiting) {
      this.#usedBytes += next.bytes
      this.#waiting.shift()
      next.enter()
    }
  }
}
