/**
 * What a search searches: settings by name, each with a range or some values, as the command line writes them
 * (`learningRate=1e-4:1e-1:log:8`, `width=32,64,128`) or the training file declares them (`tunable`).
 */
import { parseDocument } from 'yaml'
import { TalwegError } from '../core/errors.js'
import { isWholeSetting, settingNames, unknownSetting, type Settings } from '../train/index.js'
import type { Tunable, TunableValue } from '../train/tunable.js'

/** A trial's own settings, by name. */
export type TrialSettings = Readonly<Record<string, TunableValue>>

export interface RangeDimension {
  readonly name: string
  readonly low: number
  readonly high: number
  readonly scale: 'log' | 'linear'
  readonly integer: boolean
  /** Points of a grid. */
  readonly count?: number
}

export interface ChoiceDimension {
  readonly name: string
  readonly values: readonly TunableValue[]
}

export type Dimension = RangeDimension | ChoiceDimension

/** A search's own digits: what is pasted from its report is what was run. */
const numDigits = 6

/**
 * Reads what is to be searched.
 *
 * @param specs as on the command line; where there is none, all that the file declares is searched
 * @param tunables what the file declares
 * @throws INVALID_SETTING, UNKNOWN_SETTING
 */
export function readSpace(specs: readonly string[], tunables: ReadonlyMap<string, Tunable>): Dimension[] {
  if (specs.length === 0) {
    if (tunables.size > 0) return Array.from(tunables, ([name, tunable]) => declared(name, tunable))
    throw invalid(
      'nothing is said of what to search',
      'name a setting with its range, such as --grid learningRate=1e-4:1e-1:log:8, or declare it in the file by tunable',
    )
  }
  const space = specs.map((spec) => readDimension(spec, tunables))
  const twice = space.find(({ name }, index) => space.findIndex((other) => other.name === name) !== index)
  if (twice !== undefined) throw invalid(`${twice.name} is given twice`, 'give each setting one range')
  return space
}

function readDimension(spec: string, tunables: ReadonlyMap<string, Tunable>): Dimension {
  const split = spec.indexOf('=')
  const name = split < 0 ? spec : spec.slice(0, split)
  const tunable = tunables.get(name)
  if (tunable === undefined && !settingNames.includes(name as keyof Settings))
    throw unknownSetting(name, [...tunables.keys(), ...settingNames], 'tune')
  if (split < 0) {
    if (tunable !== undefined) return declared(name, tunable)
    throw invalid(`"${spec}" has no range`, `write ${name}=LOW:HIGH:log or ${name}=A,B,C, or declare it by tunable`)
  }
  const text = spec.slice(split + 1)
  const isInteger = tunable === undefined ? isWholeSetting(name) : 'low' in tunable && tunable.integer === true
  return text.includes(':') ? readRange(name, text, isInteger, spec) : { name, values: readValues(text, spec) }
}

function declared(name: string, tunable: Tunable): Dimension {
  if ('choices' in tunable) return { name, values: tunable.choices }
  const { low, high, scale = 'linear', integer = false } = tunable
  return { name, low, high, scale, integer }
}

function readRange(name: string, text: string, integer: boolean, spec: string): RangeDimension {
  const [lowText, highText, ...rest] = text.split(':')
  const [low, high] = [lowText, highText].map((part) => (part.trim() === '' ? NaN : Number(part)))
  const wrong = (problem: string): TalwegError =>
    invalid(`"${spec}" is no range: ${problem}`, `write ${name}=LOW:HIGH:log:COUNT, such as ${name}=1e-4:1e-1:log:8`)
  if (!Number.isFinite(low)) throw wrong(`"${lowText}" is no number`)
  if (!Number.isFinite(high)) throw wrong(`"${highText}" is no number`)
  if (low >= high) throw wrong(`${lowText} is not below ${highText}`)
  const scales = rest.filter((part) => part === 'log' || part === 'linear')
  const counts = rest.filter((part) => /^\d+$/.test(part))
  const other = rest.find((part) => !scales.includes(part as 'log') && !counts.includes(part))
  if (other !== undefined) throw wrong(`"${other}" is neither log, linear nor a number of points`)
  if (scales.length > 1 || counts.length > 1) throw wrong('it says something twice')
  const scale = scales[0] ?? 'linear'
  if (scale === 'log' && low <= 0) throw wrong(`on a logarithmic scale ${lowText} is not above 0`)
  if (integer && !(Number.isInteger(low) && Number.isInteger(high))) throw wrong(`${name} takes whole numbers`)
  const count = counts.length === 0 ? undefined : Number(counts[0])
  if (count !== undefined && count < 2) throw wrong('a range has at least 2 points')
  return { name, low, high, scale, integer, ...(count === undefined ? {} : { count }) }
}

/** Values are read as YAML reads a scalar, as `--set` does. */
function readValues(text: string, spec: string): TunableValue[] {
  return text.split(',').map((part) => {
    const document = parseDocument(part.trim())
    const value: unknown = document.errors.length > 0 ? part.trim() : document.toJS()
    if (typeof value === 'number' || typeof value === 'boolean' || (typeof value === 'string' && value !== ''))
      return value
    throw invalid(
      `"${spec}" has a value that is ${part.trim() === '' ? 'empty' : JSON.stringify(value)}`,
      'write NAME=A,B,C',
    )
  })
}

/** Where a number from 0 (inclusive) to 1 (exclusive) lies in a dimension. */
export function valueAt(dimension: Dimension, place: number): TunableValue {
  if ('values' in dimension) return dimension.values[Math.floor(place * dimension.values.length)]
  const { low, high, scale, integer } = dimension
  // A whole number stands for the values that are rounded to it, those at the ends like all others.
  const margin = integer ? 0.5 : 0
  const [from, to] = [low - margin, high + margin]
  const value = scale === 'log' ? from * (to / from) ** place : from + (to - from) * place
  return integer ? Math.min(high, Math.max(low, Math.round(value))) : rounded(value)
}

/** A dimension's points in a grid, both ends among them. @throws INVALID_SETTING where it is not said how many */
export function gridValues(dimension: Dimension): TunableValue[] {
  if ('values' in dimension) return [...dimension.values]
  const { name, low, high, scale, integer, count } = dimension
  if (count === undefined)
    throw invalid(
      `the grid has no number of points for ${name}`,
      `write it after the range: ${name}=${low}:${high}:${scale}:8`,
    )
  return Array.from({ length: count }, (_, index) => {
    if (index === 0 || index === count - 1) return index === 0 ? low : high
    const share = index / (count - 1)
    const value = scale === 'log' ? low * (high / low) ** share : low + (high - low) * share
    return integer ? Math.round(value) : rounded(value)
  })
}

/**
 * Whether a dimension can change the step's shapes, and with them the memory that a trial takes and the samples that it
 * sees: sizes are whole numbers or go by name, and only `epochs` is a length that may be broken.
 */
export function isStructural(dimension: Dimension): boolean {
  if (dimension.name === 'learningRate' || dimension.name === 'seed') return false
  if (dimension.name === 'epochs') return true
  if ('low' in dimension) return dimension.integer
  return dimension.values.every((value) => typeof value !== 'number' || Number.isInteger(value))
}

/** The same text for the same settings. */
export function keyOf(settings: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(settings).toSorted(([left], [right]) => (left < right ? -1 : 1)))
}

function rounded(value: number): number {
  return Number(value.toPrecision(numDigits))
}

export function invalid(problem: string, hint?: string): TalwegError {
  return new TalwegError({ code: 'INVALID_SETTING', operation: 'tune', problem, hint })
}
