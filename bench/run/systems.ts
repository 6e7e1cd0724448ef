/** The systems that are measured: how each is started for a case. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { TalwegError } from '../../src/core/errors.js'
import type { Case, Precision, WorkCase } from '../cases/index.js'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** A case's work, as a system is given it. */
export interface Job {
  readonly example: WorkCase
  readonly precision: Precision
  readonly threads: number
  /** What Talweg runs: a training file or a table. */
  readonly file: string
  /** The folder of what the peers start from. */
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
  readonly precisions: readonly Precision[]
  readonly launch: (job: Job) => Launch
  /** Says its version and ends. */
  readonly launchVersion: () => Launch
}

export function pathOf(...parts: readonly string[]): string {
  return path.join(root, ...parts)
}

/** Flags of a command line. */
export function flags(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)])
}

/** What tells our own scripts a case of `fit` from one of `train`. */
export function fitFlags({ example }: Pick<Job, 'example'>): string[] {
  return example.kind === 'fit' ? flags({ method: example.method, rate: example.learningRate }) : []
}

export const talweg: System = {
  name: 'talweg',
  peer: 'talweg',
  precisions: ['f32', 'bf16'],
  launch: (job) => ({
    file: process.execPath,
    args: [
      '--import=tsx',
      pathOf('bench/peers/talweg/serve.ts'),
      ...flags({ file: job.file, precision: job.precision, threads: job.threads, checked: job.numChecked }),
      ...fitFlags(job),
    ],
    env: {},
  }),
  launchVersion: () => ({ file: process.execPath, args: [pathOf('dist/cli/main.js'), '--version'], env: {} }),
}

interface PythonPeer {
  readonly peer: string
  readonly form: string
  /** The script in `bench/peers`, which may depend on the work. */
  readonly script: (example: WorkCase) => string
  readonly module: string
}

function python({ peer, form, script, module }: PythonPeer): System {
  return {
    name: form === '' ? peer : `${peer}-${form}`,
    peer,
    precisions: ['f32', 'bf16'],
    launch: ({ example, precision, threads, work, numChecked }) => ({
      file: pythonExecutable(),
      args: [pathOf('bench/peers', script(example)), ...flags({ work, form, precision, threads, checked: numChecked })],
      env: Object.fromEntries(
        ['OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'].map((name) => [name, String(threads)]),
      ),
    }),
    launchVersion: () => ({
      file: pythonExecutable(),
      args: ['-c', `import ${module}; print(${module}.__version__)`],
      env: {},
    }),
  }
}

function pythonExecutable(): string {
  const executable = pathOf('bench/.environment/bin/python')
  return installed(executable, executable)
}

const javaScript = 'bench/peers/javascript'

/** A peer of `peers/javascript/package.json`: in bench/ itself that file would hide the package `talweg` from the cases. */
function npmPeer(name: string, packageName: string): System {
  return {
    name,
    peer: name,
    precisions: ['f32'],
    launch: ({ precision, threads, work, numChecked }) => ({
      file: process.execPath,
      args: [
        installed(pathOf(javaScript, name, 'serve.mjs'), pathOf(javaScript, 'node_modules', packageName)),
        ...flags({ work, form: name, precision, threads, checked: numChecked }),
      ],
      env: {},
    }),
    launchVersion: () => ({
      file: process.execPath,
      args: ['-p', `require('${pathOf(javaScript, 'node_modules', packageName, 'package.json')}').version`],
      env: {},
    }),
  }
}

/** @returns `script` @throws FILE_NOT_FOUND where what it needs is not there */
function installed(script: string, needed: string): string {
  if (existsSync(needed)) return script
  throw new TalwegError({
    code: 'FILE_NOT_FOUND',
    operation: 'bench',
    problem: `a peer is not installed: there is no ${path.relative(root, needed)}`,
    hint: 'run bench/setup',
  })
}

const torchScript = ({ kind }: WorkCase): string => (kind === 'fit' ? 'torch/serve_linear.py' : 'torch/serve.py')

export const peers: readonly System[] = [
  ...['eager', 'compile'].map((form) => python({ peer: 'torch', form, script: torchScript, module: 'torch' })),
  python({ peer: 'jax', form: '', script: () => 'jax/serve.py', module: 'jax' }),
  ...['f32', 'f64'].map((form) => python({ peer: 'numpy', form, script: () => 'numpy/serve.py', module: 'numpy' })),
  ...['f32', 'f64'].map((form) =>
    python({ peer: 'sklearn', form, script: () => 'sklearn/serve.py', module: 'sklearn' }),
  ),
  npmPeer('tfjs', '@tensorflow/tfjs'),
  npmPeer('jax-js', '@jax-js/jax'),
]

/** The systems of a case that `--peers` asks for; all where it is not given, none for `none`. */
export function systemsOf({ systems }: Case, precision: Precision, wanted: readonly string[] | undefined): System[] {
  const chosen = peers.filter(({ name, precisions }) => systems.includes(name) && precisions.includes(precision))
  if (wanted === undefined) return chosen
  return chosen.filter(({ name, peer }) => wanted.includes(peer) || wanted.includes(name))
}
