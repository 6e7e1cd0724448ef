/**
 * The frame in which local rules run: the graph is copied node by node, and before a node is added each rule for its
 * operation may give another value instead. What a rule adds is looked at by the rules in turn, so one walk is enough.
 * Common subexpressions are found in the same walk: rules make expressions equal, and equal operands make rules apply.
 */
import type { DType } from '../../core/dtype.js'
import { toBFloat16Bits } from '../../core/dtype.js'
import type { OperationAttributes, OperationName } from '../../core/operations.js'
import { tensorData, type TensorType } from '../../core/shape.js'
import type { Expression, Expressions } from './commonSubexpressions.js'
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
    private readonly rules: Rules,
    private readonly origin: Node,
  ) {}

  emit<O extends OperationName>(operation: O, inputs: readonly Value[], attributes: OperationAttributes[O]): Value {
    const simpler = this.apply({ operation, inputs, attributes })
    if (simpler !== undefined) return simpler
    const expression = { operation, attributes, decomposition: undefined } as unknown as Expression
    return this.add(expression, inputs, () =>
      this.builder.add(operation, inputs, attributes, { location: this.origin.location }),
    )[0]
  }

  /** Adds a node that no rule has anything to say about, unless the same has been computed before. */
  add(expression: Expression, inputs: readonly Value[], compute: () => readonly Value[]): readonly Value[] {
    const { expressions } = this.rules
    return expressions === undefined ? compute() : expressions.once(expression, inputs, compute)
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
    for (const table of this.rules.tables) {
      for (const rule of (table[candidate.operation] ?? []) as readonly Rule[]) {
        const value = rule(candidate, this)
        if (value !== undefined) return value
      }
    }
    return undefined
  }
}

export interface Rules {
  readonly tables: readonly RuleTable[]
  /** Where the same expression must not be computed twice: what has been computed. */
  readonly expressions: Expressions | undefined
}

export function applyRules(graph: Graph, rules: Rules): Graph {
  return rewrite(graph, (node, inputs, builder) => {
    const emitter = new Emitter(builder, rules, node)
    const { operation, attributes } = node
    const value = emitter.apply({ operation, inputs, attributes })
    return value === undefined ? emitter.add(node, inputs, () => copyNode(node, inputs, builder)) : [value]
  })
}
