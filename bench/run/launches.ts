/** Fresh processes: how long from launch to the first step's loss, and how much memory a plain run of the case takes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { TalwegError } from '../../src/core/errors.js'
import { target } from '../cases/linear.js'
import { LineProcess } from './lineProcess.js'
import { flags, pathOf, talweg, type Job, type Launch, type System } from './systems.js'

/** The command as a user gives it; its first line comes after so many steps. */
function command({ example, file, precision, threads }: Job, steps: number, folder: string): Launch {
  const common = { threads, engine: 'native' }
  const args =
    example.kind === 'training'
      ? [
          'train',
          file,
          '--json',
          ...flags({
            ...common,
            precision,
            steps: 1_000_000,
            set: `reportEvery=${steps}`,
            run: path.join(folder, 'run'),
          }),
        ]
      : [
          'fit',
          file,
          '--json',
          '--no-standardize',
          ...flags({ ...common, target, method: example.method, 'learning-rate': example.learningRate, steps }),
        ]
  return { file: process.execPath, args: [pathOf('dist/cli/main.js'), ...args], env: {} }
}

interface Figures {
  /** From its launch to its first line. */
  readonly seconds: number
  /** The most that was seen up to then. */
  readonly peakMemoryBytes: number
}

/** Launches `talweg`, waits for its first line, and ends it. */
async function runTalweg(job: Job, steps: number): Promise<Figures> {
  const folder = await mkdtemp(path.join(tmpdir(), 'talweg-bench-'))
  const child = new LineProcess('talweg', command(job, steps, folder))
  try {
    await child.next()
    return { seconds: child.secondsSinceStart, peakMemoryBytes: child.peakMemoryBytes() }
  } finally {
    await child.end()
    await rm(folder, { recursive: true, force: true })
  }
}

export async function firstStepSeconds(system: System, job: Job): Promise<number> {
  if (system === talweg) return (await runTalweg(job, 1)).seconds
  const child = new LineProcess(system.name, system.launch(job))
  try {
    await child.next<{ firstLoss: number }>()
    return child.secondsSinceStart
  } finally {
    await child.end()
  }
}

/** Of `talweg` as a user runs it; the peers' processes are plain runs themselves. */
export async function talwegPeakMemoryBytes(job: Job): Promise<number> {
  return (await runTalweg(job, job.example.memorySteps)).peakMemoryBytes
}

/** Until it has said its version and ended. */
export async function versionSeconds(system: System): Promise<number> {
  const child = new LineProcess(system.name, system.launchVersion())
  const code = await child.finish()
  if (code === 0) return child.secondsSinceStart
  throw new TalwegError({ code: 'ENGINE_FAILED', operation: 'bench', problem: `${system.name} ended with ${code}` })
}
