/**
 * The check of numbers that users give to optimisers, schedules and layers, made where they are given: what is out of its
 * range would otherwise show as a loss that is no number, many steps later.
 */
import { TalwegError } from '../core/errors.js'
import { currentPlace } from './location.js'

/** What an option may be, as a test and in words that follow "it takes". */
export interface Range {
  readonly holds: (value: number) => boolean
  readonly words: string
}

function range(words: string, holds: (value: number) => boolean): Range {
  return { words, holds: (value) => Number.isFinite(value) && holds(value) }
}

export const ranges = {
  positive: range('a number above 0', (value) => value > 0),
  notNegative: range('a number of at least 0', (value) => value >= 0),
  /** A share of something. */
  share: range('a number from 0 to 1', (value) => value >= 0 && value <= 1),
  positiveShare: range('a number above 0 and at most 1', (value) => value > 0 && value <= 1),
  /** What a mean over the past is multiplied by at each step; with 1 it would take nothing in. */
  decay: range('a number of at least 0 and below 1', (value) => value >= 0 && value < 1),
  count: range('a whole number of at least 1', (value) => Number.isSafeInteger(value) && value >= 1),
  countOrNone: range('a whole number of at least 0', (value) => Number.isSafeInteger(value) && value >= 0),
} as const

/**
 * Checks options that were given; one that is undefined was not.
 *
 * @param operation what they were given to
 * @example checkOptions('sgd', { momentum: [momentum, ranges.decay] })
 * @throws INVALID_SETTING naming the option, its value, its range and the user's line
 */
export function checkOptions(
  operation: string,
  options: Readonly<Record<string, readonly [value: unknown, range: Range]>>,
): void {
  for (const [name, [value, { holds, words }]] of Object.entries(options)) {
    if (value === undefined || (typeof value === 'number' && holds(value))) continue
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation,
      problem: `${name} is ${typeof value === 'number' ? value : describe(value)}; it takes ${words}`,
      place: currentPlace(),
    })
  }
}

function describe(value: unknown): string {
  return typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? String(value))
}
