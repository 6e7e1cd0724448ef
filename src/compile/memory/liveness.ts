/** From when to when each storage is needed, counted in instructions. */
import type { Draft } from './draft.js'

export interface Lifetimes {
  /** The instruction that writes the storage; -1 if it is there from the start. */
  readonly firstWrite: Int32Array
  /** The last instruction that reads it (or writes it, if nobody reads). */
  readonly lastRead: Int32Array
}

export function findLifetimes(draft: Draft): Lifetimes {
  const numStorages = draft.storages.length
  const firstWrite = new Int32Array(numStorages).fill(-1)
  const lastRead = new Int32Array(numStorages).fill(-1)
  draft.instructions.forEach(({ inputs, outputs }, position) => {
    for (const value of inputs) lastRead[draft.values[value].storage] = position
    for (const value of outputs) {
      firstWrite[draft.values[value].storage] = position
      lastRead[draft.values[value].storage] = position
    }
  })
  return { firstWrite, lastRead }
}
