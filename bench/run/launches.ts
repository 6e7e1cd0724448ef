/** Fresh processes: how long from launch to the first step's loss, and how much memory a plain run of the case takes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TrainingCase } from '../cases/index.js'
import { LineProcess } from './contestant.js'
import { caseFile, flags, pathOf, talweg, type Job, type Launch, type System } from './systems.js'

/** The command as a user gives it, reporting every so many steps, in a run's folder of its own. */
function trainCommand({ example, precision, threads }: Job, reportEvery: number, folder: string): Launch {
  return {
    file: process.execPath,
    args: [
      pathOf('dist/cli/main.js'),
      'train',
      caseFile(example),
      '--json',
      ...flags({ precision, threads, engine: 'native', steps: 1_000_000, set: `reportEvery=${reportEvery}` }),
      ...flags({ run: path.join(folder, 'run') }),
    ],
    env: {},
  }
}

/** Launches `talweg train`, waits for its first report, and ends it. */
async function withTalweg<T>(job: Job, reportEvery: number, measure: (child: LineProcess) => T): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'talweg-bench-'))
  const child = new LineProcess('talweg train', trainCommand(job, reportEvery, folder))
  try {
    await child.next()
    return measure(child)
  } finally {
    await child.end()
    await rm(folder, { recursive: true, force: true })
  }
}

export async function firstStepSeconds(system: System, job: Job): Promise<number> {
  if (system === talweg) return withTalweg(job, 1, (child) => child.secondsSinceStart)
  const child = new LineProcess(system.name, system.launch(job))
  try {
    await child.next<{ firstLoss: number }>()
    return child.secondsSinceStart
  } finally {
    await child.end()
  }
}

/** Of `talweg train` as it is given by a user; the peers' processes are plain runs themselves. */
export function talwegPeakMemoryBytes(job: Job & { readonly example: TrainingCase }): Promise<number> {
  return withTalweg(job, job.example.memorySteps, (child) => child.peakMemoryBytes())
}
