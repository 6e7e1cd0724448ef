/**
 * Open MPI's `mpirun`: whether it is here and which it is, its arguments, and reading what it prints. It starts the processes, on
 * this machine or on others by ssh, and ties them together; when to start and when to end them is the supervisor's business.
 */
import { availableParallelism } from 'node:os'
import { TalwegError } from '../../core/errors.js'
import { supervisorVariable, type Endpoint } from '../supervise/messages.js'
import type { Host } from './hosts.js'
import { askProgram, installCommand } from './programs.js'

const program = 'mpirun'
const leastMajor = 4

export function mpirunInstall(): string {
  return installCommand('openmpi-bin', 'openmpi')
}

/**
 * The version of the Open MPI that is installed.
 *
 * @throws MPI_UNAVAILABLE with the command that installs it
 */
export async function checkMpirun(): Promise<string> {
  const unavailable = (problem: string): TalwegError =>
    new TalwegError({ code: 'MPI_UNAVAILABLE', operation: 'workers', problem, hint: mpirunInstall() })
  const answer = await askProgram(program, ['--version'])
  if ('problem' in answer) throw unavailable(`several workers need Open MPI, and ${answer.problem}`)
  const [first] = answer.stdout.split('\n')
  const version = /\((?:Open MPI|OpenRTE)\) (\d+)\.(\d+\S*)/.exec(first)
  if (version === null) throw unavailable(`the ${program} on the PATH is not Open MPI's: it says "${first.trim()}"`)
  if (Number(version[1]) >= leastMajor) return `${version[1]}.${version[2]}`
  throw unavailable(`Open MPI ${version[1]}.${version[2]} is older than ${leastMajor}.0`)
}

export interface MpirunOptions {
  readonly numWorkers: number
  /** None: this machine alone. */
  readonly hosts: readonly Host[]
  readonly endpoint: Endpoint
  /** What each worker runs. */
  readonly command: readonly string[]
}

export interface MpirunCall {
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

/** On loopback alone nothing of a run on one machine can be reached from elsewhere, or stumbles over another network. */
const loopback = '127.0.0.0/8'

/** Variables of ours that workers on other machines need. */
const passedOn = [supervisorVariable, 'OMP_NUM_THREADS']

export function mpirunCall({ numWorkers, hosts, endpoint, command }: MpirunOptions): MpirunCall {
  const isLocal = hosts.length === 0
  const cores = isLocal ? coresPerWorker(availableParallelism(), numWorkers) : undefined
  // Without a core for each, the system does better at sharing them out than a fixed assignment.
  const binding =
    cores === undefined ? ['--bind-to', 'none'] : ['--map-by', `slot:PE=${cores}`, '--bind-to', 'core:overload-allowed']
  const network = ['oob_tcp_if_include', 'btl_tcp_if_include'].flatMap((name) => ['--mca', name, loopback])
  const args = [
    '-n',
    String(numWorkers),
    '--tag-output',
    '--oversubscribe',
    ...(isLocal ? [...network, ...binding] : ['--host', hosts.map(({ name, slots }) => `${name}:${slots}`).join(',')]),
    ...(isLocal ? [] : ['--map-by', 'node', '--bind-to', 'none', ...passedOn.flatMap((name) => ['-x', name])]),
    ...command,
  ]
  const threads = isLocal ? (cores ?? 1) : undefined
  return { program, args, env: environment(endpoint, threads) }
}

/** Whole cores for each worker; undefined where there are fewer cores than workers. */
function coresPerWorker(cores: number, numWorkers: number): number | undefined {
  return cores < numWorkers ? undefined : Math.floor(cores / numWorkers)
}

function environment(endpoint: Endpoint, threads: number | undefined): NodeJS.ProcessEnv {
  const isRoot = process.getuid?.() === 0
  return {
    ...process.env,
    [supervisorVariable]: JSON.stringify(endpoint),
    // Open MPI wants to be told that root is meant.
    ...(isRoot ? { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' } : {}),
    ...(threads === undefined ? {} : { OMP_NUM_THREADS: process.env.OMP_NUM_THREADS ?? String(threads) }),
  }
}

/** A line of mpirun's: of a worker, without its tag, or of mpirun itself. */
export interface PrintedLine {
  readonly rank: number | undefined
  readonly text: string
}

/** Tags stand before lines, and inside of those that came in pieces: `[1,0]<stderr>:text`. */
const tag = /\[\d+,(\d+)\]<std(?:out|err|diag)>:/

export function readPrintedLine(line: string): PrintedLine {
  const first = tag.exec(line)
  if (first === null || first.index !== 0) return { rank: undefined, text: line }
  return { rank: Number(first[1]), text: line.replaceAll(new RegExp(tag, 'g'), '').replace(/\r$/, '') }
}

export interface NoticedDeath {
  readonly rank: number
  readonly host: string
  readonly signal: number
}

/** What mpirun says of a worker that a signal ended. */
export function readDeath(text: string): NoticedDeath | undefined {
  const found = /process rank (\d+) with PID \d+ on node (\S+)\s+exited on\s+signal (\d+)/.exec(
    text.replaceAll('\n', ' '),
  )
  return found === null ? undefined : { rank: Number(found[1]), host: found[2], signal: Number(found[3]) }
}
