/**
 * What an optimiser is: from a parameter, its gradient and the optimiser's own state for it to the next of each, traced
 * into the step's graph. The rest (naming state, clipping, guarding against a loss that isn't finite) is the step's.
 */
import type { AnyTensor } from '../graph/tensor.js'
import type { Schedule } from './schedule.js'

export interface UpdateContext {
  readonly parameter: AnyTensor
  readonly gradient: AnyTensor
  /** The optimiser's state for this parameter, by name; all of the parameter's type. */
  readonly slots: Readonly<Record<string, AnyTensor>>
  /** `f32` scalar: the rate of this step. */
  readonly learningRate: AnyTensor
  /** `f32` scalar: number of this step, from 1. */
  readonly step: AnyTensor
  /** Whether weight decay applies to this parameter. */
  readonly decays: boolean
  /** What all parameters share, before this step and after it. */
  readonly shared: Readonly<Record<string, AnyTensor>>
  readonly sharedAfter: Readonly<Record<string, AnyTensor>>
}

/** What the state that all parameters share is updated by. */
export interface SharedContext {
  readonly parameters: readonly Pick<UpdateContext, 'parameter' | 'gradient' | 'slots'>[]
  readonly shared: Readonly<Record<string, AnyTensor>>
  readonly learningRate: AnyTensor
  readonly step: AnyTensor
}

export interface SharedState {
  /** `f32` scalars; all start at zero. */
  readonly names: readonly string[]
  readonly update: (context: SharedContext) => Readonly<Record<string, AnyTensor>>
}

export interface Update {
  readonly parameter: AnyTensor
  readonly slots: Readonly<Record<string, AnyTensor>>
}

/** Chooses parameters by path and shape. */
export type ParameterFilter = (path: string, shape: readonly number[]) => boolean

/** Weights, but no biases, gains or other vectors: the usual choice for weight decay. */
export const matricesOnly: ParameterFilter = (_, shape) => shape.length >= 2

export interface OptimizerOptions {
  readonly learningRate: number | Schedule
  /** Which parameters `weightDecay` applies to. Default: those with two dimensions or more. */
  readonly decay?: ParameterFilter
  /** Scales all gradients so that their common norm is at most this. */
  readonly clipNorm?: number
}

export interface Optimizer {
  readonly kind: string
  /** What it was made with, for the run's settings. */
  readonly settings: Readonly<Record<string, number | boolean>>
  readonly learningRate: Schedule
  readonly clipNorm: number | undefined
  readonly decay: ParameterFilter
  /** Names of the state kept for each parameter; all start at zero. */
  readonly slots: readonly string[]
  /** Whether each step is meant to see all the data (gradient descent proper). */
  readonly fullBatch: boolean
  readonly update: (context: UpdateContext) => Update
  /** Where gradients are taken, if not at the parameters, which are what is evaluated and kept. */
  readonly gradientPoint?: (context: Pick<UpdateContext, 'parameter' | 'slots'>) => AnyTensor
  readonly shared?: SharedState
}

/** The same optimiser at another learning rate: what `--learning-rate` does. */
export function withLearningRate(optimizer: Optimizer, peak: number): Optimizer {
  return { ...optimizer, learningRate: optimizer.learningRate.withPeak(peak) }
}
