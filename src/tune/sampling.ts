/** The settings that a search tries, in order: all of a grid, or points drawn from its ranges; each setting once. */
import { philox4x32, seedKey } from '../core/random.js'
import { Permutation } from '../data/index.js'
import { maxSobolDimensions, sobolPoints } from './sobol.js'
import { gridValues, invalid, keyOf, valueAt, type Dimension, type TrialSettings } from './space.js'

export const samplers = ['grid', 'random', 'sobol'] as const
export type Sampler = (typeof samplers)[number]

/** More than this is no search but a mistake in the line. */
const maxTrials = 100_000
/** Draws that may give what was drawn before, for each that may not, until the space is taken to be used up. */
const drawsPerTrial = 32

/**
 * @param numTrials how many at most; where undefined, all of the grid
 * @throws INVALID_SETTING
 */
export function sampleSettings(
  sampler: Sampler,
  space: readonly Dimension[],
  numTrials: number | undefined,
  seed: number,
): TrialSettings[] {
  if (sampler === 'grid') return distinct(grid(space), numTrials ?? maxTrials)
  const count = numTrials ?? defaultTrials
  return distinct(draws(sampler, space, seed, count * drawsPerTrial), count)
}

/** Trials of a search by chance that doesn't say how many. */
export const defaultTrials = 16

/** Settings in an order by chance: a grid goes from one end to the other, and what is best so far would be the newest. */
export function shuffled(settings: readonly TrialSettings[], seed: number): TrialSettings[] {
  const order = new Permutation(Math.max(1, settings.length), seed, 0)
  return settings.map((_, index) => settings[order.at(index)])
}

function distinct(all: Iterable<TrialSettings>, count: number): TrialSettings[] {
  const found = new Map<string, TrialSettings>()
  for (const settings of all) {
    const key = keyOf(settings)
    if (!found.has(key)) found.set(key, settings)
    if (found.size === count) break
  }
  return [...found.values()]
}

/** All combinations, the last dimension changing fastest. */
function grid(space: readonly Dimension[]): Iterable<TrialSettings> {
  const values = space.map(gridValues)
  const size = values.reduce((product, { length }) => product * length, 1)
  if (size > maxTrials) throw invalid(`the grid has ${size} points`, 'search fewer, or draw from it by --random')
  return (function* () {
    for (let index = 0; index < size; index++) {
      const settings: Record<string, TrialSettings[string]> = {}
      let rest = index
      for (let dimension = space.length - 1; dimension >= 0; dimension--) {
        const { length } = values[dimension]
        settings[space[dimension].name] = values[dimension][rest % length]
        rest = Math.floor(rest / length)
      }
      yield Object.fromEntries(space.map(({ name }) => [name, settings[name]]))
    }
  })()
}

function* draws(
  sampler: Exclude<Sampler, 'grid'>,
  space: readonly Dimension[],
  seed: number,
  count: number,
): Generator<TrialSettings> {
  if (sampler === 'sobol' && space.length > maxSobolDimensions)
    throw invalid(`--sobol has ${maxSobolDimensions} dimensions and ${space.length} are searched`, 'use --random')
  const points = sampler === 'sobol' ? sobolPoints(space.length, seed) : randomPoints(space.length, seed)
  for (let index = 0; index < count; index++) {
    const point = points.next().value
    yield Object.fromEntries(space.map((dimension, place) => [dimension.name, valueAt(dimension, point[place])]))
  }
}

/** Any one point depends on the seed and its number alone, so a longer search begins as a shorter one. */
function* randomPoints(numDimensions: number, seed: number): Generator<number[], never> {
  const words = new Uint32Array(4)
  for (let index = 0; ; index++) {
    yield Array.from({ length: numDimensions }, (_, dimension) => {
      philox4x32(seedKey(seed), [index, dimension, 0, 0x7a4d], words, 0)
      return words[0] / 2 ** 32
    })
  }
}
