/**
 * Computes once what is asked for twice: nodes with the same operation, attributes and operands.
 *
 * Values that come out of an `optimizationBarrier` are values of their own, so what recomputes from them (`remat`) is
 * never merged with the forward pass. Random bits are a function of their state: the same state gives the same bits.
 */
import type { CompositeCall, OperationName } from '../../core/operations.js'
import type { Node, Value } from '../../graph/index.js'
import { Texts } from '../text.js'

/** What has been computed so far, by what it is. */
export class Expressions {
  private readonly known = new Map<string, readonly Value[]>()
  private readonly keys = new ExpressionKeys()

  /** The results of the same expression computed before, or of `compute`. */
  once(expression: Expression, inputs: readonly Value[], compute: () => readonly Value[]): readonly Value[] {
    if (expression.operation === 'optimizationBarrier') return compute()
    const key = this.keys.keyOf(expression, inputs)
    const before = this.known.get(key)
    if (before !== undefined) return before
    const outputs = compute()
    this.known.set(key, outputs)
    return outputs
  }
}

export type Expression = Pick<Node, 'operation' | 'attributes' | 'decomposition'>

const commutative: ReadonlySet<OperationName> = new Set<OperationName>([
  'add',
  'multiply',
  'maximum',
  'minimum',
  'and',
  'or',
  'xor',
])

/** Composites whose name doesn't say what they compute. */
const namedByContents: ReadonlySet<string> = new Set(['elementwise', 'dotEpilogue', 'widenedReduce', 'remat'])

/** Text that two nodes share exactly if they compute the same. */
class ExpressionKeys {
  private readonly texts = new Texts()

  keyOf({ operation, attributes, decomposition }: Expression, inputs: readonly Value[]): string {
    let operands = inputs.map(({ node, index }) => (index === 0 ? node.id : node.id + index / 1024))
    if (commutative.has(operation)) operands = operands.sort((a, b) => a - b)
    const isNamedByContents = operation === 'composite' && namedByContents.has((attributes as CompositeCall).name)
    const inside = isNamedByContents ? this.texts.identityOf(decomposition!) : ''
    return `${operation}|${operands.join()}|${this.texts.of(attributes)}|${inside}`
  }
}
