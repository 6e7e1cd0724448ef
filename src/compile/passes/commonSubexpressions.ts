/**
 * Computes once what is asked for twice: nodes with the same operation, attributes and operands.
 *
 * Values that come out of an `optimizationBarrier` are values of their own, so what recomputes from them (`remat`) is
 * never merged with the forward pass. Random bits are a function of their state: the same state gives the same bits.
 */
import type { CompositeCall, OperationName } from '../../core/operations.js'
import type { Node, Value } from '../../graph/index.js'

/** What has been computed so far, by what it is. */
export class Expressions {
  private readonly known = new Map<string, readonly Value[]>()
  private readonly keys = new AttributeKeys()

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
const namedByContents: ReadonlySet<string> = new Set(['elementwise', 'dotEpilogue', 'remat'])

/** Text that two nodes share exactly if they compute the same. */
class AttributeKeys {
  private readonly identities = new Map<object, number>()

  keyOf({ operation, attributes, decomposition }: Expression, inputs: readonly Value[]): string {
    let operands = inputs.map(({ node, index }) => (index === 0 ? node.id : node.id + index / 1024))
    if (commutative.has(operation)) operands = operands.sort((a, b) => a - b)
    const inside =
      operation === 'composite' && namedByContents.has((attributes as CompositeCall).name)
        ? this.identity(decomposition!)
        : ''
    return `${operation}|${operands.join()}|${this.textOf(attributes)}|${inside}`
  }

  private textOf(value: unknown): string {
    if (Array.isArray(value)) return `[${value.map((element) => this.textOf(element)).join()}]`
    if (ArrayBuffer.isView(value)) return this.keyOfData(value as Uint8Array)
    if (typeof value === 'object' && value !== null) {
      let text = ''
      for (const [name, entry] of Object.entries(value)) text += `${name}:${this.textOf(entry)};`
      return `{${text}}`
    }
    return Object.is(value, -0) ? '-0' : String(value)
  }

  /** Small constants are compared by their bits, large ones by identity. */
  private keyOfData(data: Uint8Array): string {
    if (data.byteLength > maxComparedBytes) return `#${this.identity(data)}`
    return `"${new Uint8Array(data.buffer, data.byteOffset, data.byteLength).join()}"`
  }

  private identity(object: object): number {
    const known = this.identities.get(object)
    if (known !== undefined) return known
    this.identities.set(object, this.identities.size)
    return this.identities.size - 1
  }
}

const maxComparedBytes = 1024
