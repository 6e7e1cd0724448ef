/** A Slurm of its own for a test: controller, one node's daemon and munge, all on this machine and in one folder. Needs root. */
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, hostname } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Why it can't be started here, or undefined. */
export function whyNoSlurm(): string | undefined {
  if (process.getuid?.() !== 0) return 'Slurm is started by root alone'
  const missing = ['slurmctld', 'slurmd', 'munged', 'sbatch'].filter(
    (program) => spawnSync('which', [program], { env: { ...process.env, PATH: systemPath() } }).status !== 0,
  )
  return missing.length === 0 ? undefined : `${missing.join(', ')} not installed (apt-get install slurm-wlm munge)`
}

function systemPath(): string {
  return `${process.env.PATH}:/usr/sbin:/sbin`
}

export interface Slurm {
  /** For its commands. */
  readonly env: Readonly<Record<string, string>>
  readonly call: (program: string, ...args: readonly string[]) => string
  readonly stop: () => Promise<void>
}

function configuration(folder: string, host: string, port: number): string {
  return `ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${port}
SlurmdPort=${port + 1}
AuthType=auth/munge
AuthInfo=socket=${folder}/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=5
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`
}

/** @param folder where everything of it goes; others are let into it and the one above */
export async function startSlurm(folder: string): Promise<Slurm> {
  const munge = path.join(folder, 'munge')
  for (const name of ['state', 'spool', 'munge']) mkdirSync(path.join(folder, name), { recursive: true })
  for (const each of [path.dirname(folder), folder]) chmodSync(each, 0o755)
  writeFileSync(path.join(munge, 'key'), randomBytes(256), { mode: 0o600 })
  execFileSync('chown', ['-R', 'munge', munge])
  const file = path.join(folder, 'slurm.conf')
  writeFileSync(file, configuration(folder, hostname().split('.')[0], 20_000 + 2 * (process.pid % 5_000)))
  const env = { ...(process.env as Record<string, string>), PATH: systemPath(), SLURM_CONF: file }
  const call = (program: string, ...args: readonly string[]): string =>
    execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const files = ['key-file=key', 'socket=socket', 'pid-file=pid', 'log-file=log', 'seed-file=seed'].map(
    (each) => `--${each.replace('=', `=${munge}/`)}`,
  )
  call('su', '-s', '/bin/sh', 'munge', '-c', `munged --force ${files.join(' ')}`)
  call('slurmctld', '-f', file)
  call('slurmd', '-f', file)
  for (let tries = 0; tries < 100; tries++) {
    if (spawnSync('sinfo', ['-h', '-o', '%T'], { env, encoding: 'utf8' }).stdout.includes('idle')) break
    await sleep(100)
  }
  const stop = async (): Promise<void> => {
    const pids = [`${folder}/slurmd.pid`, `${folder}/slurmctld.pid`, `${munge}/pid`].map((each) => pidIn(each))
    for (const pid of pids) if (pid !== undefined) process.kill(pid, 'SIGTERM')
    for (let tries = 0; tries < 100 && pids.some(isThere); tries++) await sleep(100)
  }
  return { env, call, stop }
}

function pidIn(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function isThere(pid: number | undefined): boolean {
  return pid !== undefined && spawnSync('kill', ['-0', String(pid)]).status === 0
}
