/** Pictures as SVG, drawn by echarts without a browser. */
import type { EChartsCoreOption } from 'echarts/core'
import type { Report } from './report.js'

/** What is loaded of echarts. */
const parts = ['LineChart', 'ScatterChart', 'ParallelChart'] as const

/** @param size in pixels */
export async function drawChart(
  options: EChartsCoreOption,
  size: { readonly width: number; readonly height: number },
): Promise<string> {
  const [echarts, charts, components, { SVGRenderer }] = await Promise.all([
    import('echarts/core'),
    import('echarts/charts'),
    import('echarts/components'),
    import('echarts/renderers'),
  ])
  const { GridComponent, LegendComponent, ParallelComponent, TitleComponent } = components
  echarts.use([...parts.map((name) => charts[name]), GridComponent, LegendComponent, ParallelComponent, TitleComponent, SVGRenderer]) // prettier-ignore
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size })
  try {
    chart.setOption({ animation: false, backgroundColor: '#ffffff', ...options })
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}

/** A loss that falls by a factor of 50 or more is read better on a logarithmic axis. */
export function spansDecades(values: readonly number[]): boolean {
  const least = Math.min(...values)
  return least > 0 && Math.max(...values) / least >= 50
}

export type Point = [step: number, value: number]

/** What reports say of something by step: at most about so many points, evenly taken, the last among them. */
export function pointsOf(reports: readonly Report[], name: string, most: number): Point[] {
  const points = reports.flatMap((report): Point[] => {
    const value = report[name]
    return typeof value === 'number' && Number.isFinite(value) ? [[report.step, value]] : []
  })
  const stride = Math.ceil(points.length / most)
  return points.filter((_, index) => index % stride === 0 || index === points.length - 1)
}
