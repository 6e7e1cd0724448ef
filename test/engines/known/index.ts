/** Every operation's hand-checked cases: one exhaustive table. */
import { knownBinary } from './binary.js'
import type { KnownCases, KnownOperation } from './known.js'
import { knownMovement } from './movement.js'
import { knownSums } from './sums.js'
import { knownUnary } from './unary.js'

export type { KnownCase } from './known.js'

export const knownCases: KnownCases<KnownOperation> = { ...knownUnary, ...knownBinary, ...knownMovement, ...knownSums }
