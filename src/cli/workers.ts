/**
 * A training of several workers, as a command. Without a launcher around it the command is the supervisor: it starts itself as
 * workers, shows what worker 0 tells and ends with its exit code. As a worker it tells the supervisor what it would show.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { TalwegError } from '../core/errors.js'
import {
  checkHosts,
  checkMpirun,
  readHosts,
  readVersion,
  Supervisor,
  SupervisorLink,
  supervisorVariable,
  type Elastic,
  type Host,
  type SupervisorWatcher,
  type World,
} from '../distribute/index.js'
import { isBeingWritten, RunFolder } from '../train/index.js'
import type { TrainingObserver } from '../train/observer.js'
import { StopListener } from '../train/stop.js'
import { describeFailure } from './failure.js'
import { ownCommand } from './ownCommand.js'
import { badFlag, defineFlags, spell, type Flags, type FlagValues } from './flags.js'
import type { Output } from './output.js'
import { progressView, type ProgressView } from './progress.js'

const group = 'Workers:'
const defaultMaxRestarts = 3
const defaultTimeoutSeconds = 60

export const workerFlags = defineFlags({
  workers: { kind: 'integer', least: 1, describe: 'processes that train together', defaultText: '1', group },
  hosts: {
    kind: 'text',
    value: 'FILE',
    describe: 'start workers on these machines: a name a line, slots=N after it for several',
    group,
  },
  maxRestarts: {
    kind: 'integer',
    least: 0,
    describe: 'how often to go on from the newest checkpoint when a worker is lost',
    defaultText: String(defaultMaxRestarts),
    group,
  },
  elastic: {
    kind: 'text',
    value: 'MIN:MAX',
    describe: 'begin with MAX workers, and go on without those that are lost down to MIN',
    group,
  },
  exchangeTimeout: {
    kind: 'number',
    least: 1,
    value: 'SECONDS',
    describe: 'a worker that is not heard of for so long is lost',
    defaultText: String(defaultTimeoutSeconds),
    group,
  },
})

/** For the supervisor alone: workers are not told. */
const supervisorFlagNames = ['workers', 'hosts', 'maxRestarts', 'elastic'] as const

type WorkerValues = FlagValues<typeof workerFlags>

/** Whether the command is to start workers, rather than to be one or to train alone. */
export function isSupervisorAsked({ workers = 1, hosts, elastic, maxRestarts }: WorkerValues, world: World): boolean {
  if (world.size > 1 || process.env[supervisorVariable] !== undefined) return false
  return workers > 1 || hosts !== undefined || elastic !== undefined || maxRestarts !== undefined
}

/** How long nothing may be heard of a worker that is waited for. */
export function exchangeTimeoutMs({ exchangeTimeout = defaultTimeoutSeconds }: WorkerValues): number {
  return Math.round(1000 * exchangeTimeout)
}

export interface SuperviseRequest {
  readonly file: string
  readonly folder: string
  readonly resume: boolean
  /** All flags of the command, and their values. */
  readonly flags: Flags
  readonly values: WorkerValues & Readonly<Record<string, unknown>>
}

/** @returns the exit code */
export async function supervise(request: SuperviseRequest, output: Output): Promise<number> {
  const { folder, resume, values } = request
  const elastic = values.elastic === undefined ? undefined : readElastic(values.elastic)
  const hosts = values.hosts === undefined ? [] : await readHosts(values.hosts)
  const numWorkers = countWorkers(values.workers, hosts, elastic)
  await checkMpirun()
  const version = readVersion()
  const program = ownCommand()
  await checkHosts(hosts, program, version)
  const view = progressView(output)
  const supervisor = new Supervisor({
    numWorkers,
    hosts,
    elastic,
    version,
    maxRestarts: values.maxRestarts ?? defaultMaxRestarts,
    silenceMs: exchangeTimeoutMs(values),
    command: (isResuming) => [...program, 'train', ...workerArguments(request, isResuming || resume, output.isJson)],
    isBegun: () => new RunFolder(folder).hasRun(),
    watcher: watcherOf(view, output),
  })
  const stop = new StopListener(({ signal }) => supervisor.stop(signal))
  const kill = (): void => supervisor.kill()
  process.on('exit', kill)
  try {
    return await supervisor.run()
  } finally {
    process.off('exit', kill)
    stop.close()
    view.close()
  }
}

