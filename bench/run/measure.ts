/** One case in one precision: preparation, check, rounds, launches. */
import { spawnSync } from 'node:child_process'
import { TalwegError } from '../../src/core/errors.js'
import { linearTable } from '../cases/linear.js'
import { workCase, type Case, type LaunchCase, type Precision, type WorkCase } from '../cases/index.js'
import { checkAgreement } from './agreement.js'
import { Contestant } from './contestant.js'
import { firstStepSeconds, talwegPeakMemoryBytes, versionSeconds } from './launches.js'
import type { BenchOptions } from './options.js'
import { runRounds } from './rounds.js'
import { median, pairwise, type SystemResult } from './statistics.js'
import { fitFlags, flags, pathOf, systemsOf, talweg, type Job, type System } from './systems.js'

export interface Measured {
  readonly results: readonly SystemResult[]
  /** What each system says that it is. */
  readonly versions: Readonly<Record<string, string>>
}

type Told = (message: string) => void

/** Writes what the peers start from, in a process of its own. */
async function prepare(example: WorkCase, precision: Precision, { threads, numChecked }: BenchOptions): Promise<Job> {
  const file = example.kind === 'fit' ? await linearTable() : pathOf('bench/cases', `${example.name}.ts`)
  const work = pathOf('build/bench', example.name)
  const script = ['--import=tsx', pathOf('bench/peers/talweg/prepare.ts')]
  const args = [...script, ...flags({ file, into: work, batches: numChecked }), ...fitFlags({ example })]
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status === 0) return { example, precision, threads, file, work, numChecked }
  throw new TalwegError({ code: 'ENGINE_FAILED', operation: 'bench', problem: `${example.name} can't be prepared` })
}

export async function measure(
  example: Case,
  precision: Precision,
  options: BenchOptions,
  told: Told,
): Promise<Measured> {
  const systems = [talweg, ...systemsOf(example, precision, options.peers)]
  const tell: Told = (message) => told(`${example.name} ${precision}: ${message}`)
  if (example.kind === 'launch') return measureLaunchCase(example, precision, systems, options, tell)
  return measureWork(await prepare(example, precision, options), systems, options, tell)
}

async function measureWork(job: Job, systems: readonly System[], options: BenchOptions, told: Told): Promise<Measured> {
  const contestants: Contestant[] = []
  try {
    for (const system of systems) {
      told(`${system.name} gets ready`)
      contestants.push(await Contestant.start(system, job))
    }
    compareLosses(job, contestants, told)
    const seconds = await runRounds(contestants, { ...options, told })
    const peaks = contestants.map((contestant) => contestant.process.peakMemoryBytes())
    await endAll(contestants)
    const launched = await measureLaunches(systems, job, peaks, options.launches, told)
    return {
      results: systems.map(({ name }, index) => ({
        case: job.example.name,
        precision: job.precision,
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

function compareLosses({ example, precision }: Job, [first, ...others]: readonly Contestant[], told: Told): void {
  for (const { system, losses } of others) {
    const part = checkAgreement(`${example.name} ${precision}`, system.name, first.losses, losses, precision)
    told(`${system.name}'s losses agree with Talweg's to ${part.toExponential(1)}`)
  }
}

type Launched = Pick<SystemResult, 'firstStepSeconds' | 'peakMemoryBytes'>

/** @param peaks of the processes that ran the rounds */
async function measureLaunches(
  systems: readonly System[],
  job: Job,
  peaks: readonly number[],
  launches: number,
  told: Told,
): Promise<Launched[]> {
  if (launches === 0) return systems.map(() => ({ firstStepSeconds: null, peakMemoryBytes: null }))
  const seconds = await inTurn(systems, launches, (system) => firstStepSeconds(system, job))
  const shown = seconds.map((values, index) => `${systems[index].name} ${median(values).toFixed(2)} s`)
  told(`first steps after ${shown.join(', ')}`)
  const talwegPeak = await talwegPeakMemoryBytes(job)
  return systems.map((system, index) => ({
    firstStepSeconds: median(seconds[index]),
    peakMemoryBytes: system === talweg ? talwegPeak : peaks[index],
  }))
}

/** A B C A B C …; each system's figures, round by round. */
async function inTurn(
  systems: readonly System[],
  rounds: number,
  measureOne: (system: System) => Promise<number>,
): Promise<number[][]> {
  const figures: number[][] = systems.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, system] of systems.entries()) figures[index].push(await measureOne(system))
  }
  return figures
}

/** A launch is what is repeated, so it is the step; there is one before that fills the system's cache of files. */
async function measureLaunchCase(
  { name, until, of }: LaunchCase,
  precision: Precision,
  systems: readonly System[],
  options: BenchOptions,
  told: Told,
): Promise<Measured> {
  const work = workCase(of)
  if (work === undefined) throw new TalwegError({ code: 'INTERNAL', operation: 'bench', problem: `no case ${of}` })
  const job = await prepare(work, precision, options)
  const launch = (system: System): Promise<number> =>
    until === 'version' ? versionSeconds(system) : firstStepSeconds(system, job)
  await inTurn(systems, 1, launch)
  const seconds = await inTurn(systems, options.pairs, launch)
  told(seconds.map((values, index) => `${systems[index].name} ${median(values).toFixed(3)} s`).join(', '))
  const results = systems.map((system, index) => ({
    case: name,
    precision,
    system: system.name,
    ...pairwise(seconds[index], seconds[0]),
    firstStepSeconds: until === 'version' ? null : median(seconds[index]),
    peakMemoryBytes: null,
  }))
  return { results, versions: {} }
}
