/** Systems run in turn, A B C A B C …, so that what changes in the machine meanwhile meets all of them alike. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Contestant } from './contestant.js'

export interface RoundsOptions {
  readonly pairs: number
  /** How long a turn is to last. */
  readonly turnSeconds: number
  /** Steps of a turn instead. */
  readonly steps: number | undefined
  readonly told: (message: string) => void
}

/** Long enough for threads that spin after a step (Intel's OpenMP does for 200 ms) to have gone to sleep. */
const pauseMs = 300
/** Part of a turn that is run before the clock is started: caches are cold. Where steps are long that is nothing to them. */
const warmupPart = 0.15
const maxSteps = 2_000_000

/** Each system's seconds a step, round by round. */
export async function runRounds(
  contestants: readonly Contestant[],
  { pairs, turnSeconds, steps: fixed, told }: RoundsOptions,
): Promise<number[][]> {
  const lengths: number[] = []
  for (const contestant of contestants) {
    await sleep(pauseMs)
    lengths.push(fixed ?? (await stepsFor(contestant, turnSeconds)))
  }
  const seconds: number[][] = contestants.map(() => [])
  for (let round = 0; round < pairs; round++) {
    for (const [index, contestant] of contestants.entries()) {
      await sleep(pauseMs)
      const turn = await contestant.run(lengths[index], Math.round(lengths[index] * warmupPart))
      seconds[index].push(turn.seconds / turn.steps)
    }
    told(`round ${round + 1} of ${pairs}: ${describeRound(contestants, seconds, round)}`)
  }
  return seconds
}

/** How many steps fill a turn: asked for in growing numbers, until they take a fifth of one. */
async function stepsFor(contestant: Contestant, turnSeconds: number): Promise<number> {
  for (let steps = 1; ; steps *= 4) {
    const turn = await contestant.run(steps, 0)
    if (turn.seconds < turnSeconds / 5 && steps < maxSteps) continue
    return Math.max(1, Math.min(maxSteps, Math.round((turnSeconds * turn.steps) / turn.seconds)))
  }
}

function describeRound(contestants: readonly Contestant[], seconds: readonly number[][], round: number): string {
  const [reference] = seconds
  return contestants
    .map(({ system }, index) => {
      const own = seconds[index][round]
      const ratio = index === 0 ? '' : ` (${(own / reference[round]).toFixed(2)})`
      return `${system.name} ${(own * 1000).toPrecision(4)} ms${ratio}`
    })
    .join(', ')
}
