/**
 * `fit`: linear, logistic and softmax regression on a table, by gradient descent or stochastic gradient descent. The table
 * is prepared by its design, the step is a traced graph, and the result is in the units of the table's own columns.
 */
import { invariant, TalwegError } from '../../core/errors.js'
import { table, toTableUnits, type MissingPolicy, type TableDesign, type TableSource } from '../../data/index.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine, type EngineChoice } from '../engines.js'
import { crossValidate, type CrossValidation } from './crossValidation/crossValidate.js'
import { allTargets, makeFolds, type FoldPlan } from './crossValidation/folds.js'
import { fastRate, gradientDescent, type Descent } from './gradientDescent.js'
import { chooseKind, type FitModel, type ModelKind } from './model.js'
import { loadRows } from './rows.js'
import { stochasticDescent } from './stochastic.js'

export const fitMethods = ['gd', 'sgd'] as const
export type FitMethod = (typeof fitMethods)[number]

export interface FitOptions {
  readonly target: string
  readonly model?: ModelKind
  readonly method: FitMethod
  readonly learningRate: number | 'auto'
  readonly steps?: number
  readonly epochs?: number
  readonly batchSize?: number
  readonly tolerance?: number
  readonly intercept: boolean
  readonly standardize: boolean
  readonly missing?: MissingPolicy
  readonly missingValues?: readonly string[]
  readonly categorical?: readonly string[]
  readonly features?: readonly string[]
  readonly exclude?: readonly string[]
  readonly seed: number
  readonly crossValidation?: CrossValidationOptions
  readonly engine: EngineChoice
  readonly threads?: number
}

/** Rows of a group, or of a fold's number, are told from each other by a column, or a file. */
export type FoldChoice = Exclude<FoldPlan, { readonly kind: 'grouped' }> | { readonly kind: 'grouped'; readonly numSplits: number; readonly column: string } // prettier-ignore

export interface CrossValidationOptions {
  readonly folds: FoldChoice
  /** What is compared; where not given, the rate given, or for `auto` those from what is fastest down to a hundredth of it. */
  readonly learningRates?: readonly number[]
}

export interface FitObserver {
  /** One line that a user should know. */
  told(message: string): void
  started(totalSteps: number): void
  progressed(step: number, loss: number): void
  /** Asked between calls of the engine. */
  shouldStop(): boolean
}

/** What a model is, for people and for `predict`. */
export interface FittedModel {
  readonly kind: ModelKind
  readonly design: TableDesign
  /** By column, in the table's own units; for softmax one number a class. */
  readonly weights: Readonly<Record<string, readonly number[]>>
  readonly intercept: readonly number[]
}

export interface FitResult {
  readonly fitted: FittedModel
  readonly method: FitMethod
  readonly engine: Engine
  readonly dtype: 'f32' | 'f64'
  readonly numRows: number
  readonly numDropped: number
  readonly loss: number
  readonly steps: number
  readonly converged: boolean
  readonly learningRate: number
  /** Where it was asked for; the fit itself is at its best rate. */
  readonly crossValidation?: CrossValidation
  readonly seconds: number
}

/** In memory twice, once here and once in the engine, only below this; larger tables go by way of a file. */
const maxBytesOnHost = 16e6
/** Tables of fewer numbers are worked on in double precision. */
const maxDoubleNumbers = 1_000_000
const defaultGradientSteps = 10_000
/** Rows that SGD sees where nothing else is said, in at least one and at most a hundred epochs. */
const defaultRowsSeen = 1_000_000

/** @throws INVALID_DATA, INVALID_SETTING, FILE_NOT_FOUND, DIVERGED, DOES_NOT_FIT */
export async function fit(file: string, options: FitOptions, observer: FitObserver): Promise<FitResult> {
  const start = performance.now()
  const { method } = options
  const engine = await openEngine(options.engine, { threads: options.threads }, (message) => observer.told(message))
  const source = await openTable(file, options, engine)
  try {
    const { design } = source
    const kind = chooseKind(design, options.model)
    checkClasses(file, kind, design)
    const model = modelOf(source, kind, options, engine)
    const descent =
      method === 'gd'
        ? await descend(file, model, source, engine, options, observer)
        : await descendStochastically(model, source, engine, options, observer)
    const { weights, intercept, loss, ...rest } = descent
    const own = toTableUnits(design, weights, intercept)
    const scale = design.target.task === 'regression' ? design.target.scale : 1
    return {
      fitted: {
        kind,
        design,
        weights: own.weights,
        intercept: options.intercept ? own.intercepts : own.intercepts.map(() => 0),
      },
      method,
      engine,
      dtype: model.dtype,
      numRows: source.numSamples,
      numDropped: source.numDropped,
      ...rest,
      loss: loss * scale ** 2,
      seconds: (performance.now() - start) / 1000,
    }
  } finally {
    await source.close()
  }
}

