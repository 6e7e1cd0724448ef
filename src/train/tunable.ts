/**
 * `tunable`: a value of the training file that is chosen from outside, by a search (`talweg tune`) or by `--set`.
 *
 * A training file is evaluated once, when it is loaded, so the chosen values have to be there before it: whoever loads
 * one gives them to `collectTunables`, and what the file declared meanwhile comes back with it. Where nobody does, as in
 * a program that imports the file itself, each has its default.
 */
import { TalwegError } from '../core/errors.js'
import { currentPlace } from '../graph/location.js'

/** A number that a search draws from a range. */
export interface TunableRange {
  readonly low: number
  readonly high: number
  /** Whether ratios count, as they do for rates and sizes, or differences. Default `linear`. */
  readonly scale?: 'log' | 'linear'
  readonly integer?: boolean
  /** What it is where nobody chooses. */
  readonly default: number
}

/** One of some values. */
export interface TunableChoices<Value extends TunableValue = TunableValue> {
  readonly choices: readonly Value[]
  /** What it is where nobody chooses. Default: the first. */
  readonly default?: Value
}

export type TunableValue = number | string | boolean
export type Tunable = TunableRange | TunableChoices

/** A file being loaded. */
interface Loading {
  readonly given: Readonly<Record<string, unknown>>
  readonly declared: Map<string, Tunable>
}

let loading: Loading | undefined
let wasLoaded = false

/**
 * Loads a training file.
 *
 * @param given values by name; those of names that the file doesn't declare are left alone
 * @returns what `load` gave, and what was declared by it
 */
export async function collectTunables<T>(
  given: Readonly<Record<string, unknown>>,
  load: () => Promise<T>,
): Promise<{ loaded: T; tunables: ReadonlyMap<string, Tunable> }> {
  const declared = new Map<string, Tunable>()
  loading = { given, declared }
  try {
    return { loaded: await load(), tunables: declared }
  } finally {
    loading = undefined
    wasLoaded = true
  }
}

/**
 * Declares a value that a search may choose, and gives the one chosen.
 *
 * @param name by which `--set NAME=VALUE` and `talweg tune` reach it
 * @example
 * const width = tunable('width', { low: 32, high: 512, scale: 'log', integer: true, default: 128 })
 * const activation = tunable('activation', { choices: ['relu', 'gelu'] })
 * @throws INVALID_TRAINING where it is declared wrongly, twice or too late; INVALID_SETTING where the value given is none of its
 */
export function tunable(name: string, range: TunableRange): number
export function tunable<const Value extends TunableValue>(name: string, choices: TunableChoices<Value>): Value
export function tunable(name: string, tunable: Tunable): TunableValue {
  checkDeclaration(name, tunable)
  const fallback = 'choices' in tunable ? (tunable.default ?? tunable.choices[0]) : tunable.default
  if (loading === undefined) {
    if (!wasLoaded) return fallback
    throw invalid(`"${name}" is declared after the file was loaded`, 'call tunable at the top of the file')
  }
  if (loading.declared.has(name)) throw invalid(`"${name}" is declared twice`, 'declare it once and use its value')
  loading.declared.set(name, tunable)
  const value = Object.hasOwn(loading.given, name) ? loading.given[name] : fallback
  const wanted = whatIsWanted(tunable, value)
  if (wanted === undefined) return value as TunableValue
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'tunable',
    problem: `${name} is ${JSON.stringify(value)}; it takes ${wanted}`,
    place: currentPlace(),
  })
}

function checkDeclaration(name: string, tunable: Tunable): void {
  if (!/^[A-Za-z_][\w.-]*$/.test(name)) throw invalid(`"${name}" is no name`, 'use letters, digits, ".", "-" and "_"')
  if (tunable === null || typeof tunable !== 'object') throw invalid(`"${name}" has no range`, example)
  if ('choices' in tunable) {
    const { choices, default: fallback } = tunable
    if (!Array.isArray(choices) || choices.length === 0) throw invalid(`the choices of "${name}" are none`, example)
    if (fallback !== undefined && !choices.includes(fallback))
      throw invalid(`the default of "${name}", ${JSON.stringify(fallback)}, is none of its choices`, 'add it to them')
    return
  }
  const { low, high, scale = 'linear', integer = false, default: fallback } = tunable
  if (!Number.isFinite(low) || !Number.isFinite(high) || low >= high)
    throw invalid(`the range of "${name}" is ${low} to ${high}`, 'give low and high, low below high')
  if (scale !== 'log' && scale !== 'linear')
    throw invalid(`the scale of "${name}" is ${JSON.stringify(scale)}`, "it takes 'log' or 'linear'")
  if (scale === 'log' && low <= 0) throw invalid(`the range of "${name}" is logarithmic and begins at ${low}`, 'begin above 0') // prettier-ignore
  if (integer && !(Number.isInteger(low) && Number.isInteger(high)))
    throw invalid(`"${name}" is a whole number between ${low} and ${high}`, 'give whole numbers as its ends')
  const wanted = whatIsWanted(tunable, fallback)
  if (wanted !== undefined)
    throw invalid(`the default of "${name}" is ${JSON.stringify(fallback)}`, `it takes ${wanted}`)
}

const example = "write tunable('width', { low: 32, high: 512, scale: 'log', integer: true, default: 128 })"

/** What a tunable takes, in words, where the value is none of that. */
function whatIsWanted(tunable: Tunable, value: unknown): string | undefined {
  if ('choices' in tunable) {
    if (tunable.choices.includes(value as TunableValue)) return undefined
    return `one of ${tunable.choices.map((choice) => JSON.stringify(choice)).join(', ')}`
  }
  const { low, high, integer = false } = tunable
  const isNumber = typeof value === 'number' && value >= low && value <= high
  if (isNumber && (!integer || Number.isInteger(value))) return undefined
  return `a ${integer ? 'whole ' : ''}number from ${low} to ${high}`
}

function invalid(problem: string, hint: string): TalwegError {
  return new TalwegError({ code: 'INVALID_TRAINING', operation: 'tunable', problem, hint, place: currentPlace() })
}
