/** The flags of fitting a table, which `fit` and `tune TABLE` share, and the options that they are. */
import { fitMethods, modelKinds, type FitMethod, type FitOptions, type FoldChoice, type ModelKind } from '../train/fit/index.js' // prettier-ignore
import type { EngineChoice } from '../train/index.js'
import { engineFlags } from './flagGroups.js'
import { badFlag, defineFlags, type FlagValues } from './flags.js'

const data = 'Data:'
const training = 'Training:'

/** Of the table and the model. */
export const tableFlags = defineFlags({
  target: { kind: 'text', value: 'COLUMN', describe: 'what is to be predicted', group: data },
  model: {
    kind: 'text',
    choices: modelKinds,
    describe: 'the kind of model',
    defaultText: 'linear for numbers; logistic for two classes (text, booleans, 0/1), softmax for more',
    group: data,
  },
  feature: {
    kind: 'list',
    value: 'COLUMN',
    describe: 'a column to predict from, may be repeated',
    defaultText: 'all but the target',
    group: data,
  },
  exclude: { kind: 'list', value: 'COLUMN', describe: 'a column to leave out, may be repeated', group: data },
  categorical: {
    kind: 'list',
    value: 'COLUMN',
    describe: 'a column of numbers that are names, may be repeated',
    group: data,
  },
  missing: {
    kind: 'text',
    choices: ['drop', 'mean', 'indicator'],
    describe: 'for missing values: leave out their rows, take the mean, or that and a column that says so',
    defaultText: 'an error',
    group: data,
  },
  missingValue: {
    kind: 'list',
    value: 'TEXT',
    describe: 'a text that means a missing value, such as NA; may be repeated',
    group: data,
  },
  intercept: { kind: 'boolean', describe: 'a constant term; --no-intercept: none', defaultText: 'true', group: data },
  standardize: {
    kind: 'boolean',
    describe:
      'train on columns of mean 0 and deviation 1; weights are in their own units all the same; --no-standardize: on the columns as they are',
    defaultText: 'true',
    group: data,
  },
  tolerance: {
    kind: 'number',
    least: 0,
    describe: "done when the gradient's norm or the objective's change is below",
    defaultText: '1e-10 for gd, 1e-6 an epoch for sgd',
    group: training,
  },
})

const held = 'Cross-validation:'

/** How rows are held out in turn. */
export const foldFlags = defineFlags({
  crossValidate: {
    kind: 'integer',
    least: 2,
    value: 'K',
    describe: 'hold out each of K parts of the rows in turn: what the rate costs there, and the best rate',
    group: held,
  },
  folds: { kind: 'text', value: 'FILE', describe: "each row's part, a number a line", group: held },
  groupBy: {
    kind: 'text',
    aliases: ['group'],
    value: 'COLUMN',
    describe: 'rows that are alike in this column are in one part; it is no feature',
    group: held,
  },
  stratify: { kind: 'boolean', describe: 'each part has as much of each class', group: held },
  forwardChaining: {
    kind: 'boolean',
    describe: 'rows are in the order of time: train on those before what is held out',
    group: held,
  },
})

/** Of `fit` alone. */
export const fitFlags = defineFlags({
  ...tableFlags,
  ...foldFlags,
  method: {
    kind: 'text',
    choices: fitMethods,
    describe: 'gradient descent over all rows a step, or stochastic over a few',
    defaultText: 'gd',
    group: training,
  },
  learningRate: {
    kind: 'number',
    least: 0,
    orWord: 'auto',
    aliases: ['lr'],
    describe: 'how far a step goes along the gradient',
    defaultText: 'auto',
    group: training,
  },
  steps: { kind: 'integer', least: 1, describe: 'steps at most', defaultText: '10000 for gd', group: training },
  epochs: {
    kind: 'number',
    least: 0,
    describe: 'passes over the rows at most, for sgd',
    defaultText: 'enough for a million rows, at most 100',
    group: training,
  },
  batchSize: { kind: 'integer', least: 1, describe: 'rows a step, for sgd', defaultText: '1', group: training },
  seed: { kind: 'integer', least: 0, describe: 'the order of rows follows from it', defaultText: '0', group: training },
  save: { kind: 'text', value: 'FILE', describe: 'write the model to a file, for talweg predict', group: training },
  workers: {
    kind: 'integer',
    least: 1,
    describe: 'processes that train together',
    defaultText: '1',
    group: 'Machine:',
  },
  ...engineFlags,
})

