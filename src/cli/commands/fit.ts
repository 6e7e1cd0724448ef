/** `talweg fit`: linear, logistic and softmax regression on a table. */
import { SingleBar } from 'cli-progress'
import { exitCodes } from '../../core/errors.js'
import {
  fit as runFit,
  fitMethods,
  modelKinds,
  saveModel,
  type FitMethod,
  type FitObserver,
  type FitResult,
  type ModelKind,
} from '../../train/fit/index.js'
import { StopListener, type StopRequest } from '../../train/stop.js'
import type { EngineChoice } from '../../train/index.js'
import { defineCommand } from '../command.js'
import { engineFlags } from '../flagGroups.js'
import { badFlag, defineFlags } from '../flags.js'
import { formatTable, shortPath, type Output } from '../output.js'

const data = 'Data:'
const training = 'Training:'

const flags = defineFlags({
  target: { kind: 'text', value: 'COLUMN', describe: 'what is to be predicted', isRequired: true, group: data },
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
  tolerance: {
    kind: 'number',
    least: 0,
    describe: "done when the gradient's norm or the objective's change is below",
    defaultText: '1e-10 for gd, 1e-6 an epoch for sgd',
    group: training,
  },
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

export const fit = defineCommand({
  name: 'fit',
  describe: 'Fit a linear, logistic or softmax regression to a table',
  args: [{ name: 'TABLE', describe: 'A CSV, TSV, Parquet or JSON file, or a pattern such as part-*.parquet' }],
  flags,
  examples: [
    ['talweg fit houses.csv --target price', 'Linear regression'],
    ['talweg fit irises.csv --target species --save irises.json', 'Softmax regression, kept for talweg predict'],
    ['talweg fit clicks.parquet --target clicked --method sgd --epochs 1', 'Logistic regression, one row a step'],
  ],
  run: async ([file], values, output) => {
    const { workers = 1, method: methodText = 'gd' } = values
    const method = methodText as FitMethod
    if (workers > 1) throw badFlag('fit', `--workers is ${workers}; this version fits with one`, 'leave --workers out')
    checkMethod(method, values)
    if (values.feature !== undefined && values.exclude !== undefined)
      throw badFlag('fit', 'both --feature and --exclude are given', 'name the columns to use, or those to leave out')
    const view = new FitView(output)
    try {
      const result = await runFit(
        file,
        {
          target: values.target ?? '',
          method,
          model: values.model as ModelKind | undefined,
          learningRate: (values.learningRate ?? 'auto') as number | 'auto',
          steps: values.steps,
          epochs: values.epochs,
          batchSize: values.batchSize,
          tolerance: values.tolerance,
          intercept: values.intercept ?? true,
          standardize: values.standardize ?? true,
          seed: values.seed ?? 0,
          missing: values.missing as 'drop' | 'mean' | 'indicator' | undefined,
          missingValues: values.missingValue,
          categorical: values.categorical,
          features: values.feature,
          exclude: values.exclude,
          engine: (values.engine ?? 'auto') as EngineChoice,
          threads: values.threads,
        },
        view,
      )
      view.close()
      if (values.save !== undefined) await saveModel(values.save, result.fitted)
      report(result, values.save, output)
      return view.request?.exitCode ?? exitCodes.done
    } finally {
      view.close()
    }
  },
})

interface MethodFlags {
  readonly steps?: number
  readonly epochs?: number
  readonly batchSize?: number
  readonly learningRate?: number | string
}

function checkMethod(method: FitMethod, { steps, epochs, batchSize, learningRate }: MethodFlags): void {
  if (learningRate === 0) throw badFlag('fit', '--learning-rate is 0, with which nothing is learnt', 'use auto')
  if (steps !== undefined && epochs !== undefined)
    throw badFlag('fit', 'both --steps and --epochs are given', 'give one of them')
  const [name] =
    Object.entries({ '--epochs': epochs, '--batch-size': batchSize }).find(([, value]) => value !== undefined) ?? []
  if (method === 'gd' && name !== undefined)
    throw badFlag('fit', `${name} is of --method sgd, and gd takes all rows a step`, 'add --method sgd, or use --steps')
}

/** A bar on a terminal; signals end the descent between two calls of the engine, with the weights so far. */
class FitView implements FitObserver {
  readonly #output: Output
  readonly #stop: StopListener
  #bar: SingleBar | undefined

  constructor(output: Output) {
    this.#output = output
    this.#stop = new StopListener(({ reason }) =>
      output.message(`stopping (${reason}): the weights so far are the result`),
    )
  }

  get request(): StopRequest | undefined {
    return this.#stop.request
  }

  told(message: string): void {
    this.#output.message(message)
  }

  started(totalSteps: number): void {
    if (!this.#output.isTerminal) return
    this.#bar = new SingleBar({
      format: '{bar} step {value}/{total}  objective {loss}',
      clearOnComplete: true,
      hideCursor: true,
    })
    this.#bar.start(totalSteps, 0, { loss: '' })
  }

  progressed(step: number, loss: number): void {
    this.#bar?.update(step, { loss: loss.toPrecision(6) })
  }

  shouldStop(): boolean {
    return this.#stop.request !== undefined
  }

  close(): void {
    this.#bar?.stop()
    this.#bar = undefined
    this.#stop.close()
  }
}

