/** Algebraic simplification: all its rules. */
import type { RuleTable } from '../peephole.js'
import { arithmeticRules } from './arithmetic.js'
import { broadcastRules } from './broadcasts.js'
import { exchangeRules } from './exchange.js'
import { movementRules } from './movement.js'

export const simplificationRules: readonly RuleTable[] = [arithmeticRules, movementRules, broadcastRules, exchangeRules]
