/**
 * Makes graphs: the one place where nodes come into being. It infers each node's type by the rules in `inference/`
 * (which is where a wrong shape is found, with the user's own line) and remembers where it was asked for.
 */
import { TalwegError, invariant } from '../core/errors.js'
import type { OperationAttributes, OperationName } from '../core/operations.js'
import type { TensorType } from '../core/shape.js'
import type { Graph, NamedValue, Node, Value } from './graph.js'
import { inferTypes } from './inference/index.js'
import { captureLocation, type Location } from './location.js'

export interface AddOptions {
  readonly decomposition?: Graph
  /** Where the node is from; by default, where the caller's caller is in user code. */
  readonly location?: Location
}

export class GraphBuilder {
  private readonly nodes: Node[] = []
  private readonly parameters: Value[] = []
  private nextId = 0

  constructor(readonly name: string) {}

  /** The builder that made a value's node, so that an operation on tensors knows where to go. */
  static of(value: Value): GraphBuilder {
    const builder = builders.get(value.node)
    invariant(builder !== undefined, 'a node without a builder')
    return builder
  }

  parameter(name: string, type: TensorType): Value {
    const [value] = this.add('parameter', [], { name, type })
    return value
  }

  /** Adds a node and returns its results. Throws `SHAPE_MISMATCH` or `DTYPE_MISMATCH` where the operands don't fit. */
  add<O extends OperationName>(
    operation: O,
    inputs: readonly Value[],
    attributes: OperationAttributes[O],
    options: AddOptions = {},
  ): readonly Value[] {
    const location = options.location ?? captureLocation()
    this.checkOwnership(operation, inputs, location)
    const types = this.infer(operation, inputs, attributes, options.decomposition, location)
    const outputs: Value[] = []
    const node = {
      id: this.nextId++,
      operation,
      inputs,
      attributes,
      outputs,
      decomposition: options.decomposition,
      location,
    } as unknown as Node
    types.forEach((type, index) => outputs.push({ node, index, type }))
    builders.set(node, this)
    this.nodes.push(node)
    if (operation === 'parameter') this.parameters.push(outputs[0])
    return outputs
  }

  build(results: readonly NamedValue[]): Graph {
    return { name: this.name, parameters: [...this.parameters], nodes: [...this.nodes], results: [...results] }
  }

  private infer<O extends OperationName>(
    operation: O,
    inputs: readonly Value[],
    attributes: OperationAttributes[O],
    decomposition: Graph | undefined,
    location: Location,
  ): readonly TensorType[] {
    try {
      return inferTypes(operation, inputs.map((input) => input.type), attributes, decomposition)
    } catch (error) {
      const position = location.resolve()
      throw error instanceof TalwegError && position !== undefined && error.place?.line === undefined
        ? error.at({ file: position.file, line: position.line })
        : error
    }
  }

  private checkOwnership(operation: OperationName, inputs: readonly Value[], location: Location): void {
    for (const input of inputs) {
      if (builders.get(input.node) === this) continue
      const position = location.resolve()
      throw new TalwegError({
        code: 'TRACE_MISUSE',
        operation,
        problem: `an operand belongs to another trace (${builders.get(input.node)?.name ?? 'a finished one'}, while tracing ${this.name})`,
        hint: 'pass the tensor to the traced function as an argument instead of keeping it from an earlier trace',
        place: position && { file: position.file, line: position.line },
      })
    }
  }
}

const builders = new WeakMap<Node, GraphBuilder>()
