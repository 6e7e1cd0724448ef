/**
 * The frame in which local rules run: the graph is copied node by node, and before a node is added each rule for its
 * operation may give another value instead. What a rule adds is looked at by the rules in turn, so one walk is enough.
 */
import type { DType } from '../../core/dtype.js'
import { toBFloat16Bits } from '../../core/dtype.js'
import type { OperationAttributes, OperationName } from '../../core/operations.js'
import { tensorData, type TensorType } from '../../core/shape.js'
import { copyNode, rewrite, type Graph, type GraphBuilder, type Node, type Value } from '../../graph/index.js'

/** A node about to be added. */
export interface Candidate<O extends OperationName = OperationName> {
  readonly operation: O
  readonly inputs: readonly Value[]
  readonly attributes: OperationAttributes[O]
}

/** The value to use instead of the candidate's only result, or undefined to leave it. */
export type Rule<O extends OperationName = OperationName> = (
  candidate: Candidate<O>,
  emitter: Emitter,
) => Value | undefined

/** The rules for each operation, tried in order. Only for operations with one result. */
export type RuleTable = { readonly [O in OperationName]?: readonly Rule<O>[] }

/** How rules add nodes. */
export class Emitter {
  constructor(
    private readonly builder: GraphBuilder,
    private readonly tables: readonly RuleTable[],
    private readonly origin: Node,
  ) {}

  emit<O extends OperationName>(operation: O, inputs: readonly Value[], attributes: OperationAttributes[O]): Value {
    const simpler = this.apply({ operation, inputs, attributes })
    return simpler ?? this.builder.add(operation, inputs, attributes, { location: this.origin.location })[0]
  }

  /** A scalar constant. */
  scalar(dtype: DType, value: number): Value {
    const bits = dtype === 'bf16' ? toBFloat16Bits(value) : value
    return this.emit('constant', [], { value: tensorData(dtype, [], [bits]) })
  }

  /** A constant that is `value` everywhere. */
  splat({ dtype, shape }: TensorType, value: number): Value {
    const scalar = this.scalar(dtype, value)
    return shape.length === 0 ? scalar : this.emit('broadcastInDim', [scalar], { shape, dims: [] })
  }

  apply(candidate: Candidate): Value | undefined {
    for (const table of this.tables) {
      for (const rule of (table[candidate.operation] ?? []) as readonly Rule[]) {
        const value = rule(candidate, this)
        if (value !== undefined) return value
      }
    }
    return undefined
  }
}

export function applyRules(graph: Graph, tables: readonly RuleTable[]): Graph {
  const concerned = new Set(tables.flatMap((table) => Object.keys(table)))
  return rewrite(graph, (node, inputs, builder) => {
    if (!concerned.has(node.operation)) return undefined
    const { operation, attributes } = node
    const value = new Emitter(builder, tables, node).apply({ operation, inputs, attributes })
    return value === undefined ? copyNode(node, inputs, builder) : [value]
  })
}
