/** What the results were measured on. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'
import { root } from './systems.js'

export interface Machine {
  readonly processor: string
  readonly numCores: number
  /** Those of the processor's instruction sets that matter here. */
  readonly instructionSets: readonly string[]
  /** Each L3 cache, with the cores that the system believes to share it. */
  readonly level3Caches: readonly { readonly cores: string; readonly size: string }[]
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
}

const interesting = [
  'avx2',
  'fma',
  'avx512f',
  'avx512bw',
  'avx512_vnni',
  'avx512_bf16',
  'amx_tile',
  'amx_bf16',
  'asimd',
]

export function describeMachine(): Machine {
  const cpuInfo = readOrEmpty('/proc/cpuinfo')
  const flags = new Set(/^(?:flags|Features)\s*: (.*)$/m.exec(cpuInfo)?.[1].split(' '))
  const family = [field(cpuInfo, 'cpu family'), field(cpuInfo, 'model')].filter((part) => part !== '')
  return {
    processor: `${os.cpus()[0]?.model.trim() ?? 'unknown'}${family.length === 2 ? ` (family ${family.join(', model ')})` : ''}`,
    numCores: os.cpus().length,
    instructionSets: interesting.filter((name) => flags.has(name)),
    level3Caches: level3Caches(),
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
  }
}

function field(cpuInfo: string, name: string): string {
  return new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(cpuInfo)?.[1] ?? ''
}

function level3Caches(): Machine['level3Caches'] {
  const found = new Map<string, string>()
  for (const core of os.cpus().keys()) {
    const folder = `/sys/devices/system/cpu/cpu${core}/cache/index3/`
    const cores = readOrEmpty(`${folder}shared_cpu_list`).trim()
    if (cores !== '') found.set(cores, readOrEmpty(`${folder}size`).trim())
  }
  return Array.from(found, ([cores, size]) => ({ cores, size }))
}

/** The commit that is checked out, with a mark where files differ from it. */
export function talwegCommit(): string {
  const git = (...args: string[]): string => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' }).trim()
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', 'src', 'native') === '' ? '' : ' and changes'}`
  } catch {
    return 'unknown'
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
