/**
 * Sobol points: a sequence in the unit cube whose every beginning fills it evenly, in each dimension as in all of them.
 *
 * Direction numbers are those of Joe and Kuo, "Constructing Sobol sequences with better two-dimensional projections", 2008
 * (their table new-joe-kuo-6.21201, first dimensions). All points are shifted by one exclusive or drawn from the seed,
 * which keeps their evenness and leaves the corner of the cube: Matoušek, "On the L2-discrepancy for anchored boxes", 1998.
 */
import { philox4x32, seedKey } from '../core/random.js'

/** For each dimension after the first: degree and inner coefficients of its primitive polynomial, first direction numbers. */
const table: readonly (readonly [degree: number, coefficients: number, initial: readonly number[]])[] = [
  [1, 0, [1]],
  [2, 1, [1, 3]],
  [3, 1, [1, 3, 1]],
  [3, 2, [1, 1, 1]],
  [4, 1, [1, 1, 3, 3]],
  [4, 4, [1, 3, 5, 13]],
  [5, 2, [1, 1, 5, 5, 17]],
  [5, 4, [1, 1, 5, 5, 5]],
  [5, 7, [1, 1, 7, 11, 19]],
  [5, 11, [1, 1, 5, 1, 1]],
  [5, 13, [1, 1, 1, 3, 11]],
  [5, 14, [1, 3, 5, 5, 31]],
  [6, 1, [1, 3, 3, 9, 7, 49]],
  [6, 13, [1, 1, 1, 15, 21, 21]],
  [6, 16, [1, 3, 1, 13, 27, 49]],
  [6, 19, [1, 1, 1, 15, 7, 5]],
  [6, 22, [1, 3, 1, 15, 13, 25]],
  [6, 25, [1, 1, 5, 5, 19, 61]],
  [7, 1, [1, 3, 7, 11, 23, 15, 103]],
  [7, 4, [1, 3, 7, 13, 13, 15, 69]],
]

export const maxSobolDimensions = table.length + 1
const numBits = 32

/** A dimension's direction numbers, as fractions of 2³². */
function directions(dimension: number): Uint32Array {
  const numbers = new Uint32Array(numBits)
  if (dimension === 0) {
    for (let bit = 0; bit < numBits; bit++) numbers[bit] = 2 ** (numBits - 1 - bit)
    return numbers
  }
  const [degree, coefficients, initial] = table[dimension - 1]
  for (let bit = 0; bit < numBits; bit++) {
    if (bit < degree) {
      numbers[bit] = initial[bit] * 2 ** (numBits - 1 - bit)
      continue
    }
    let number = numbers[bit - degree] ^ (numbers[bit - degree] >>> degree)
    for (let inner = 1; inner < degree; inner++)
      if ((coefficients >> (degree - 1 - inner)) & 1) number ^= numbers[bit - inner]
    numbers[bit] = number >>> 0
  }
  return numbers
}

/**
 * The points of the sequence one after another, each with `numDimensions` numbers from 0 to below 1.
 *
 * @param seed which shift; none at all where undefined, which is the sequence as published, from the corner on
 */
export function* sobolPoints(numDimensions: number, seed: number | undefined): Generator<number[], never> {
  const numbers = Array.from({ length: numDimensions }, (_, dimension) => directions(dimension))
  const state = Uint32Array.from({ length: numDimensions }, (_, dimension) =>
    seed === undefined ? 0 : shift(seed, dimension),
  )
  for (let index = 0; ; index++) {
    yield Array.from(state, (word) => word / 2 ** numBits)
    // Gray code: a point differs from the one before by one direction, that of the lowest 0 of its number.
    const bit = 31 - Math.clz32(~index & (index + 1))
    for (let dimension = 0; dimension < numDimensions; dimension++) state[dimension] ^= numbers[dimension][bit]
  }
}

function shift(seed: number, dimension: number): number {
  const words = new Uint32Array(4)
  philox4x32(seedKey(seed), [dimension, 0, 0, 0x50b0], words, 0)
  return words[0]
}
