/**
 * The learning-rate range test: one short training whose rate rises by the same factor each step. Where the loss begins to
 * fall the rate begins to be worth something, where it rises again the rate is too large.
 *
 * Source: L. Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3.
 */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { TalwegError } from '../core/errors.js'
import { orDiskFull } from '../exchange/disk.js'
import { exponential } from '../optim/index.js'
import { RunFolder, train, Training } from '../train/index.js'
import { drawChart, readReports, type Report } from '../train/metrics/index.js'

export interface RangeTestOptions {
  readonly training: Training
  readonly overrides: Readonly<Record<string, unknown>>
  readonly file: string
  readonly folder: string
  readonly from: number
  readonly to: number
  readonly told: (message: string) => void
}

export interface RangePoint {
  readonly learningRate: number
  readonly loss: number
  readonly smoothed: number
}

export interface RangeTestResult {
  readonly points: readonly RangePoint[]
  /** The rate at which the loss falls fastest; null where it doesn't fall. */
  readonly suggestion: number | null
  /** The rate at which the loss is lowest. */
  readonly lowest: number | null
  readonly diverged: boolean
  /** The curve, as SVG. */
  readonly picture: string
  /** Where it was stopped by a signal. */
  readonly exitCode?: number
}

const defaultSteps = 200
/** How much of the smoothed loss is of before. */
const smoothing = 0.9
/** A loss so many times the lowest is beyond what there is to learn from. */
const farAbove = 4
/** A fall of less than this part of the first loss is none. */
const leastFall = 0.01

/** @throws what a training does, but for DIVERGED, which is a result */
export async function rangeTest(options: RangeTestOptions): Promise<RangeTestResult> {
  const { training, overrides, file, folder, from, to, told } = options
  const steps = typeof overrides.steps === 'number' ? overrides.steps : defaultSteps
  const { learningRate: _rate, ...ownSettings } = training.ownSettings
  const optimizer = { ...training.definition.optimizer, learningRate: exponential({ from, to }) }
  const rising = new Training({ ...training.definition, optimizer }, ownSettings, training.tunables)
  const settings = { ...overrides, steps, reportEvery: 1, validateEvery: steps, checkpointEvery: steps, keep: 1 }
  const quiet = { started: () => undefined, progressed: () => undefined, reported: () => undefined, told }
  let exitCode: number | undefined
  let diverged = false
  try {
    const { ending } = await train({ training: rising, overrides: settings, folder, resume: false, file, observer: quiet }) // prettier-ignore
    if (ending.kind === 'stopped') exitCode = ending.request.exitCode
  } catch (error) {
    if (!(error instanceof TalwegError) || error.code !== 'DIVERGED') throw error
    diverged = true
  }
  const points = smooth(await readReports(new RunFolder(folder).metrics))
  const picture = path.join(folder, 'range-test.svg')
  const svg = await draw(points, path.basename(path.resolve(folder)))
  await orDiskFull(picture, () => writeFile(picture, svg))
  return { points, ...readCurve(points), diverged, picture, ...(exitCode === undefined ? {} : { exitCode }) }
}

/** The losses with a mean over those before, the first ones as if there had been more of them. */
function smooth(reports: readonly Report[]): RangePoint[] {
  let mean = 0
  return reports.map(({ learningRate, loss }, index) => {
    mean = smoothing * mean + (1 - smoothing) * loss
    return { learningRate, loss, smoothed: mean / (1 - smoothing ** (index + 1)) }
  })
}

/** Where the smoothed loss falls fastest by the rate's logarithm, before it is lowest. */
export function readCurve(points: readonly RangePoint[]): Pick<RangeTestResult, 'suggestion' | 'lowest'> {
  const [first] = points
  let lowest = 0
  for (const [index, { smoothed }] of points.entries()) {
    if (smoothed < points[lowest].smoothed) lowest = index
    if (smoothed > farAbove * points[lowest].smoothed) break
  }
  if (first === undefined || !(points[lowest].smoothed < (1 - leastFall) * first.smoothed))
    return { suggestion: null, lowest: null }
  // Over some steps at once: between neighbours the batches differ more than the rates.
  const span = Math.max(1, Math.round(points.length / 20))
  let steepest = 0
  let fall = 0
  for (let index = 0; index + span <= lowest; index++) {
    const difference = points[index].smoothed - points[index + span].smoothed
    if (difference <= fall) continue
    fall = difference
    steepest = index + Math.round(span / 2)
  }
  return { suggestion: points[steepest].learningRate, lowest: points[lowest].learningRate }
}

function draw(points: readonly RangePoint[], title: string): Promise<string> {
  const series = (['loss', 'smoothed'] as const).map((name) => ({
    name,
    type: 'line',
    showSymbol: false,
    data: points.map((point) => [point.learningRate, point[name]]),
    lineStyle: { width: name === 'loss' ? 1 : 2.5 },
    itemStyle: { color: name === 'loss' ? '#9aa8b8' : '#e4572e' },
  }))
  const limit = farAbove * Math.min(...points.map(({ smoothed }) => smoothed))
  return drawChart(
    {
      title: { text: title, left: 'center', textStyle: { fontSize: 16, fontWeight: 'normal' } },
      legend: { top: 38 },
      grid: { left: 70, right: 30, top: 75, bottom: 55 },
      xAxis: { type: 'log', name: 'learning rate', nameLocation: 'middle', nameGap: 30 },
      yAxis: { type: 'value', name: 'loss', nameLocation: 'middle', nameGap: 45, scale: true, ...(Number.isFinite(limit) && limit > 0 ? { max: limit } : {}) }, // prettier-ignore
      series,
    },
    { width: 900, height: 480 },
  )
}
