/** Starts workers on this machine, as `talweg train --workers` does. */
import { spawn, spawnSync } from 'node:child_process'
import path from 'node:path'

/** Why no workers can be started here; undefined where they can. */
export const lackingMpirun: string | undefined =
  spawnSync('mpirun', ['--version']).status === 0 ? undefined : 'mpirun is not installed (apt-get install openmpi-bin)'

export interface Ending {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningWorkers {
  readonly pid: number
  readonly ended: Promise<Ending>
  /** Resolved when a line of standard output has this in it. */
  said(text: string): Promise<string>
}

/** Loopback and shared memory only: no test needs a network, and none may find one. */
const settings = ['--mca', 'btl', 'self,vader,tcp', '--mca', 'btl_tcp_if_include', 'lo', '--mca', 'oob_tcp_if_include', 'lo'] // prettier-ignore

export function startWorkers(numWorkers: number, script: string, args: readonly string[] = []): RunningWorkers {
  const file = path.join(import.meta.dirname, '../workers', script)
  const environment = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' }
  const command = ['-n', `${numWorkers}`, '--oversubscribe', '--bind-to', 'none', ...settings]
  const child = spawn('mpirun', [...command, process.execPath, '--import=tsx', file, ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const waiting: { readonly text: string; readonly resolve: (line: string) => void }[] = []
  const look = (): void => {
    for (const { text, resolve } of waiting) {
      const line = stdout.split('\n').find((candidate) => candidate.includes(text))
      if (line !== undefined) resolve(line)
    }
  }
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString()
    look()
  })
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const ended = new Promise<Ending>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
  const said = (text: string): Promise<string> =>
    new Promise((resolve) => {
      waiting.push({ text, resolve })
      look()
    })
  return { pid: child.pid!, ended, said }
}

export function runWorkers(numWorkers: number, script: string, args: readonly string[] = []): Promise<Ending> {
  return startWorkers(numWorkers, script, args).ended
}