function report(result: FitResult, saved: string | undefined, output: Output): void {
  output.result(toJson(result, saved), () => describe(result, saved))
}

function toJson(result: FitResult, saved: string | undefined): Record<string, unknown> {
  const { fitted, method, engine, dtype, numRows, numDropped, loss, steps, converged, learningRate, seconds } = result
  const { kind, design } = fitted
  const { target } = design
  return {
    ...weightsOf(result),
    loss,
    steps,
    converged,
    learningRate,
    seconds,
    model: kind,
    target: target.name,
    ...(target.task === 'classification' ? { classes: target.classes } : {}),
    method,
    rows: numRows,
    rowsDropped: numDropped,
    engine: engine.name,
    precision: dtype,
    ...(saved === undefined ? {} : { saved }),
  }
}

/** For softmax, by class; else plain numbers, for logistic regression those of the second class. */
function weightsOf({ fitted: { kind, design, weights, intercept } }: FitResult): Record<string, unknown> {
  const { target } = design
  const pick = (output: number): Record<string, number> =>
    Object.fromEntries(design.features.map(({ name }) => [name, weights[name][output]]))
  if (kind !== 'softmax' || target.task !== 'classification') return { weights: pick(0), intercept: intercept[0] }
  return {
    weights: Object.fromEntries(target.classes.map((name, output) => [name, pick(output)])),
    intercept: Object.fromEntries(target.classes.map((name, output) => [name, intercept[output]])),
  }
}

function describe(result: FitResult, saved: string | undefined): string {
  const { fitted, method, engine, dtype, numRows, numDropped, loss, steps, converged, learningRate, seconds } = result
  const { kind, design, weights, intercept } = fitted
  const { target } = design
  const classes = target.task === 'classification' ? target.classes : []
  const heads =
    kind === 'softmax' ? classes : [kind === 'linear' ? target.name : `log odds of ${target.name}=${classes[1]}`]
  const digits = (value: number): string => value.toPrecision(6)
  const rows = [
    ['', ...heads],
    ['intercept', ...intercept.map(digits)],
    ...design.features.map(({ name }) => [name, ...weights[name].map(digits)]),
  ]
  const dropped = numDropped > 0 ? ` (${numDropped} with missing values left out)` : ''
  return [
    `${kind} regression of ${target.name} on ${numRows} rows${dropped}`,
    formatTable(
      rows,
      rows[0].map((_, column) => column > 0),
    ),
    `objective ${digits(loss)} after ${steps} steps of ${method}, ${converged ? 'converged' : 'not converged'}, ` +
      `learning rate ${Number(learningRate.toPrecision(4))}, ${seconds.toFixed(2)} s (${engine.name}, ${dtype})`,
    ...(saved === undefined ? [] : [`saved in ${shortPath(saved)}`]),
  ].join('\n')
}
