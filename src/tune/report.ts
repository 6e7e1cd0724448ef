/**
 * A search's report: `tune.html`, one file with its plots in it, drawn without a browser. It has no script, and asks for
 * nothing from anywhere.
 */
import type { EChartsCoreOption } from 'echarts/core'
import { RunFolder } from '../train/index.js'
import { drawChart, pointsOf, readReports, spansDecades } from '../train/metrics/index.js'
import type { JournalHead, Outcome } from './journal.js'
import type { Dimension } from './space.js'
import type { TrialRow } from './table.js'

export interface ReportParts {
  readonly title: string
  readonly head: JournalHead
  readonly space: readonly Dimension[]
  readonly outcomes: readonly Outcome[]
  readonly trials: readonly TrialRow[]
  /** A trial's run. */
  readonly folderOf: (trial: number) => string
}

const size = { width: 900, height: 420 } as const
/** Of more trials than this only the best have their curves drawn. */
const maxCurves = 40
const maxPoints = 300

/** The report as HTML. */
export async function drawReport(parts: ReportParts): Promise<string> {
  const { title, head, space, trials } = parts
  const plots = [
    ...space.map((dimension) => scoresBy(dimension, parts)),
    await learningCurves(parts),
    ...(head.strategy === 'asha' ? [rungs(parts)] : []),
    ...(space.length > 1 ? [parallelCoordinates(parts)] : []),
  ].filter((plot) => plot !== undefined)
  const pictures = await Promise.all(plots.map((plot) => drawChart(plot, size)))
  const names = space.map(({ name }) => name)
  const rows = [
    ['trial', ...names, head.metric, 'step', ''],
    ...trials.map(({ trial, settings, score, step, status }) => [
      String(trial),
      ...names.map((name) => String(settings[name])),
      score === null ? '' : String(Number(score.toPrecision(6))),
      String(step),
      status === 'done' ? '' : status,
    ]),
  ]
  const cells = (row: readonly string[], tag: string): string => row.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('') // prettier-ignore
  const table = rows.map((row, index) => `<tr>${cells(row, index === 0 ? 'th' : 'td')}</tr>`).join('\n')
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><title>${escapeText(title)}</title><style>${style}</style></head><body>`,
    `<h1>${escapeText(title)}</h1>`,
    `<p>${trials.length} trials, ${escapeText(head.metric)} to ${head.direction}.</p>`,
    ...pictures.map((picture) => `<figure>${picture}</figure>`),
    `<table>\n${table}\n</table>`,
    '</body></html>\n',
  ].join('\n')
}

const style =
  'body{font:15px system-ui,sans-serif;margin:2em auto;max-width:920px;color:#222}figure{margin:1.5em 0}' +
  'table{border-collapse:collapse}th,td{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}'

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function titled(text: string): object {
  return { text, left: 'center', textStyle: { fontSize: 15, fontWeight: 'normal' } }
}

function axis(name: string, isLogarithmic: boolean): object {
  return { type: isLogarithmic ? 'log' : 'value', name, nameLocation: 'middle', nameGap: 32, scale: true }
}

/** What each trial came to, by one setting. Trials that stopped earlier are smaller. */
function scoresBy(dimension: Dimension, { head, trials }: ReportParts): EChartsCoreOption | undefined {
  const { name } = dimension
  const scored = trials.filter(({ score }) => score !== null)
  if (scored.length === 0) return undefined
  const isNumber = scored.every(({ settings }) => typeof settings[name] === 'number')
  const isLogarithmic = 'scale' in dimension ? dimension.scale === 'log' : spansDecades(scored.map(({ settings }) => Number(settings[name]))) // prettier-ignore
  const top = Math.max(...scored.map(({ rung }) => rung))
  const data = scored.map(({ settings, score, rung }) => ({
    value: [isNumber ? settings[name] : String(settings[name]), score],
    symbolSize: 11 - 3 * Math.min(2, top - rung),
  }))
  return {
    title: titled(`${head.metric} by ${name}`),
    grid: { left: 80, right: 30, top: 45, bottom: 55 },
    xAxis: isNumber ? axis(name, isLogarithmic) : { type: 'category', name, nameLocation: 'middle', nameGap: 32 },
    yAxis: { ...axis(head.metric, spansDecades(scored.map(({ score }) => score ?? 0))), nameGap: 55 },
    series: [{ type: 'scatter', data, itemStyle: { color: '#4c78a8' } }],
  }
}

async function learningCurves({ head, trials, folderOf }: ReportParts): Promise<EChartsCoreOption | undefined> {
  const drawn = trials.slice(0, maxCurves)
  const curves = await Promise.all(
    drawn.map(async ({ trial }) =>
      pointsOf(await readReports(new RunFolder(folderOf(trial - 1)).metrics), head.metric, maxPoints),
    ),
  )
  const values = curves.flatMap((points) => points.map(([, value]) => value))
  if (values.length === 0) return undefined
  const series = curves.map((data, index) => ({
    type: 'line',
    data,
    showSymbol: data.length === 1,
    symbolSize: 4,
    lineStyle: { width: index === 0 ? 3 : 1 },
    itemStyle: { color: index === 0 ? '#e4572e' : '#9aa8b8' },
    z: index === 0 ? 3 : 2,
  }))
  return {
    title: titled(`${head.metric} by step; the best trial in colour`),
    grid: { left: 80, right: 30, top: 45, bottom: 55 },
    xAxis: axis('step', false),
    yAxis: { ...axis(head.metric, spansDecades(values)), nameGap: 55 },
    series,
  }
}

/** How many trials came to each rung, and what they measured there. */
function rungs({ head, outcomes }: ReportParts): EChartsCoreOption {
  const scored = outcomes.filter(({ score }) => score !== null)
  const count = (rung: number): number => outcomes.filter((outcome) => outcome.rung === rung).length
  const all = [...new Set(outcomes.map(({ rung }) => rung))].toSorted((a, b) => a - b)
  return {
    title: titled(`${head.metric} at each rung`),
    grid: { left: 80, right: 30, top: 45, bottom: 55 },
    xAxis: { type: 'category', data: all.map((rung) => `rung ${rung + 1}: ${count(rung)} trials`) },
    yAxis: { ...axis(head.metric, spansDecades(scored.map(({ score }) => score ?? 0))), nameGap: 55 },
    series: [{ type: 'scatter', symbolSize: 8, data: scored.map(({ rung, score }) => [all.indexOf(rung), score]), itemStyle: { color: '#4c78a8' } }], // prettier-ignore
  }
}

/** Each trial a line through its settings to its score; the better, the darker. */
function parallelCoordinates({ head, space, trials }: ReportParts): EChartsCoreOption | undefined {
  const scored = trials.filter(({ score }) => score !== null)
  if (scored.length < 2) return undefined
  const axes = space.map((dimension, dim) => {
    const { name } = dimension
    if ('scale' in dimension) return { dim, name, type: dimension.scale === 'log' ? 'log' : 'value', min: dimension.low, max: dimension.high } // prettier-ignore
    return { dim, name, type: 'category', data: dimension.values.map(String) }
  })
  const data = scored.map(({ settings, score }, place) => ({
    value: [...space.map((dimension) => ('scale' in dimension ? settings[dimension.name] : String(settings[dimension.name]))), score], // prettier-ignore
    lineStyle: { color: place === 0 ? '#e4572e' : '#4c78a8', opacity: 1 - (0.85 * place) / scored.length, width: place === 0 ? 3 : 1.5 }, // prettier-ignore
  }))
  return {
    title: titled('settings and what they came to'),
    parallel: { left: 70, right: 90, top: 75, bottom: 40 },
    parallelAxis: [...axes, { dim: space.length, name: head.metric, type: 'value', scale: true }],
    series: [{ type: 'parallel', data: data.toReversed(), smooth: false }],
  }
}
