/** The cases of the bench: what Talweg runs, and against which systems. */

export type Precision = 'f32' | 'bf16'

interface CaseBase {
  readonly name: string
  /** Files of this folder are given by name, without the ending. */
  readonly precisions: readonly Precision[]
  /** Names of the systems (`run/systems.ts`) that are measured beside Talweg. */
  readonly systems: readonly string[]
}

/** A training file, run by `train`. */
export interface TrainingCase extends CaseBase {
  readonly kind: 'training'
  /** Steps after which the peak of memory is read. */
  readonly memorySteps: number
}

export type Case = TrainingCase

const torch = ['torch-eager', 'torch-compile']
const both = ['f32', 'bf16'] as const

function training(name: string, memorySteps: number, precisions: readonly Precision[], systems = torch): TrainingCase {
  return { kind: 'training', name, memorySteps, precisions, systems }
}

export const cases: readonly Case[] = [training('gpt-10m', 10, both), training('gpt-1m', 200, both)]
