/** Operations that make numbers from nothing but their attributes or a key. */
import { numElements } from '../../../core/shape.js'
import type { Term } from '../term.js'
import type { Rule, Rules } from './rule.js'

const iota: Rule<'iota'> = (_, { type, dim }, { scope }) => {
  if (type.dtype === 'bf16') return [] // never here: the engine takes no bf16
  const line = type.shape.map((size, d) => (d === dim ? size : 1))
  return scope.iota(type.shape[dim], type.dtype).reshape(line).broadcastTo(type.shape)
}

const multipliers = [0xd2511f53, 0xcd9e8d57] as const
const keySteps = [0x9e3779b9, 0xbb67ae85] as const
const numRounds = 10

/** The upper and lower words of an unsigned 32 x 32 product, by halves: no partial product leaves 32 bits. */
function wideProduct(multiplier: number, x: Term): { high: Term; low: Term } {
  const [a0, a1] = [multiplier & 0xffff, multiplier >>> 16]
  const [x0, x1] = [x.and(0xffff), x.shiftRight(16)]
  const low = x0.multiply(a0)
  const middle = x1.multiply(a0).add(low.shiftRight(16))
  const middle2 = x0.multiply(a1).add(middle.and(0xffff))
  return {
    high: x1.multiply(a1).add(middle.shiftRight(16)).add(middle2.shiftRight(16)),
    low: middle2.shiftLeft(16).or(low.and(0xffff)),
  }
}

/** The four words of each block's counter: `start + block`, whose upper half starts as the key. */
function counters(state: readonly Term[], block: Term): Term[] {
  const [keyLow, keyHigh, startLow, startHigh] = state
  const carry = (sum: Term, before: Term): Term => sum.lessThan(before).as('u32')
  const words: Term[] = []
  let increment = block
  for (const start of [startLow, startHigh, keyLow, keyHigh]) {
    const word = increment.add(start)
    words.push(word)
    increment = carry(word, start)
  }
  return words
}

/**
 * Philox4x32-10, a block of four words at a time, exactly as `core/random.ts` has it: element i is word i % 4 of
 * counter start + floor(i / 4).
 */
const rngBitGenerator: Rule<'rngBitGenerator'> = ([state], { shape }, { scope }) => {
  const numWords = numElements(shape)
  const numBlocks = Math.ceil(numWords / 4)
  const words = [0, 1, 2, 3].map((word) => state.slice([word], [word + 1]))
  let [c0, c1, c2, c3] = counters(words, scope.iota(numBlocks, 'u32'))
  let [k0, k1] = words
  for (let round = 0; round < numRounds; round++) {
    const first = wideProduct(multipliers[0], c0)
    const second = wideProduct(multipliers[1], c2)
    ;[c0, c1, c2, c3] = [second.high.xor(c1).xor(k0), second.low, first.high.xor(c3).xor(k1), first.low]
    k0 = k0.add(keySteps[0])
    k1 = k1.add(keySteps[1])
  }
  const columns = [c0, c1, c2, c3].map((word) => word.reshape([numBlocks, 1]))
  return scope
    .concatenate(columns, 1)
    .reshape([numBlocks * 4])
    .slice([0], [numWords])
    .reshape(shape)
}

export const sourceRules: Rules<'iota' | 'rngBitGenerator'> = { iota, rngBitGenerator }
