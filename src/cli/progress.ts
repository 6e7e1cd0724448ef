/** Showing a training: a bar with loss, rate and time left on a terminal, a line a report elsewhere, JSON where asked for. */
import { SingleBar } from 'cli-progress'
import type { Report } from '../train/metrics/index.js'
import type { TrainingObserver, TrainingProgress, TrainingStart } from '../train/observer.js'
import { formatBytes, formatCount, formatDuration, shortPath, type Output } from './output.js'

export interface ProgressView extends TrainingObserver {
  /** Leaves the terminal as it was. */
  close(): void
}

export function progressView(output: Output): ProgressView {
  if (output.isJson) return new JsonView(output)
  return output.isTerminal && process.stdout.isTTY === true ? new BarView(output) : new LineView(output)
}

class JsonView implements ProgressView {
  constructor(protected readonly output: Output) {}

  started(start: TrainingStart): void {
    this.output.message(describeStart(start))
  }

  progressed(_progress: TrainingProgress): void {}

  reported(report: Report): void {
    this.output.line(JSON.stringify(report))
  }

  told(message: string): void {
    this.output.message(message)
  }

  close(): void {}
}

class LineView extends JsonView {
  override reported(report: Report): void {
    this.output.line(describeReport(report))
  }
}

class BarView implements ProgressView {
  readonly #output: Output
  #bar: SingleBar | undefined

  constructor(output: Output) {
    this.#output = output
  }

  started(start: TrainingStart): void {
    this.#output.message(describeStart(start))
    this.#bar = new SingleBar({
      format: '{bar} {percentage}% | step {value}/{total} | loss {loss} | {rate} | {left} left',
      barCompleteChar: '━',
      barIncompleteChar: '─',
      hideCursor: true,
      gracefulExit: false,
      clearOnComplete: false,
      etaBuffer: 2,
    })
    this.#bar.start(start.totalSteps, start.step, { loss: '…', rate: '…', left: '…' })
  }

  progressed(progress: TrainingProgress): void {
    this.#bar?.update(progress.step, {
      loss: formatLoss(progress.loss),
      rate: describeRate(progress),
      left: formatDuration(progress.secondsLeft),
    })
  }

  reported(report: Report): void {
    if (report.validationLoss !== undefined) this.#above(describeReport(report))
  }

  told(message: string): void {
    this.#above(message)
  }

  close(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }

  /** Writes a line where the bar is and lets it be drawn again under that. */
  #above(text: string): void {
    if (process.stderr.isTTY === true) process.stderr.write('\r\u001B[K')
    this.#output.message(text)
  }
}

function describeStart({ numParameters, engine, plannedBytes, runFolder, step, totalSteps }: TrainingStart): string {
  const from = step > 0 ? `going on after step ${step} of ${totalSteps}` : `${totalSteps} steps`
  return `${formatCount(numParameters)} parameters, ${from}, ${formatBytes(plannedBytes)} planned; ${engine}; ${shortPath(runFolder)}`
}

function describeReport(report: Report): string {
  const { step, loss, learningRate, secondsElapsed, validationLoss, validationAccuracy } = report
  const parts = [`step ${step}`, `loss ${formatLoss(loss)}`]
  if (validationLoss !== undefined) parts.push(`validation loss ${formatLoss(validationLoss)}`)
  if (validationAccuracy !== undefined) parts.push(`validation accuracy ${(100 * validationAccuracy).toFixed(2)}%`)
  parts.push(
    `learning rate ${Number(learningRate.toPrecision(3))}`,
    describeRate(report),
    formatDuration(secondsElapsed),
  )
  return parts.join(', ')
}

function describeRate({
  tokensPerSecond,
  samplesPerSecond,
}: Pick<Report, 'tokensPerSecond' | 'samplesPerSecond'>): string {
  return tokensPerSecond === undefined
    ? `${formatCount(samplesPerSecond ?? 0)} samples/s`
    : `${formatCount(tokensPerSecond)} tokens/s`
}

function formatLoss(loss: number): string {
  return Number.isFinite(loss) ? String(Number(loss.toPrecision(5))) : String(loss)
}
