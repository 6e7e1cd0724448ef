/**
 * Trials as processes: each is `talweg train` of a run of its own, so it is whatever a training is: resumable, locked, with
 * its memory checked. What a trial will take is asked of `talweg inspect`.
 *
 * A trial's standard input stays open while the search lives; when that ends, however it does, the trial saves a
 * checkpoint and stops.
 */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { exitCodes, TalwegError } from '../core/errors.js'
import { parseJson } from '../exchange/disk.js'
import { isBeingWritten, supervisedVariable } from '../train/index.js'
import type { Tunable } from '../train/tunable.js'

/** How this program is started again: `node`, its options, its script. */
export type CommandLine = readonly string[]

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

function run([node, ...first]: CommandLine, args: readonly string[], stop: AbortSignal): Promise<Ended> {
  const child = spawn(node, [...first, ...args], {
    // A group of its own: Ctrl-C is for the search, which lets its trials finish their step.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, [supervisedVariable]: '1' },
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (output.stdout += piece))
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (output.stderr += piece))
  child.stdin.on('error', () => undefined)
  const end = (): void => void child.stdin.end()
  if (stop.aborted) end()
  stop.addEventListener('abort', end, { once: true })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      stop.removeEventListener('abort', end)
      child.stdin.destroy()
      resolve({ code, signal, ...output })
    })
  })
}

/** What is known of a training before it is run. */
export interface TrialFacts {
  readonly batchSize: number
  readonly totalSteps: number
  readonly validates: boolean
  readonly memoryBytes: number
  readonly tunables: ReadonlyMap<string, Tunable>
}

const factsSchema = z.object({
  batchSize: z.number(),
  steps: z.number(),
  validates: z.boolean(),
  memory: z.object({ totalBytes: z.number() }),
  tunables: z.record(
    z.string(),
    z.custom<Tunable>((given) => typeof given === 'object'),
  ),
})

/** @throws TRIAL_FAILED with what `inspect` said */
export async function inspectTrial(
  command: CommandLine,
  file: string,
  settingsFile: string,
  stop: AbortSignal,
): Promise<TrialFacts> {
  const args = ['inspect', file, '--settings', settingsFile, '--json']
  const ended = await run(command, args, stop)
  const facts = factsSchema.safeParse(parseJson(ended.stdout))
  if (ended.code !== 0 || !facts.success) throw trialFailed('it was inspected', ended)
  const { batchSize, steps, validates, memory, tunables } = facts.data
  return {
    batchSize,
    totalSteps: steps,
    validates,
    memoryBytes: memory.totalBytes,
    tunables: new Map(Object.entries(tunables)),
  }
}

export type TrialEnding = 'done' | 'paused' | 'diverged' | 'doesNotFit' | 'stopped'

const endings: Readonly<Record<number, TrialEnding>> = {
  [exitCodes.done]: 'done',
  [exitCodes.budgetReached]: 'paused',
  [exitCodes.diverged]: 'diverged',
  [exitCodes.doesNotFit]: 'doesNotFit',
}

/**
 * Trains a trial from where it is. One that diverges, or that no machine of this size can train, has told what it had to;
 * any other failure is the search's as well.
 *
 * @throws TRIAL_FAILED with what the training said
 */
export async function trainTrial(
  command: CommandLine,
  file: string,
  settingsFile: string,
  folder: string,
  stop: AbortSignal,
): Promise<TrialEnding> {
  await whenUnlocked(folder, stop)
  const ended = await run(
    command,
    ['train', file, '--settings', settingsFile, '--run', folder, '--resume', '--json'],
    stop,
  )
  const ending = ended.code === null ? undefined : endings[ended.code]
  if (stop.aborted && ending !== 'done' && ending !== 'diverged') return 'stopped'
  if (ending === undefined) throw trialFailed(`it was trained in ${folder}`, ended)
  return ending
}

/** A trial of a search that was killed goes on until its next step's end. How long it is waited for. */
const unlockMs = 30_000

async function whenUnlocked(folder: string, stop: AbortSignal): Promise<void> {
  const end = Date.now() + unlockMs
  while (Date.now() < end && !stop.aborted && (await isBeingWritten(folder))) await sleep(100)
}

function trialFailed(when: string, { code, signal, stderr }: Ended): TalwegError {
  const last = stderr.trimEnd().split('\n').at(-1)?.replace(/\.$/, '')
  return new TalwegError({
    code: 'TRIAL_FAILED',
    operation: 'tune',
    problem: `a trial ended with ${signal === null ? `exit code ${code}` : signal} when ${when}${last ? `: ${last}` : ''}`,
    hint: 'put that right, then go on with --resume',
  })
}