type TableValues = FlagValues<typeof tableFlags & typeof foldFlags & typeof engineFlags> & {
  readonly steps: number | undefined
  readonly seed: number | undefined
}

/** What both commands say of a fit. */
export function fitOptionsOf(
  command: string,
  values: TableValues,
): Omit<FitOptions, 'method' | 'learningRate' | 'crossValidation'> {
  if (values.target === undefined) throw badFlag(command, '--target is missing', 'add --target COLUMN')
  if (values.feature !== undefined && values.exclude !== undefined)
    throw badFlag(command, 'both --feature and --exclude are given', 'name the columns to use, or those to leave out')
  return {
    target: values.target,
    model: values.model as ModelKind | undefined,
    steps: values.steps,
    tolerance: values.tolerance,
    intercept: values.intercept ?? true,
    standardize: values.standardize ?? true,
    seed: values.seed ?? 0,
    missing: values.missing as FitOptions['missing'],
    missingValues: values.missingValue,
    categorical: values.categorical,
    features: values.feature,
    exclude: values.exclude,
    engine: (values.engine ?? 'auto') as EngineChoice,
    threads: values.threads,
  }
}

/**
 * How rows are held out; undefined where nothing says that they are to be.
 *
 * @param fallback how many parts where nothing says it
 */
export function foldsOf(
  command: string,
  { crossValidate, folds, groupBy, stratify, forwardChaining }: FlagValues<typeof foldFlags>,
  fallback?: number,
): FoldChoice | undefined {
  const ways = Object.entries({
    '--folds': folds,
    '--group': groupBy,
    '--stratify': stratify || undefined,
    '--forward-chaining': forwardChaining || undefined,
  }) // prettier-ignore
    .filter(([, value]) => value !== undefined)
    .map(([flag]) => flag)
  if (ways.length > 1) throw badFlag(command, `both ${ways[0]} and ${ways[1]} are given`, 'give one of them')
  if (folds !== undefined) return { kind: 'file', file: folds, numSplits: crossValidate }
  const numSplits = crossValidate ?? fallback
  if (numSplits === undefined) {
    if (ways.length > 0)
      throw badFlag(command, `${ways[0]} is given without --cross-validate`, 'add --cross-validate 5')
    return undefined
  }
  if (groupBy !== undefined) return { kind: 'grouped', numSplits, column: groupBy }
  return { kind: stratify === true ? 'stratified' : forwardChaining === true ? 'forward' : 'shuffled', numSplits }
}

interface MethodFlags {
  readonly steps?: number
  readonly epochs?: number
  readonly batchSize?: number
  readonly learningRate?: number | string
}

export function checkMethod(method: FitMethod, { steps, epochs, batchSize, learningRate }: MethodFlags): void {
  if (learningRate === 0) throw badFlag('fit', '--learning-rate is 0, with which nothing is learnt', 'use auto')
  if (steps !== undefined && epochs !== undefined)
    throw badFlag('fit', 'both --steps and --epochs are given', 'give one of them')
  const [name] =
    Object.entries({ '--epochs': epochs, '--batch-size': batchSize }).find(([, value]) => value !== undefined) ?? []
  if (method === 'gd' && name !== undefined)
    throw badFlag('fit', `${name} is of --method sgd, and gd takes all rows a step`, 'add --method sgd, or use --steps')
}
