/** Reads what PyTorch computed for single losses, layers, optimisers and schedules (fixtures/README.md). */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { TensorData } from '../../src/core/shape.js'
import { readSafetensors } from '../../src/exchange/safetensors/index.js'

const folder = path.join(import.meta.dirname, 'fixtures')

/** A case's settings. What they are follows from the case's kind; a wrong name fails in the test that reads it. */
export type Settings = Readonly<Record<string, never>>

export interface LossCase {
  readonly value: number
  readonly delta?: number
  readonly labelSmoothing?: number
  readonly ignoredTarget?: number
}

export interface ScheduleCase {
  readonly settings: Settings & { readonly kind: string }
  readonly totalSteps: number
  readonly rates: readonly number[]
}

interface Pieces {
  readonly losses: Readonly<Record<string, LossCase>>
  readonly layers: Readonly<Record<string, Settings>>
  readonly optimizers: Readonly<Record<string, Settings>>
  readonly schedules: Readonly<Record<string, ScheduleCase>>
}

export const pieces = JSON.parse(readFileSync(path.join(folder, 'pieces.json'), 'utf8')) as Pieces

const all = await readSafetensors(path.join(folder, 'pieces.safetensors'))

/** The tensors of a case whose names begin with `group`, without it; `''` for all. */
export function tensorsOf(caseName: string, group: string): Map<string, TensorData> {
  const prefix = `${caseName}/${group === '' ? '' : `${group}/`}`
  const found = [...all].filter(([name]) => name.startsWith(prefix))
  return new Map(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]))
}
