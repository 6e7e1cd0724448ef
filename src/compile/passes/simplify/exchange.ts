/** Exchanges with nobody. */
import type { Rule, RuleTable } from '../peephole.js'

type Collective = 'allReduce' | 'allGather' | 'reduceScatter'

const alone: Rule<Collective> = ({ inputs: [x], attributes: { size } }) => (size === 1 ? x : undefined)

export const exchangeRules: RuleTable = { allReduce: [alone], allGather: [alone], reduceScatter: [alone] }
