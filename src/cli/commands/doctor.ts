/**
 * `talweg doctor`: which engines and launchers work here. An engine is not asked whether it is there but given a small
 * product to compute, and its answer is checked.
 */
import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { compileGraph } from '../../compile/index.js'
import { exitCodes, invariant, TalwegError } from '../../core/errors.js'
import { tensorData, tensorType } from '../../core/shape.js'
import { askProgram, installCommand, isOnPath, mpirunInstall } from '../../distribute/index.js'
import type { EngineName } from '../../engine/engine.js'
import { trace } from '../../graph/index.js'
import { matmul } from '../../ops/index.js'
import { engineNames, openEngine } from '../../train/engines.js'
import { availableMemoryBytes } from '../../train/memory.js'
import { defineCommand } from '../command.js'
import { formatBytes } from '../output.js'

interface Finding {
  readonly name: string
  readonly works: boolean
  /** What it is, or what is wrong. */
  readonly detail: string
  /** The command that installs what is missing. */
  readonly install?: string
}

export const doctor = defineCommand({
  name: 'doctor',
  describe:
    "Show which engines and launchers work here, and for each that doesn't, what is missing and how to install it",
  args: [],
  flags: {},
  examples: [['talweg doctor --json', 'The same, for programs']],
  run: async (_args, _values, output) => {
    const engines = await Promise.all(engineNames.map(checkEngine))
    const launchers = await Promise.all(launcherChecks.map(checkLauncher))
    const machine = {
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cores: availableParallelism(),
      availableMemoryBytes: availableMemoryBytes(),
    }
    output.result({ ...machine, engines, launchers }, () =>
      [
        `Node ${machine.node}, ${machine.platform}, ${machine.cores} cores, ${formatBytes(machine.availableMemoryBytes)} of memory free`,
        section('Engines', engines),
        section('Launchers (for several workers)', launchers),
      ].join('\n\n'),
    )
    return engines.some(({ works }) => works) ? exitCodes.done : exitCodes.failed
  },
})

function section(title: string, findings: readonly Finding[]): string {
  const lines = findings.map(({ name, works, detail, install }) => {
    const hint = install === undefined ? '' : `\n             install: ${install}`
    return `  ${works ? 'works ' : 'absent'}  ${name.padEnd(10)} ${detail}${hint}`
  })
  return `${title}\n${lines.join('\n')}`
}

async function checkEngine(name: EngineName): Promise<Finding> {
  try {
    const engine = await openEngine(name, {}, () => undefined)
    const type = tensorType('f32', [2, 2])
    const graph = trace('doctor', [{ name: 'x', type }], (x) => ({ y: matmul(x, x) }))
    const executable = await engine.load(compileGraph(graph, engine).program, new Map())
    const { y } = await executable.run({ x: tensorData('f32', [2, 2], [1, 2, 3, 4]) })
    invariant(y.data.join() === '7,10,15,22', `the ${name} engine multiplies right: ${y.data.join()}`)
    // An engine's description begins with its name, which stands beside it here.
    return { name, works: true, detail: engine.description.slice(`${name}: `.length) }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const detail = error instanceof TalwegError ? error.problem : error.message
    return { name, works: false, detail, ...(name === 'native' ? { install: nativeInstall() } : {}) }
  }
}

/** What has to be installed to build the native engine, and how here. */
function nativeInstall(): string {
  const missing = [
    ...(isOnPath('c++') ? [] : ['g++']),
    ...(isOnPath('make') ? [] : ['make']),
    ...(isOnPath('cmake') ? [] : ['cmake']),
    ...(hasOneDnn() ? [] : ['libdnnl-dev']),
  ]
  return missing.length === 0
    ? './setup'
    : `${installCommand(missing.join(' '), 'gcc-c++ make cmake onednn-devel')} && ./setup`
}

function hasOneDnn(): boolean {
  const include = ['/usr/include', '/usr/local/include', '/opt/homebrew/include']
  const nested = existsSync('/usr/include') ? readdirSync('/usr/include').map((name) => `/usr/include/${name}`) : []
  return [...include, ...nested].some((folder) => existsSync(path.join(folder, 'dnnl.hpp')))
}

interface LauncherCheck {
  readonly name: string
  readonly program: string
  readonly versionArguments: readonly string[]
  readonly install: () => string
}

const launcherChecks: readonly LauncherCheck[] = [
  {
    name: 'mpirun',
    program: 'mpirun',
    versionArguments: ['--version'],
    install: mpirunInstall,
  },
  {
    name: 'slurm',
    program: 'srun',
    versionArguments: ['--version'],
    install: () => installCommand('slurm-client', 'slurm'),
  },
  {
    name: 'kubernetes',
    program: 'kubectl',
    versionArguments: ['version', '--client'],
    install: () => 'see https://kubernetes.io/docs/tasks/tools/',
  },
]

async function checkLauncher({ name, program, versionArguments, install }: LauncherCheck): Promise<Finding> {
  const answer = await askProgram(program, versionArguments, 5_000)
  if ('problem' in answer) return { name, works: false, detail: answer.problem, install: install() }
  return { name, works: true, detail: answer.stdout.split('\n')[0].trim() }
}
