/** Every operation's random cases: one exhaustive table. */
import type { KnownOperation } from '../known/known.js'
import { randomElementwise } from './elementwise.js'
import { randomMovement } from './movement.js'
import type { RandomCases } from './random.js'
import { randomSums } from './sums.js'

export { all, type RandomCase } from './random.js'

export const randomCases: RandomCases<KnownOperation> = { ...randomElementwise, ...randomMovement, ...randomSums }
