/** What a fit says: of itself while it goes on, and of its result as a table or as JSON. */
import { SingleBar } from 'cli-progress'
import type { CrossValidation, FitObserver, FitResult } from '../train/fit/index.js'
import { StopListener, type StopRequest } from '../train/stop.js'
import { formatTable, shortPath, type Output } from './output.js'

/** A bar on a terminal; signals end the descent between two calls of the engine, with the weights so far. */
export class FitView implements FitObserver {
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

export function reportFit(result: FitResult, saved: string | undefined, output: Output): void {
  output.result(toJson(result, saved), () => describe(result, saved))
}

function toJson(result: FitResult, saved: string | undefined): Record<string, unknown> {
  const { fitted, method, engine, dtype, numRows, numDropped, loss, steps, converged, learningRate, seconds } = result
  const { kind, design } = fitted
  const { target } = design
  const { crossValidation } = result
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
    ...(crossValidation === undefined ? {} : { crossValidation }),
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
    ...(result.crossValidation === undefined ? [] : [describeCrossValidation(result.crossValidation)]),
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

function describeCrossValidation({ metric, splits, rates, best, oneStandardError, seconds }: CrossValidation): string {
  const digits = (value: number | null): string => (value === null ? 'diverged' : value.toPrecision(6))
  const rows = rates.map(({ learningRate, mean, standardError, scores, steps }) => [
    String(Number(learningRate.toPrecision(4))),
    digits(mean),
    standardError === null ? '' : digits(standardError),
    ...scores.map(digits),
    String(Math.max(...steps)),
  ])
  const name = metric === 'logLoss' ? 'log loss' : 'squared error'
  const header = ['rate', name, 'its error', ...splits.map((_, split) => `part ${split + 1}`), 'steps']
  return [
    `Cross-validation of ${rates.length} learning rates on ${splits.length} splits, ${seconds.toFixed(2)} s`,
    formatTable(
      [header, ...rows],
      header.map(() => true),
    ),
    `Best: --learning-rate ${best}; to one standard error as good: --learning-rate ${oneStandardError}\n`,
  ].join('\n')
}
