/**
 * The order in which samples are read: a permutation of [0, n) that is computed, never stored.
 *
 * Where index `i` goes is a pure function of (seed, epoch, i), so a resumed run needs one integer, and the order does
 * not depend on who reads it or on how many workers there are. Large sets go through a keyed Feistel network on
 * a grid of about the square root of n by itself; a value that falls outside [0, n) is sent through again
 * ("cycle walking"), which keeps the map a bijection. Sets of up to 4,096 samples are shuffled by Fisher and Yates
 * instead, because a Feistel network over few values reaches only few of their orders.
 *
 * Source: Black and Rogaway: "Ciphers with arbitrary finite domains", CT-RSA 2002, section 5 (generalised Feistel).
 */
import { invariant } from '../core/errors.js'
import { philox4x32, seedKey } from '../core/random.js'

/** Beyond this, the two halves would no longer be 24-bit numbers, whose products a double holds exactly. */
export const maxPermutationSize = 2 ** 48

const maxTableSize = 4096
const numRounds = 6
/** Tells these random words from all others that are drawn with the same seed. */
const streamTag = 0x7065726d

export class Permutation {
  readonly size: number
  readonly #table: Uint16Array | undefined
  readonly #numLeft: number
  readonly #numRight: number
  readonly #roundKeys: Uint32Array

  /**
   * @param size number of samples, from 1 to 2^48
   * @param seed a non-negative integer below 2^53
   * @param epoch which pass over the data, from 0
   */
  constructor(size: number, seed: number, epoch: number) {
    invariant(Number.isInteger(size) && size >= 1 && size <= maxPermutationSize, `a permutation of ${size}`)
    this.size = size
    this.#numLeft = Math.ceil(Math.sqrt(size))
    this.#numRight = Math.ceil(size / this.#numLeft)
    const isSmall = size <= maxTableSize
    const words = randomWords(seed, epoch, isSmall ? size : numRounds)
    this.#roundKeys = words
    this.#table = isSmall ? shuffledTable(size, words) : undefined
  }

  /** Where `index` goes. */
  at(index: number): number {
    if (this.#table !== undefined) return this.#table[index]
    let place = index
    do place = this.#encrypt(place)
    while (place >= this.size)
    return place
  }

  /** left ← (left + F(right)) mod a and right ← (right + F(left)) mod b, in turn: each step can be undone. */
  #encrypt(place: number): number {
    const numLeft = this.#numLeft
    const numRight = this.#numRight
    const keys = this.#roundKeys
    let right = Math.floor(place / numLeft) | 0
    let left = (place - right * numLeft) | 0
    for (let round = 0; round < numRounds; round += 2) {
      left = wrapped(left + scaledHash(right ^ keys[round], numLeft) - numLeft, numLeft)
      right = wrapped(right + scaledHash(left ^ keys[round + 1], numRight) - numRight, numRight)
    }
    return right * numLeft + left
  }
}

/** Adds `size` to a negative 32-bit number, without a branch that nobody can foresee. */
function wrapped(value: number, size: number): number {
  return (value + (size & (value >> 31))) | 0
}

/** A hash (MurmurHash3's finaliser) mapped to [0, size). */
function scaledHash(word: number, size: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  hash ^= hash >>> 16
  return ((hash >>> 0) * (size / 2 ** 32)) | 0
}

function randomWords(seed: number, epoch: number, numWords: number): Uint32Array {
  const key = seedKey(seed)
  const words = new Uint32Array(Math.ceil(numWords / 4) * 4)
  for (let offset = 0; offset < words.length; offset += 4) {
    philox4x32(key, [offset / 4, epoch >>> 0, Math.floor(epoch / 2 ** 32) >>> 0, streamTag], words, offset)
  }
  return words
}

function shuffledTable(size: number, words: Uint32Array): Uint16Array {
  const table = Uint16Array.from({ length: size }, (_, index) => index)
  for (let last = size - 1; last > 0; last--) {
    const other = Math.floor((words[last] / 2 ** 32) * (last + 1))
    const value = table[last]
    table[last] = table[other]
    table[other] = value
  }
  return table
}

/**
 * The sample that stands at a global position, counted over all epochs: position 0 is the first sample of epoch 0,
 * position n the first of epoch 1. It remembers the epoch's permutation, since positions are asked for in order.
 */
export class ShuffledOrder {
  readonly numSamples: number
  readonly #seed: number
  #epoch = -1
  #permutation: Permutation | undefined

  constructor(numSamples: number, seed: number) {
    this.numSamples = numSamples
    this.#seed = seed
  }

  at(position: number): number {
    const epoch = Math.floor(position / this.numSamples)
    return this.#permutationOf(epoch).at(position - epoch * this.numSamples)
  }

  /** Samples from a position on, as many as there is room for. */
  fill(position: number, into: Int32Array): void {
    for (let done = 0; done < into.length;) {
      const epoch = Math.floor((position + done) / this.numSamples)
      const permutation = this.#permutationOf(epoch)
      const first = position + done - epoch * this.numSamples
      const count = Math.min(into.length - done, this.numSamples - first)
      for (let index = 0; index < count; index++) into[done + index] = permutation.at(first + index)
      done += count
    }
  }

  #permutationOf(epoch: number): Permutation {
    if (this.#permutation === undefined || epoch !== this.#epoch) {
      this.#permutation = new Permutation(this.numSamples, this.#seed, epoch)
      this.#epoch = epoch
    }
    return this.#permutation
  }
}
