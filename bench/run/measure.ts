/** One case in one precision: preparation, check, rounds, launches. */
import { spawnSync } from 'node:child_process'
import { TalwegError } from '../../src/core/errors.js'
import type { Case, Precision } from '../cases/index.js'
import { checkAgreement } from './agreement.js'
import { Contestant } from './contestant.js'
import { firstStepSeconds, talwegPeakMemoryBytes } from './launches.js'
import type { BenchOptions } from './options.js'
import { runRounds } from './rounds.js'
import { median, pairwise, type SystemResult } from './statistics.js'
import { caseFile, pathOf, systemsOf, talweg, type Job, type System } from './systems.js'

const numChecked = 10

export interface Measured {
  readonly results: readonly SystemResult[]
  /** What each system says that it is. */
  readonly versions: Readonly<Record<string, string>>
}

/** Writes the case's weights and batches, in a process of its own. */
function prepare(example: Case): string {
  const work = pathOf('build/bench', example.name)
  const args = ['--import=tsx', pathOf('bench/peers/talweg/prepare.ts'), '--file', caseFile(example), '--into', work]
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status === 0) return work
  throw new TalwegError({ code: 'ENGINE_FAILED', operation: 'bench', problem: `${example.name} can't be prepared` })
}

export async function measure(
  example: Case,
  precision: Precision,
  options: BenchOptions,
  told: (message: string) => void,
): Promise<Measured> {
  const where = `${example.name} ${precision}`
  const systems = [talweg, ...systemsOf(example, options.peers)]
  const job: Job = { example, precision, threads: options.threads, work: prepare(example), numChecked }
  const contestants: Contestant[] = []
  try {
    for (const system of systems) {
      told(`${where}: ${system.name} gets ready`)
      contestants.push(await Contestant.start(system, job))
    }
    compareLosses(where, contestants, precision, told)
    const seconds = await runRounds(contestants, { ...options, told: (message) => told(`${where}: ${message}`) })
    const peaks = contestants.map((contestant) => contestant.process.peakMemoryBytes())
    await endAll(contestants)
    const launched = await measureLaunches(systems, job, peaks, options.launches, (line) => told(`${where}: ${line}`))
    return {
      results: systems.map(({ name }, index) => ({
        case: example.name,
        precision,
        system: name,
        ...pairwise(seconds[index], seconds[0]),
        ...launched[index],
      })),
      versions: Object.fromEntries(contestants.map(({ system, version }) => [system.name, version])),
    }
  } finally {
    await endAll(contestants)
  }
}

async function endAll(contestants: readonly Contestant[]): Promise<void> {
  for (const { process } of contestants) await process.finish()
}

function compareLosses(
  where: string,
  [first, ...others]: readonly Contestant[],
  precision: Precision,
  told: (message: string) => void,
): void {
  for (const { system, losses } of others) {
    const part = checkAgreement(where, system.name, first.losses, losses, precision)
    told(`${where}: ${system.name}'s losses agree with Talweg's to ${part.toExponential(1)}`)
  }
}

type Launched = Pick<SystemResult, 'firstStepSeconds' | 'peakMemoryBytes'>

/** @param peaks of the processes that ran the rounds */
async function measureLaunches(
  systems: readonly System[],
  job: Job,
  peaks: readonly number[],
  launches: number,
  told: (message: string) => void,
): Promise<Launched[]> {
  if (launches === 0) return systems.map(() => ({ firstStepSeconds: null, peakMemoryBytes: null }))
  const seconds: number[][] = systems.map(() => [])
  for (let round = 0; round < launches; round++) {
    for (const [index, system] of systems.entries()) seconds[index].push(await firstStepSeconds(system, job))
  }
  told(
    `first steps after ${seconds.map((values, index) => `${systems[index].name} ${median(values).toFixed(2)} s`).join(', ')}`,
  )
  const talwegPeak = await talwegPeakMemoryBytes(job)
  return systems.map((system, index) => ({
    firstStepSeconds: median(seconds[index]),
    peakMemoryBytes: system === talweg ? talwegPeak : peaks[index],
  }))
}
