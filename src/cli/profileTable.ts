/** A profile for people: where a step's time goes, by kernel, by kernel and types, and the slowest instructions. */
import path from 'node:path'
import { formatName, type Measure, type Profile, type ProfiledGroup } from '../train/index.js'
import { formatTable, shortPath } from './output.js'

const maxAlikeShown = 16
const maxSlowestShown = 12

export function describeProfile(profile: Profile, folder: string): string {
  const files = ['profile.json', 'trace.json'].map((name) => shortPath(path.join(folder, name)))
  return [
    describeHead(profile),
    describeStep(profile),
    section('By kernel', describeGroups(profile.kinds, profile)),
    section('By kernel and types', describeGroups(profile.alike.slice(0, maxAlikeShown), profile)),
    section('The slowest instructions', describeSlowest(profile)),
    `${files.join(' and ')} have it all; open the trace in https://ui.perfetto.dev`,
  ].join('\n\n')
}

function section(title: string, table: string): string {
  return `${title}\n${table}`
}

function describeHead({ engine, precision, peaks, steps, calls, leavesFirstOut }: Profile): string {
  const first = leavesFirstOut ? ', without the first, which touches memory for the first time' : ''
  const lines = [`\nProfile of ${plural(steps, 'step')} in ${plural(calls, 'call')}${first}; ${precision}; ${engine}`]
  if (peaks !== undefined) {
    const { f32, bf16 } = peaks.productFlopsPerSecond
    const products = bf16 === undefined ? `${giga(f32)} in f32` : `${giga(f32)} in f32, ${giga(bf16)} in bf16`
    lines.push(
      `Peaks measured here: products ${products} GFLOP/s; memory ${giga(peaks.bytesPerSecond)} GB/s. ` +
        'The roofline is the larger of both times; more than 100% means that operands were in cache.',
    )
  }
  return lines.join('\n')
}

/** What a step's time consists of. */
function describeStep(profile: Profile): string {
  const { stepSeconds, total, copySeconds, callSeconds, betweenCallsSeconds, calls, steps } = profile
  const row = (what: string, seconds: number): string[] => [what, milliseconds(seconds), percent(seconds / stepSeconds)]
  const rows = [
    ['', 'ms a step', 'share'],
    row(`${profile.instructions.length} instructions`, total.seconds),
    row('gap: inputs taken in, outputs and state kept', copySeconds),
    row('gap: of the call, outside the engine', callSeconds),
    row('the call', stepSeconds),
  ]
  const between = `Between calls, in all: ${milliseconds(betweenCallsSeconds)} ms (data, reports, validation, checkpoints); ${(steps / calls).toFixed(1)} steps a call`
  return `${formatTable(rows, [false, true, true])}\n${between}`
}

const columns = ['ms', 'best', 'share', 'GFLOP', 'GFLOP/s', 'MB', 'GB/s', 'roofline']

function measureCells({ seconds, bestSeconds, flops, bytes, leastSeconds }: Measure, stepSeconds: number): string[] {
  return [
    milliseconds(seconds),
    milliseconds(bestSeconds),
    percent(seconds / stepSeconds),
    flops === 0 ? '' : (flops / 1e9).toFixed(3),
    flops === 0 ? '' : giga(flops / seconds),
    (bytes / 1e6).toFixed(1),
    giga(bytes / seconds),
    leastSeconds === undefined ? '' : percent(leastSeconds / seconds),
  ]
}

function describeGroups(groups: readonly ProfiledGroup[], { total, stepSeconds }: Profile): string {
  const count = groups.reduce((sum, group) => sum + group.count, 0)
  const isWhole = groups.reduce((sum, { seconds }) => sum + seconds, 0) >= total.seconds * (1 - 1e-9)
  const rows = groups.map((group) => [String(group.count), ...measureCells(group, stepSeconds), group.name])
  const sum = isWhole ? [[String(count), ...measureCells(total, stepSeconds), 'all instructions']] : []
  return formatTable([['number', ...columns, ''], ...rows, ...sum], [...columns.map(() => true), true, false])
}

function describeSlowest({ instructions, stepSeconds }: Profile): string {
  const slowest = instructions.toSorted((left, right) => right.seconds - left.seconds).slice(0, maxSlowestShown)
  const rows = slowest.map((instruction) => [
    `#${instruction.index}`,
    ...measureCells(instruction, stepSeconds),
    formatName(instruction),
  ])
  return formatTable([['', ...columns, ''], ...rows], [...columns.map(() => true), true, false])
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(3)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`
}

function giga(value: number): string {
  const scaled = value / 1e9
  return scaled.toFixed(scaled < 100 ? 1 : 0)
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
