/** The cases of the bench: what Talweg runs, and against which systems. */

export type Precision = 'f32' | 'bf16'

interface CaseBase {
  readonly name: string
  readonly precisions: readonly Precision[]
  /** Names of the systems (`run/systems.ts`) that are measured beside Talweg. */
  readonly systems: readonly string[]
}

/** The training file of that name in this folder, run by `train`. */
export interface TrainingCase extends CaseBase {
  readonly kind: 'training'
  /** Steps after which the peak of memory is read. */
  readonly memorySteps: number
}

/** The table of `linear.ts`, run by `fit`. */
export interface FitCase extends CaseBase {
  readonly kind: 'fit'
  readonly method: 'gd' | 'sgd'
  readonly learningRate: number
  readonly memorySteps: number
}

/** A step is a whole process: its launch until it has said its version, or until its first step of `of` is done. */
export interface LaunchCase extends CaseBase {
  readonly kind: 'launch'
  readonly until: 'version' | 'first step'
  readonly of: string
}

export type WorkCase = TrainingCase | FitCase
export type Case = WorkCase | LaunchCase

const torch = ['torch-eager', 'torch-compile'] as const
const jax = 'jax'
const javaScript = ['tfjs', 'jax-js'] as const
const both = ['f32', 'bf16'] as const

function training(
  name: string,
  memorySteps: number,
  precisions: readonly Precision[],
  systems: readonly string[],
): TrainingCase {
  return { kind: 'training', name, memorySteps, precisions, systems }
}

export const cases: readonly Case[] = [
  training('gpt-10m', 10, both, [...torch, jax, ...javaScript]),
  training('gpt-1m', 200, both, [...torch, jax, ...javaScript]),
  training('gpt-124m', 4, both, torch),
  training('bert-mini', 20, both, torch),
  training('mlp-32', 2000, ['f32'], torch),
  training('mlp-128', 1000, ['f32'], torch),
  training('mlp-1024', 200, ['f32'], torch),
  training('convnet', 200, both, torch),
  training('resnet18', 10, both, torch),
  training('resnet50', 4, both, torch),
  {
    kind: 'fit',
    name: 'linear-gd',
    method: 'gd',
    learningRate: 0.1,
    memorySteps: 100,
    precisions: ['f32'],
    systems: ['numpy-f32', 'numpy-f64', ...torch, 'sklearn-f32', 'sklearn-f64'],
  },
  {
    kind: 'fit',
    name: 'linear-sgd',
    method: 'sgd',
    learningRate: 0.002,
    memorySteps: 1_000_000,
    precisions: ['f32'],
    systems: ['sklearn-f32', 'sklearn-f64'],
  },
  {
    kind: 'launch',
    name: 'startup-version',
    until: 'version',
    of: 'gpt-1m',
    precisions: ['f32'],
    systems: ['torch-eager'],
  },
  {
    kind: 'launch',
    name: 'startup-first-step',
    until: 'first step',
    of: 'gpt-1m',
    precisions: ['f32'],
    systems: [...torch, jax],
  },
]

/** The case of that name, which has work to do. */
export function workCase(wanted: string): WorkCase | undefined {
  return cases.find((example): example is WorkCase => example.name === wanted && example.kind !== 'launch')
}
