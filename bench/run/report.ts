/** What the bench prints: a table for people, JSON lines for programs. */
import type { SystemResult } from './statistics.js'

const headings = [
  'case',
  'precision',
  'system',
  'a step',
  'at least',
  'ratio',
  'from – to',
  'first step',
  'memory',
] as const

function time(seconds: number): string {
  if (seconds >= 1) return `${seconds.toPrecision(4)} s`
  if (seconds >= 1e-3) return `${(seconds * 1e3).toPrecision(4)} ms`
  if (seconds >= 1e-6) return `${(seconds * 1e6).toPrecision(4)} µs`
  return `${(seconds * 1e9).toPrecision(3)} ns`
}

function row(result: SystemResult): string[] {
  const { secondsPerStep, ratio, firstStepSeconds, peakMemoryBytes } = result
  return [
    result.case,
    result.precision,
    result.system,
    time(secondsPerStep.median),
    time(secondsPerStep.minimum),
    ratio.median.toFixed(2),
    `${ratio.minimum.toFixed(2)} – ${ratio.maximum.toFixed(2)}`,
    firstStepSeconds === null ? '' : time(firstStepSeconds),
    peakMemoryBytes === null ? '' : `${Math.round(peakMemoryBytes / 1e6)} MB`,
  ]
}

/** A ratio is a system's seconds over Talweg's. */
export function formatTable(results: readonly SystemResult[]): string {
  const rows = [[...headings], ...results.map(row)]
  const widths = headings.map((_, column) => Math.max(...rows.map((cells) => cells[column].length)))
  const isText = (column: number): boolean => column < 3
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => (isText(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function formatLine(result: SystemResult): string {
  const { case: name, precision, system, secondsPerStep, ratio, firstStepSeconds, peakMemoryBytes } = result
  return JSON.stringify({ case: name, precision, system, secondsPerStep, ratio, firstStepSeconds, peakMemoryBytes })
}