/** Rows that the engine will hold are not held here as well. */
function openTable(file: string, options: FitOptions, engine: Engine): Promise<TableSource> {
  const { target, features, exclude = [], standardize, intercept, model, method, crossValidation } = options
  // What tells groups apart is no feature, unless it is named as one.
  const { folds } = crossValidation ?? {}
  const left = folds?.kind === 'grouped' && features === undefined ? [...exclude, folds.column] : exclude
  return table(file, {
    ...readingOf(options),
    target,
    features,
    exclude: left.length > 0 ? left : undefined,
    standardize,
    intercept,
    standardizeTarget: standardize,
    task: model === undefined ? 'auto' : model === 'linear' ? 'regression' : 'classification',
    ...(method === 'gd' || engine.composites.has('linearDescent') ? { maxBytesInMemory: maxBytesOnHost } : {}),
  })
}

function readingOf({
  missing,
  missingValues,
  categorical,
}: FitOptions): Pick<FitOptions, 'missing' | 'missingValues' | 'categorical'> {
  return { missing, missingValues, categorical }
}

/** The groups of the rows that are trained on, as numbers: the table is read with them as its classes. */
async function groupsOf(
  file: string,
  column: string,
  source: TableSource,
  options: FitOptions,
): Promise<ArrayLike<number>> {
  const { inputs, target } = source.design
  const features = [...inputs.map(({ name }) => name), target.name].filter((name) => name !== column)
  const groups = await table(file, { ...readingOf(options), target: column, features, task: 'classification' })
  try {
    invariant(groups.numSamples === source.numSamples, 'both readings leave out the same rows')
    return allTargets(groups)
  } finally {
    await groups.close()
  }
}

function checkClasses(file: string, kind: ModelKind, { target }: TableDesign): void {
  if (kind !== 'logistic' || target.task !== 'classification' || target.classes.length === 2) return
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'fit',
    problem: `--model logistic tells two classes apart, and the target has ${target.classes.length}`,
    hint: 'use --model softmax',
    place: { file, column: target.name },
  })
}

function modelOf(source: TableSource, kind: ModelKind, { intercept }: FitOptions, engine: Engine): FitModel {
  const { design, numSamples, numClasses } = source
  const numFeatures = design.features.length
  const isSmall = numSamples * (numFeatures + 1) < maxDoubleNumbers
  invariant(kind !== 'softmax' || numClasses !== undefined, 'softmax has classes')
  return {
    kind,
    numFeatures,
    hasIntercept: intercept,
    numOutputs: kind === 'softmax' ? (numClasses ?? 1) : 1,
    dtype: isSmall && engine.dtypes.has('f64') ? 'f64' : 'f32',
  }
}

async function descend(
  file: string,
  model: FitModel,
  source: TableSource,
  engine: Engine,
  options: FitOptions,
  observer: FitObserver,
): Promise<Descent & { readonly crossValidation?: CrossValidation }> {
  const rows = await loadRows(source, model, engine)
  const { steps = defaultGradientSteps, tolerance = 1e-10, learningRate, crossValidation: wanted } = options
  const limits = { steps, tolerance, ...callbacks(observer) }
  if (wanted === undefined) {
    observer.started(steps)
    return gradientDescent(model, rows, engine, { learningRate, ...limits })
  }
  const { folds: choice } = wanted
  const plan =
    choice.kind === 'grouped' ? { ...choice, groups: await groupsOf(file, choice.column, source, options) } : choice
  const folds = await makeFolds(plan, source, options.seed)
  const rates =
    wanted.learningRates ??
    (learningRate === 'auto' ? slowerRates(await fastRate(model, rows, engine)) : [learningRate])
  const { target } = source.design
  const scale = target.task === 'regression' ? target.scale : 1
  const crossValidation = await crossValidate({ model, rows, folds, rates, engine }, limits, scale)
  observer.started(steps)
  const descent = await gradientDescent(model, rows, engine, { learningRate: crossValidation.best, ...limits })
  return { ...descent, crossValidation }
}

/** A rate and the halves of it, down to a hundredth. */
function slowerRates(rate: number): number[] {
  return Array.from({ length: 8 }, (_, index) => rate / 2 ** index)
}

async function descendStochastically(
  model: FitModel,
  source: TableSource,
  engine: Engine,
  options: FitOptions,
  observer: FitObserver,
): Promise<Descent> {
  const { batchSize = 1, tolerance = 1e-6, seed, learningRate, crossValidation } = options
  if (crossValidation !== undefined) {
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation: 'fit',
      problem: 'rates are cross-validated by --method gd, and --method is sgd',
      hint: 'leave out --method sgd, or give a --learning-rate',
    })
  }
  const { numSamples } = source
  if (batchSize > numSamples) {
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation: 'fit',
      problem: `--batch-size is ${batchSize}, and the table has ${numSamples} rows to train on`,
      hint: 'use --method gd for steps over all rows',
    })
  }
  const epochs = options.epochs ?? Math.min(100, Math.max(1, Math.ceil(defaultRowsSeen / numSamples)))
  const steps = options.steps ?? Math.max(1, Math.ceil((epochs * numSamples) / batchSize))
  observer.started(steps)
  return stochasticDescent(model, source, engine, {
    steps,
    batchSize,
    tolerance,
    seed,
    learningRate,
    ...callbacks(observer),
  })
}

function callbacks(observer: FitObserver): Pick<FitObserver, 'shouldStop' | 'progressed'> {
  return {
    shouldStop: () => observer.shouldStop(),
    progressed: (step, loss) => observer.progressed(step, loss),
  }
}
