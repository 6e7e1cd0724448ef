/**
 * Which of how many workers this process is. Every launcher says so in the environment; read are, in this order, what the
 * caller was told by flags, `RANK` and `WORLD_SIZE`, what Open MPI sets, and what Slurm sets, the last under `srun` alone: a batch
 * script has Slurm's numbers too and is no worker. What is said twice must be said alike.
 */
import { hostname } from 'node:os'
import { TalwegError } from '../core/errors.js'

export interface World {
  /** From 0. */
  readonly rank: number
  readonly size: number
  /** Among the workers on this host. */
  readonly localRank: number
  readonly localSize: number
  /** What said so, for people. */
  readonly source: string
  readonly host: string
}

export interface WorldFlags {
  readonly rank?: number
  readonly size?: number
}

type Environment = Readonly<Record<string, string | undefined>>

interface Claim {
  readonly source: string
  readonly rank: number | undefined
  readonly size: number | undefined
  readonly localRank?: number
  readonly localSize?: number
}

/**
 * @param flags what was said on the command line: it may leave out one of the two
 * @throws WORLD_MISMATCH naming both sources that contradict each other, or the variable that is missing or no number
 */
export function readWorld(env: Environment, flags: WorldFlags = {}): World {
  const claims = [fromFlags(flags), fromVariables(env), fromOpenMpi(env) ?? fromSlurm(env)].filter(
    (claim) => claim !== undefined,
  )
  for (const [index, claim] of claims.entries()) {
    for (const other of claims.slice(index + 1)) refuseContradiction(claim, other)
  }
  const [{ source } = { source: 'no launcher' }] = claims.filter(({ rank }) => rank !== undefined)
  const first = <K extends keyof Claim>(key: K): Claim[K] | undefined =>
    claims.find((claim) => claim[key] !== undefined)?.[key]
  const rank = first('rank')
  const size = rank === undefined ? 1 : first('size')
  if (size === undefined) throw mismatch(`${source} says that this is worker ${rank} and nothing says of how many`)
  if (rank !== undefined && rank >= size) {
    throw mismatch(`${source} says that this is worker ${rank} of ${size}; workers are counted from 0`)
  }
  const localRank = first('localRank') ?? 0
  return { rank: rank ?? 0, size, localRank, localSize: first('localSize') ?? 1, source, host: hostname() }
}

/** `worker 1 of 4 (Open MPI), on host a`. */
export function describeWorld({ rank, size, source, host }: World): string {
  return `worker ${rank} of ${size} (${source}), on host ${host}`
}

function fromFlags({ rank, size }: WorldFlags): Claim | undefined {
  return rank === undefined && size === undefined ? undefined : { source: 'the command line', rank, size }
}

function fromVariables(env: Environment): Claim | undefined {
  const rank = readCount(env, 'RANK', 0)
  const size = readCount(env, 'WORLD_SIZE', 1)
  if (rank === undefined && size === undefined) return undefined
  if (rank === undefined) throw mismatch(`WORLD_SIZE is ${size} and RANK is not set`, 'set both, or neither')
  if (size === undefined) throw mismatch(`RANK is ${rank} and WORLD_SIZE is not set`, 'set both, or neither')
  return {
    source: 'RANK and WORLD_SIZE',
    rank,
    size,
    localRank: readCount(env, 'LOCAL_RANK', 0),
    localSize: readCount(env, 'LOCAL_WORLD_SIZE', 1),
  }
}

function fromOpenMpi(env: Environment): Claim | undefined {
  const rank = readCount(env, 'OMPI_COMM_WORLD_RANK', 0)
  if (rank === undefined) return undefined
  return {
    source: 'Open MPI',
    rank,
    size: readCount(env, 'OMPI_COMM_WORLD_SIZE', 1),
    localRank: readCount(env, 'OMPI_COMM_WORLD_LOCAL_RANK', 0),
    localSize: readCount(env, 'OMPI_COMM_WORLD_LOCAL_SIZE', 1),
  }
}

/** A step that `srun` began has a number; the batch script's own has none or a name. */
function fromSlurm(env: Environment): Claim | undefined {
  const size = readCount(env, 'SLURM_STEP_NUM_TASKS', 1)
  const isStep = /^\d+$/.test(env.SLURM_STEP_ID ?? '') && env.SLURM_PROCID !== undefined
  if (size === undefined || !isStep) return undefined
  if (size > 1 && env.PMIX_RANK === undefined) {
    throw mismatch(
      `srun started ${size} tasks that can't find each other: PMIX_RANK is not set`,
      'start them by srun --mpi=pmix, or by mpirun, or leave it to talweg launch slurm',
    )
  }
  return {
    source: 'Slurm',
    rank: readCount(env, 'SLURM_PROCID', 0),
    size,
    localRank: readCount(env, 'SLURM_LOCALID', 0),
    localSize: localTasks(env),
  }
}

/** `SLURM_STEP_TASKS_PER_NODE` reads `4(x2),3`: four on each of two nodes, then three. */
function localTasks({ SLURM_STEP_TASKS_PER_NODE: text, SLURM_NODEID: node }: Environment): number | undefined {
  const counts = (text ?? '').split(',').flatMap((part): number[] => {
    const [, count, times = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part) ?? []
    return count === undefined ? [] : Array<number>(Number(times)).fill(Number(count))
  })
  return counts[Number(node)]
}

function readCount(env: Environment, name: string, least: number): number | undefined {
  const text = env[name]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least) return value
  throw mismatch(`${name} is "${text}", not a whole number from ${least}`)
}

function refuseContradiction(one: Claim, other: Claim): void {
  for (const [key, what] of [
    ['size', 'the number of workers'],
    ['rank', "this worker's number"],
  ] as const) {
    if (one[key] === undefined || other[key] === undefined || one[key] === other[key]) continue
    throw mismatch(
      `${what} is ${one[key]} by ${one.source} and ${other[key]} by ${other.source}`,
      'let one of them say it',
    )
  }
}

function mismatch(problem: string, hint?: string): TalwegError {
  return new TalwegError({ code: 'WORLD_MISMATCH', operation: 'workers', problem, hint })
}
