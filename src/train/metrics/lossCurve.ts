/** The picture of a run: its loss curves as SVG, drawn by echarts without a browser. */
import type { EChartsCoreOption } from 'echarts/core'
import { drawChart, pointsOf, spansDecades, type Point } from './chart.js'
import type { Report } from './report.js'

const size = { width: 900, height: 480 } as const
/** More points than this are more than there are pixels. */
const maxPoints = 1000

/**
 * The loss curves of a run's reports as an SVG.
 *
 * @param title written above it
 */
export async function drawLossCurve(reports: readonly Report[], title: string): Promise<string> {
  return drawChart(optionsOf(reports, title), size)
}

function optionsOf(reports: readonly Report[], title: string): EChartsCoreOption {
  const training = pointsOf(reports, 'loss', maxPoints)
  const validation = pointsOf(reports, 'validationLoss', maxPoints)
  const isLogarithmic = spansDecades([...training, ...validation].map(([, value]) => value))
  const line = (name: string, data: Point[], extra: object): object => ({
    name,
    type: 'line',
    data,
    animation: false,
    ...extra,
  })
  const series = [
    line('training loss', training, { showSymbol: false, lineStyle: { width: 1.5 }, itemStyle: { color: '#4c78a8' } }),
  ]
  if (validation.length > 0)
    series.push(
      line('validation loss', validation, { symbolSize: 5, lineStyle: { width: 2 }, itemStyle: { color: '#e4572e' } }),
    )
  return {
    title: { text: title, left: 'center', textStyle: { fontSize: 16, fontWeight: 'normal' } },
    legend: { top: 38 },
    grid: { left: 70, right: 30, top: 75, bottom: 55 },
    xAxis: { type: 'value', name: 'step', nameLocation: 'middle', nameGap: 30, max: 'dataMax' },
    yAxis: { type: isLogarithmic ? 'log' : 'value', name: 'loss', nameLocation: 'middle', nameGap: 45, scale: true },
    series,
  }
}
