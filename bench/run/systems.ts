/** The systems that are measured: how each is started for a case. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { TalwegError } from '../../src/core/errors.js'
import type { Case, Precision } from '../cases/index.js'

export const root = fileURLToPath(new URL('../../', import.meta.url))

export interface Job {
  readonly example: Case
  readonly precision: Precision
  readonly threads: number
  /** Where the case's weights and batches are. */
  readonly work: string
  /** Steps whose losses are compared. */
  readonly numChecked: number
}

export interface Launch {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface System {
  readonly name: string
  /** What `--peers` calls it; several forms of one peer have one name there. */
  readonly peer: string
  readonly launch: (job: Job) => Launch
}

export function pathOf(...parts: readonly string[]): string {
  return path.join(root, ...parts)
}

/** Flags of a command line. */
export function flags(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)])
}

/** The training file of a case. */
export function caseFile({ name }: Case): string {
  return pathOf('bench', 'cases', `${name}.ts`)
}

export const talweg: System = {
  name: 'talweg',
  peer: 'talweg',
  launch: ({ example, precision, threads, numChecked }) => ({
    file: process.execPath,
    args: [
      '--import=tsx',
      pathOf('bench/peers/talweg/serve.ts'),
      ...flags({ file: caseFile(example), precision, threads, checked: numChecked }),
    ],
    env: {},
  }),
}

function python(peer: string, script: string, form: string): System {
  return {
    name: form === '' ? peer : `${peer}-${form}`,
    peer,
    launch: ({ precision, threads, work, numChecked }) => ({
      file: pythonExecutable(),
      args: [pathOf('bench/peers', script), ...flags({ work, form, precision, threads, checked: numChecked })],
      env: {
        OMP_NUM_THREADS: String(threads),
        MKL_NUM_THREADS: String(threads),
        OPENBLAS_NUM_THREADS: String(threads),
      },
    }),
  }
}

function pythonExecutable(): string {
  const executable = pathOf('bench/.environment/bin/python')
  if (existsSync(executable)) return executable
  throw new TalwegError({
    code: 'FILE_NOT_FOUND',
    operation: 'bench',
    problem: 'the Python environment of the peers is not there',
    hint: 'run bench/setup',
  })
}

export const peers: readonly System[] = [
  python('torch', 'torch/serve.py', 'eager'),
  python('torch', 'torch/serve.py', 'compile'),
]

/** The systems of a case that `--peers` asks for; all where it is not given, none for `none`. */
export function systemsOf({ systems }: Case, wanted: readonly string[] | undefined): System[] {
  const chosen = peers.filter(({ name }) => systems.includes(name))
  if (wanted === undefined) return chosen
  return chosen.filter(({ name, peer }) => wanted.includes(peer) || wanted.includes(name))
}
