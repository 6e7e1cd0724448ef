/**
 * Makes graphs: the one place where nodes come into being. It infers each node's type by the rules in `inference/`
 * (which is where a wrong shape is found, with the user's own line) and remembers where it was asked for.
 */
import { invariant, TalwegError } from '../core/errors.js'
import type { OperationAttributes, OperationName } from '../core/operations.js'
import type { TensorType } from '../core/shape.js'
import type { Graph, NamedValue, Node, Value } from './graph.js'
import { inferTypes } from './inference/index.js'
import { captureLocation, type Location } from './location.js'

export interface AddOptions {
  readonly decomposition?: Graph
  /** The results' types, where a copy's are known to be the original's; by default they are inferred. */
  readonly types?: readonly TensorType[]
  /** Where the node is from; by default, for a builder that keeps locations, where the caller's caller is in user code. */
  readonly location?: Location
}

export class GraphBuilder {
  private readonly nodes: Node[] = []
  private readonly parameters: Value[] = []
  /** What a nested trace has taken from the trace around it, each with the parameter that stands for it inside. */
  private readonly captured = new Map<Value, Value>()
  private nextId = 0
  /** Graphs traced once for the whole of a trace, those inside it included. */
  readonly shared: Map<string, Graph>

  /**
   * @param parent the trace around this one, from which values may be used: each becomes one more parameter here,
   *   after those of the function itself, and is listed by `captures`
   * @param keepsLocations whether nodes remember where they were asked for: in what users trace
   */
  constructor(
    readonly name: string,
    private readonly parent?: GraphBuilder,
    private readonly keepsLocations: boolean = parent?.keepsLocations ?? false,
  ) {
    this.shared = parent?.shared ?? new Map()
  }

  /** The parent's values used here, in the order of the parameters that stand for them. */
  get captures(): readonly Value[] {
    return [...this.captured.keys()]
  }

  /** The builder that made a value's node, so that an operation on tensors knows where to go. */
  static of(value: Value): GraphBuilder {
    const builder = ownerOf(value.node)
    invariant(builder !== undefined, 'a node without a builder')
    return builder
  }

  parameter(name: string, type: TensorType, location?: Location): Value {
    const [value] = this.add('parameter', [], { name, type }, { location })
    return value
  }

  /** Adds a node and returns its results. Throws `SHAPE_MISMATCH` or `DTYPE_MISMATCH` where the operands don't fit. */
  add<O extends OperationName>(
    operation: O,
    operands: readonly Value[],
    attributes: OperationAttributes[O],
    options: AddOptions = {},
  ): readonly Value[] {
    const location = options.location ?? (this.keepsLocations ? captureLocation() : undefined)
    const inputs = operands.map((operand) => this.own(operand, operation, location))
    const types = options.types ?? this.infer(operation, inputs, attributes, options.decomposition, location)
    const outputs: Value[] = []
    const node = {
      id: this.nextId++,
      operation,
      inputs,
      attributes,
      outputs,
      decomposition: options.decomposition,
      location,
      [owner]: this,
    } as unknown as Node
    types.forEach((type, index) => outputs.push({ node, index, type }))
    this.nodes.push(node)
    if (operation === 'parameter') this.parameters.push(outputs[0])
    return outputs
  }

  /** The graph so far, with these results. A result that was taken from the trace around is a parameter here too. */
  build(results: readonly NamedValue[]): Graph {
    const owned = results.map(({ name, value }): NamedValue => {
      const isOwn = ownerOf(value.node) === this
      return { name, value: isOwn ? value : this.own(value, 'parameter', undefined) }
    })
    return { name: this.name, parameters: [...this.parameters], nodes: [...this.nodes], results: owned }
  }

  private infer<O extends OperationName>(
    operation: O,
    inputs: readonly Value[],
    attributes: OperationAttributes[O],
    decomposition: Graph | undefined,
    location: Location | undefined,
  ): readonly TensorType[] {
    try {
      return inferTypes(
        operation,
        inputs.map((input) => input.type),
        attributes,
        decomposition,
      )
    } catch (error) {
      const position = (location ?? captureLocation()).resolve()
      throw error instanceof TalwegError && position !== undefined && error.place?.line === undefined
        ? error.at({ file: position.file, line: position.line })
        : error
    }
  }

  /** The value as this builder knows it: itself, or the parameter that stands for one of the trace around. */
  private own(value: Value, operation: OperationName, location: Location | undefined): Value {
    if (ownerOf(value.node) === this) return value
    const known = this.captured.get(value)
    if (known !== undefined) return known
    if (this.parent === undefined) throw this.foreignOperand(value, operation, location)
    const outer = this.parent.own(value, operation, location)
    const inner = this.captured.get(outer) ?? this.parameter(`captured${this.captured.size}`, outer.type)
    this.captured.set(outer, inner)
    return inner
  }

  private foreignOperand(value: Value, operation: OperationName, location: Location | undefined): TalwegError {
    const position = (location ?? captureLocation()).resolve()
    return new TalwegError({
      code: 'TRACE_MISUSE',
      operation,
      problem: `an operand belongs to another trace (${ownerOf(value.node)?.name}, while tracing ${this.name})`,
      hint: 'pass the tensor to the traced function as an argument instead of keeping it from an earlier trace',
      place: position && { file: position.file, line: position.line },
    })
  }
}

/** Who made a node. A property of the node: a weak map of so many nodes costs more in garbage collection than all else. */
const owner = Symbol('owner')

function ownerOf(node: Node): GraphBuilder | undefined {
  return (node as { readonly [owner]?: GraphBuilder })[owner]
}
