/**
 * The training file's vocabulary: `defineTraining`. A definition says what is to be trained; it does nothing by itself,
 * and everything else (engine, machine, how long) is a choice made at launch.
 */
import { TalwegError } from '../core/errors.js'
import type { Shape } from '../core/shape.js'
import type { DataSource } from '../data/index.js'
import type { AnyTensor, Tensor } from '../graph/index.js'
import type { Module } from '../nn/index.js'
import type { Optimizer } from '../optim/index.js'
import {
  overlaySettings,
  resolveSettings,
  settingNames,
  unknownSetting,
  type Settings,
  type SettingsInput,
} from './settings.js'
import type { Tunable } from './tunable.js'

/** A batch's tensor. What type its elements have is known when the data is: `never` lets it stand where any is wanted. */
export type BatchTensor = Tensor<Shape, never>
export type BatchTensors = Readonly<Record<string, BatchTensor>>

/** What a model may want to know of the data. Asking for what the data doesn't have is an error that says so. */
export interface DataFacts {
  /** For tokens: how many different ones there are. */
  readonly vocabulary: number
  /** For class labels: how many classes there are. */
  readonly numClasses: number
}

export interface TrainingDefinition<M extends Module> extends SettingsInput {
  /** Makes the model, or loads it. */
  readonly model: (facts: DataFacts) => M | Promise<M>
  /** Opens the data. */
  readonly data: () => DataSource | Promise<DataSource>
  /** The scalar to be made small, for a batch; traced once. A loss of `nn` weighs uneven batches exactly. */
  readonly loss: (model: M, batch: BatchTensors) => AnyTensor
  /** What else to measure when validating, such as `{ accuracy: nn.accuracy(logits, batch.labels) }`. */
  readonly metrics?: (model: M, batch: BatchTensors) => Readonly<Record<string, AnyTensor>>
  readonly optimizer: Optimizer
}

const parts = ['model', 'data', 'loss', 'metrics', 'optimizer'] as const

/** A checked definition: what a training file exports. */
export class Training<M extends Module = Module> {
  constructor(
    readonly definition: Pick<TrainingDefinition<M>, (typeof parts)[number]>,
    /** The training file's own settings, not yet filled in. */
    readonly ownSettings: Readonly<Record<string, unknown>>,
    /** What its file declares by `tunable`. */
    readonly tunables: ReadonlyMap<string, Tunable> = new Map(),
  ) {}

  /** The same, as it came from a file that declares these. */
  declaring(tunables: ReadonlyMap<string, Tunable>): Training<M> {
    return new Training(this.definition, this.ownSettings, tunables)
  }

  /** Its own settings with others over them, checked; those for its tunables are in it already. */
  settings(overrides: Readonly<Record<string, unknown>> = {}): Settings {
    const isSetting = ([name]: [string, unknown]): boolean =>
      settingNames.includes(name as keyof Settings) || !this.tunables.has(name)
    const settings = Object.fromEntries(Object.entries(overrides).filter(isSetting))
    return resolveSettings(overlaySettings(this.ownSettings, settings), 'train', [...this.tunables.keys()])
  }
}

/**
 * Defines a training. Its default export is what `talweg train FILE` trains.
 *
 * @example
 * export default defineTraining({
 *   model: ({ vocabulary }) => new nn.GPT({ vocabulary, context: 64, layers: 4, heads: 4, width: 128 }),
 *   data: () => data.characters('book.txt', { context: 64, validation: 0.1 }),
 *   loss: (model, batch) => nn.crossEntropy(model.forward(batch.tokens), batch.targets),
 *   optimizer: optim.adamw({ learningRate: optim.cosine({ peak: 1e-3, warmup: 100 }) }),
 *   batchSize: 12, steps: 2000,
 * })
 * @throws INVALID_TRAINING, UNKNOWN_SETTING, INVALID_SETTING
 */
export function defineTraining<M extends Module>(definition: TrainingDefinition<M>): Training<M> {
  const { model, data, loss, metrics, optimizer, ...ownSettings } = definition
  for (const [name, part] of Object.entries({ model, data, loss })) requireFunction(name, part)
  if (metrics !== undefined) requireFunction('metrics', metrics)
  if (typeof Object(optimizer).update !== 'function') {
    throw invalid(
      `optimizer is ${describe(optimizer)}, not an optimiser`,
      'write optimizer: optim.adamw({ learningRate: 1e-3 })',
    )
  }
  for (const name of Object.keys(ownSettings)) {
    if (!settingNames.includes(name as keyof Settings))
      throw unknownSetting(name, [...parts, ...settingNames], 'defineTraining')
  }
  resolveSettings(ownSettings, 'defineTraining')
  return new Training({ model, data, loss, metrics, optimizer }, ownSettings)
}

function requireFunction(name: string, part: unknown): void {
  if (typeof part === 'function') return
  const found = part === undefined ? 'is missing' : `is ${describe(part)}, not a function`
  throw invalid(`${name} ${found}`, `write ${name}: (…) => …`)
}

function describe(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : JSON.stringify(value) ?? typeof value // prettier-ignore
}

function invalid(problem: string, hint: string): TalwegError {
  return new TalwegError({ code: 'INVALID_TRAINING', operation: 'defineTraining', problem, hint })
}

/** The facts of a source, each an error where the data doesn't have it. */
export function factsOf({
  vocabulary,
  numClasses,
}: {
  readonly vocabulary?: number
  readonly numClasses?: number
}): DataFacts {
  const require = (value: number | undefined, name: string, what: string): number => {
    if (value !== undefined) return value
    throw new TalwegError({
      code: 'INVALID_TRAINING',
      operation: 'model',
      problem: `the model asks for the data's ${name}, and this data has no ${what}`,
      hint: `write the number into the model instead of ${name}`,
    })
  }
  return {
    get vocabulary() {
      return require(vocabulary, 'vocabulary', 'tokens')
    },
    get numClasses() {
      return require(numClasses, 'numClasses', 'class labels')
    },
  }
}
