/**
 * `npx tsx bench/run/draw.ts NAME`: the picture of `bench/results/NAME.json`, `docs/speed.svg`: for each case how many times
 * Talweg's time the peers take, PyTorch in the faster of its two forms. Drawn by echarts without a browser.
 */
import { writeFileSync } from 'node:fs'
import type { EChartsCoreOption } from 'echarts/core'
import { TalwegError } from '../../src/core/errors.js'
import { barsOf, type Bar } from './bars.js'
import { readResults } from './resultFile.js'
import { pathOf } from './systems.js'

const rowHeight = 26
const margins = { left: 150, right: 120, top: 84, bottom: 46 } as const
const width = 900
/** A bar that would be longer is cut off here; its number stands beside it. */
const longest = 4
const colors: Readonly<Record<string, string>> = { Talweg: '#e4572e', PyTorch: '#4c78a8' }
const otherColor = '#9aa7b3'

/** Names a row by its case where the row is the case's first. */
function labelOf(bars: readonly Bar[], index: number): string {
  const { group, system } = bars[index]
  return index > 0 && bars[index - 1].group === group ? system : `${group}   ${system}`
}

function optionsOf(bars: readonly Bar[], caption: string): EChartsCoreOption {
  return {
    animation: false,
    backgroundColor: '#ffffff',
    title: {
      text: 'Time of a training step, as a multiple of Talweg’s (shorter is faster)',
      subtext: caption,
      left: 'center',
      textStyle: { fontSize: 16, fontWeight: 'normal' },
      subtextStyle: { fontSize: 12, color: '#555555' },
    },
    grid: { ...margins, left: margins.left + 60 },
    xAxis: {
      type: 'value',
      max: longest,
      axisLabel: { formatter: '{value}×' },
      splitLine: { lineStyle: { color: '#eeeeee' } },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: bars.map((_, index) => labelOf(bars, index)),
      axisTick: { show: false },
      axisLabel: { interval: 0 },
    },
    series: [
      {
        type: 'bar',
        barWidth: '70%',
        data: bars.map(({ ratio, system }) => ({
          value: Math.min(ratio, longest),
          itemStyle: { color: colors[system] ?? otherColor },
        })),
        label: {
          show: true,
          position: 'right',
          formatter: ({ dataIndex }: { dataIndex: number }) => bars[dataIndex].label,
        },
      },
    ],
  }
}

async function draw(bars: readonly Bar[], caption: string): Promise<string> {
  const [echarts, { BarChart }, { GridComponent, TitleComponent }, { SVGRenderer }] = await Promise.all([
    import('echarts/core'),
    import('echarts/charts'),
    import('echarts/components'),
    import('echarts/renderers'),
  ])
  echarts.use([BarChart, GridComponent, TitleComponent, SVGRenderer])
  const height = margins.top + margins.bottom + rowHeight * bars.length
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    chart.setOption(optionsOf(bars, caption))
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}

async function main([name]: readonly string[]): Promise<void> {
  const file = name === undefined ? undefined : readResults(name)
  if (file === undefined) {
    throw new TalwegError({
      code: 'FILE_NOT_FOUND',
      operation: 'bench',
      problem: `there is no bench/results/${name}.json`,
      hint: 'measure with npm run bench -- CASE… --save NAME',
    })
  }
  const { processor, numCores } = file.machine
  const threads = file.results[0]?.threads ?? numCores
  writeFileSync(pathOf('docs/speed.svg'), await draw(barsOf(file.results), `${processor}, ${threads} threads`))
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof TalwegError ? error.message : error)
  process.exitCode = 1
}
