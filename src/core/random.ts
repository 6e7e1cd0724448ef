/**
 * Counter-based random numbers: Philox4x32-10.
 *
 * A number depends on its key and its place alone, never on what was drawn before, so any worker can draw any
 * sample's numbers, in any order, and a resumed run needs no generator state. This is the plain form that the engines'
 * kernels are compared with.
 *
 * Source: Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */

const multiplier0 = 0xd2511f53
const multiplier1 = 0xcd9e8d57
const keyStep0 = 0x9e3779b9
const keyStep1 = 0xbb67ae85
const numRounds = 10

/** The upper 32 bits of an unsigned 32 x 32 product, without a BigInt. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const middle2 = aLow * bHigh + (middle % 0x10000)
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(middle2 / 0x10000)) >>> 0
}

export type PhiloxKey = readonly [low: number, high: number]

/**
 * A seed of up to 53 bits as a key.
 *
 * @param tag tells random numbers of one use from those of another
 */
export function seedKey(seed: number, tag = 0): PhiloxKey {
  return [seed >>> 0, (Math.floor(seed / 2 ** 32) ^ tag) >>> 0]
}

/** Writes the four words for one counter value (four words, least significant first) to `out` at `offset`. */
export function philox4x32(
  key: PhiloxKey,
  counter: readonly [number, number, number, number],
  out: Uint32Array,
  offset: number,
): void {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < numRounds; round++) {
    const high0 = multiplyHigh(multiplier0, c0)
    const low0 = Math.imul(multiplier0, c0) >>> 0
    const high1 = multiplyHigh(multiplier1, c2)
    const low1 = Math.imul(multiplier1, c2) >>> 0
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0
    k0 = (k0 + keyStep0) >>> 0
    k1 = (k1 + keyStep1) >>> 0
  }
  out[offset] = c0
  out[offset + 1] = c1
  out[offset + 2] = c2
  out[offset + 3] = c3
}

/**
 * The bits of `rngBitGenerator`: element `i` is word `i % 4` of counter `start + floor(i / 4)`. The counter's upper half
 * starts as the key, which is XLA's layout (measured in `bench/xla`): the same bits on every engine and plug-in.
 *
 * @param state four words: key low, key high, counter low, counter high
 */
export function philoxBits(state: ArrayLike<number>, numWords: number): Uint32Array {
  const words = new Uint32Array(Math.ceil(numWords / 4) * 4)
  const key: PhiloxKey = [state[0] >>> 0, state[1] >>> 0]
  let low = state[2] >>> 0
  let high = state[3] >>> 0
  let [upperLow, upperHigh] = key
  for (let offset = 0; offset < words.length; offset += 4) {
    philox4x32(key, [low, high, upperLow, upperHigh], words, offset)
    low = (low + 1) >>> 0
    if (low === 0) high = (high + 1) >>> 0
    if (low === 0 && high === 0) {
      upperLow = (upperLow + 1) >>> 0
      if (upperLow === 0) upperHigh = (upperHigh + 1) >>> 0
    }
  }
  return words.subarray(0, numWords)
}

/** A 32-bit hash of a string (FNV-1a with a final avalanche), to key random numbers by a parameter's path. */
export function hashString(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
