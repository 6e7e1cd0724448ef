/** Calls of one engine, carried out one after the other in the order in which they were made. */
import { TalwegError } from '../../core/errors.js'

export class Queue {
  private last: Promise<unknown> = Promise.resolve()

  /** Runs `work` once all calls before it are done, whether they succeeded or not. What jax-js throws gets a code. */
  run<T>(operation: string, work: () => Promise<T>): Promise<T> {
    const result = this.last.then(async () => {
      try {
        return await work()
      } catch (error) {
        throw coded(error, operation)
      }
    })
    this.last = result.catch(() => undefined)
    return result
  }
}

/** WebAssembly's memory ends at 4 GiB: that is no failure of the engine. */
export function coded(error: unknown, operation: string): unknown {
  if (error instanceof TalwegError || !(error instanceof Error)) return error
  if (error instanceof RangeError && /memory/i.test(error.message)) {
    return new TalwegError({
      code: 'DOES_NOT_FIT',
      operation,
      problem: `the portable engine is out of memory: WebAssembly has 4 GiB at most (${error.message})`,
      hint: 'use a smaller batch or model, or --engine native',
      cause: error,
    })
  }
  return new TalwegError({
    code: 'ENGINE_FAILED',
    operation,
    problem: `jax-js failed: ${error.message}`,
    hint: 'this is a bug in Talweg or jax-js; please report it',
    cause: error,
  })
}
