/**
 * Which rows are held out for validation, when a fraction is asked for.
 *
 * One row of every `1 / fraction` consecutive rows is chosen, by a hash of the block's number: spread over the whole
 * set even if that is sorted, without the periods that "every tenth row" would meet, exact to one row, and known
 * for a row without knowing how many rows follow, so that a set that grows keeps its split.
 */
import { TalwegError } from '../core/errors.js'
import { philox4x32 } from '../core/random.js'

const splitTag = 0x73706c74

export class ValidationSplit {
  readonly #fraction: number
  readonly #words = new Uint32Array(4)
  #block = -1
  #chosenRow = -1

  /** @param fraction at least 0 and below 1; with 0 no row is held out */
  constructor(fraction: number) {
    if (!(fraction >= 0 && fraction < 1)) {
      throw new TalwegError({
        code: 'INVALID_SETTING',
        operation: 'data',
        problem: `validation is ${fraction}, which is no fraction`,
        hint: 'give a number from 0 up to, but without, 1, such as 0.1',
      })
    }
    this.#fraction = fraction
  }

  /** Whether a row, counted from 0, is held out. */
  holdsOut(row: number): boolean {
    const fraction = this.#fraction
    if (fraction === 0) return false
    return fraction <= 0.5 ? this.#isChosen(row, fraction) : !this.#isChosen(row, 1 - fraction)
  }

  /** Block k is the rows from ceil(k / fraction) up to ceil((k + 1) / fraction); one row of each is chosen. */
  #isChosen(row: number, fraction: number): boolean {
    const block = blockOf(row, fraction)
    if (block !== this.#block) {
      const first = Math.ceil(block / fraction)
      const size = Math.ceil((block + 1) / fraction) - first
      philox4x32([0, 0], [block >>> 0, Math.floor(block / 2 ** 32), 0, splitTag], this.#words, 0)
      this.#block = block
      this.#chosenRow = first + Math.floor((this.#words[0] / 2 ** 32) * size)
    }
    return row === this.#chosenRow
  }
}

/** The k with ceil(k / fraction) <= row < ceil((k + 1) / fraction); rounding may put the product one off. */
function blockOf(row: number, fraction: number): number {
  let block = Math.floor(row * fraction)
  while (Math.ceil((block + 1) / fraction) <= row) block++
  while (Math.ceil(block / fraction) > row) block--
  return block
}

/** The rows of [0, numRows) for training and for validation, each in order. */
export function splitRows(numRows: number, fraction: number): { training: number[]; validation: number[] } {
  const split = new ValidationSplit(fraction)
  const training: number[] = []
  const validation: number[] = []
  for (let row = 0; row < numRows; row++) (split.holdsOut(row) ? validation : training).push(row)
  return { training, validation }
}