function readElastic(text: string): Elastic {
  const [, least, most] = (/^(\d+):(\d+)$/.exec(text) ?? []).map(Number)
  if (least >= 1 && most >= least) return { least, most }
  throw badFlag('train', `--elastic is "${text}"; it takes MIN:MAX, such as 2:8`)
}

function countWorkers(workers: number | undefined, hosts: readonly Host[], elastic: Elastic | undefined): number {
  const slots = hosts.reduce((sum, host) => sum + host.slots, 0)
  const wanted = workers ?? elastic?.most ?? Math.max(1, slots)
  if (elastic !== undefined && (wanted < elastic.least || wanted > elastic.most))
    throw badFlag('train', `--workers is ${wanted}, and --elastic is ${elastic.least}:${elastic.most}`)
  if (slots > 0 && wanted > slots)
    throw badFlag('train', `--workers is ${wanted}, and the hosts have room for ${slots}`, 'give hosts more slots=N')
  return wanted
}

/** What a worker is given: what was given here, but for what the supervisor does, with the run's folder decided. */
function workerArguments(request: SuperviseRequest, resume: boolean, isJson: boolean): string[] {
  return [
    ...trainArguments(request, supervisorFlagNames),
    ...(resume ? ['--resume'] : []),
    ...(isJson ? ['--json'] : []),
  ]
}

/** The arguments of `talweg train` by which a training is started again elsewhere, without some of its flags. */
export function trainArguments(
  { file, folder, flags, values }: Omit<SuperviseRequest, 'resume'>,
  without: readonly string[],
): string[] {
  const own = new Set<string>([...without, 'run', 'resume'])
  const given = Object.keys(flags).flatMap((name) => {
    const value: unknown = values[name]
    if (own.has(name) || value === undefined) return []
    if (typeof value === 'boolean') return [value ? spell(name) : `--no-${spell(name).slice(2)}`]
    return (Array.isArray(value) ? value : [value]).map((each) => `${spell(name)}=${String(each)}`)
  })
  return [file, ...given, `--run=${folder}`]
}

function watcherOf(view: ProgressView, output: Output): SupervisorWatcher {
  return {
    event: (name, data) => {
      // A restarted training begins its bar anew.
      if (name === 'started') view.close()
      if (isObserved(name)) (view[name] as (data: unknown) => void)(data)
    },
    output: (text) => void process.stdout.write(text),
    said: (rank, line) => view.told(rank === 0 ? line : `worker ${rank}: ${line}`),
    told: (message) => view.told(`warning: ${message}`),
    failed: (message) => {
      view.close()
      output.message(message)
    },
  }
}

const observed = ['started', 'progressed', 'reported', 'told'] as const satisfies readonly (keyof TrainingObserver)[]

function isObserved(name: string): name is (typeof observed)[number] {
  return (observed as readonly string[]).includes(name)
}

/** How long a lock whose holder is dead or dying is waited for: the worker that was killed a moment ago had it. */
const unlockMs = 10_000

/** Runs as a worker: `work` is given what shows its progress to those who watch. @returns the exit code */
export async function runAsWorker(
  world: World,
  folder: string,
  output: Output,
  work: (view: ProgressView) => Promise<number>,
): Promise<number> {
  const link = await SupervisorLink.open(process.env, world)
  if (link === undefined) return work(world.rank === 0 ? progressView(output) : silentView())
  link.takeOutput()
  try {
    const end = Date.now() + unlockMs
    while (world.rank === 0 && Date.now() < end && (await isBeingWritten(folder))) await sleep(50)
    await link.ended(await work(linkedView(link, world.rank)))
    return 0
  } catch (error) {
    if (!(error instanceof TalwegError) || error.code === 'INTERNAL') throw error
    await link.failed(error.code, error.exitCode, describeFailure(error))
    return error.exitCode
  }
}

function silentView(): ProgressView {
  const ignore = (): void => undefined
  return { started: ignore, progressed: ignore, reported: ignore, told: ignore, close: ignore }
}

/** Worker 0 tells what is to be shown; all tell their step. */
function linkedView(link: SupervisorLink, rank: number): ProgressView {
  const tell = (name: string, data: unknown): void => {
    if (rank === 0) link.event(name, data)
  }
  return {
    started: (start) => tell('started', start),
    progressed: (progress) => {
      link.step = progress.step
      tell('progressed', progress)
    },
    reported: (report) => tell('reported', report),
    told: (message) => tell('told', message),
    close: () => undefined,
  }
}
