/** Running many descents at once until each is flat, has diverged, or has had its steps. */
import type { Executable } from '../../../engine/engine.js'
import { StepsPerCall } from '../../stepsPerCall.js'

export interface Progress {
  /** By candidate: steps that moved it. */
  readonly steps: readonly number[]
  readonly converged: readonly boolean[]
  readonly diverged: readonly boolean[]
}

/** @param executable gives `loss` and `isDone` of each candidate, before the step and at it */
export async function stepCandidates(
  executable: Executable,
  count: number,
  { steps: maxSteps, shouldStop }: { readonly steps: number; readonly shouldStop: () => boolean },
): Promise<Progress> {
  const callSize = new StepsPerCall(4096)
  const steps = new Array<number>(count).fill(0)
  const converged = new Array<boolean>(count).fill(false)
  const diverged = new Array<boolean>(count).fill(false)
  let first: ArrayLike<number> | undefined
  let done = 0
  while (done < maxSteps && !shouldStop() && converged.some((isDone, index) => !isDone && !diverged[index])) {
    const size = callSize.next(maxSteps - done)
    const start = performance.now()
    const { loss, isDone } = await executable.run({}, { steps: size })
    callSize.observe(size, (performance.now() - start) / 1000)
    first ??= loss.data.slice(0, count)
    for (let step = 0; step < size; step++) {
      for (let index = 0; index < count; index++) {
        const place = step * count + index
        if (isDone.data[place]) converged[index] = true
        else steps[index]++
        // As for a single descent: a stable rate never makes the objective larger than it began.
        if (!(loss.data[place] <= 2 * first[index] + 1e-9)) diverged[index] = true
      }
    }
    done += size
  }
  return { steps, converged: converged.map((isDone, index) => isDone && !diverged[index]), diverged }
}
