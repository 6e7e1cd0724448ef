/**
 * Results with the machine that they were measured on, in `bench/results/NAME.json`. A case that is measured again takes the
 * place of what was there of it; the others stay, if they are of the same machine.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { TalwegError } from '../../src/core/errors.js'
import type { Machine } from './machine.js'
import type { SystemResult } from './statistics.js'
import { pathOf } from './systems.js'

/** How and when a result came about. */
export interface Circumstances {
  readonly date: string
  readonly commit: string
  readonly threads: number
  readonly pairs: number
  /** Between the cores, before and after. */
  readonly coreLatencyNanoseconds: readonly [number, number]
}

export type KeptResult = SystemResult & { readonly version: string | null } & Circumstances

export interface ResultFile {
  readonly machine: Machine
  readonly results: readonly KeptResult[]
}

const place = (name: string): string => pathOf('bench/results', `${name}.json`)

export function readResults(name: string): ResultFile | undefined {
  return existsSync(place(name)) ? (JSON.parse(readFileSync(place(name), 'utf8')) as ResultFile) : undefined
}

/** Keeps the order of the first file; what is new comes last. */
export function mergeResults(before: readonly KeptResult[], measured: readonly KeptResult[]): KeptResult[] {
  const key = (result: KeptResult): string => `${result.case} ${result.precision} ${result.system}`
  const merged = new Map(before.map((result) => [key(result), result]))
  for (const result of measured) merged.set(key(result), result)
  return [...merged.values()]
}

/** @throws INVALID_SETTING where the file is of another machine */
export function saveResults(name: string, machine: Machine, measured: readonly KeptResult[]): void {
  const before = readResults(name)
  if (before !== undefined && before.machine.processor !== machine.processor) {
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation: 'bench',
      problem: `bench/results/${name}.json is of another machine: ${before.machine.processor}`,
      hint: 'save under another name',
    })
  }
  const file: ResultFile = { machine, results: mergeResults(before?.results ?? [], measured) }
  mkdirSync(pathOf('bench/results'), { recursive: true })
  writeFileSync(place(name), `${JSON.stringify(file, null, 2)}\n`)
}
