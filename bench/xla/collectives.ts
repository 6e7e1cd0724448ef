/** What exchanges between workers give, straight from their definition, for graphs of nothing but one exchange a result. */
import { invariant } from '../../src/core/errors.js'
import type {
  CollectiveAttributes,
  OperationAttributes,
  OperationName,
  ReductionKind,
} from '../../src/core/operations.js'
import { numElements, tensorData, type Shape, type TensorData } from '../../src/core/shape.js'
import { meshOf, type Graph, type Node } from '../../src/graph/index.js'

type Exchange = 'allReduce' | 'allGather' | 'reduceScatter' | 'collectivePermute'

const combine: { readonly [K in ReductionKind]: (left: number, right: number) => number } = {
  add: (left, right) => Math.fround(left + right),
  multiply: (left, right) => Math.fround(left * right),
  maximum: (left, right) => Math.max(left, right),
  minimum: (left, right) => Math.min(left, right),
  and: (left, right) => left & right,
  or: (left, right) => left | right,
}

function reduceAll(tensors: readonly TensorData[], kind: ReductionKind): TensorData {
  const [{ dtype, shape }] = tensors
  const sum = (index: number): number => tensors.map(({ data }) => data[index]).reduce(combine[kind])
  return tensorData(
    dtype,
    shape,
    Array.from({ length: numElements(shape) }, (_, index) => sum(index)),
  )
}

/** Cuts along `dim`: [outer, size, inner] seen as blocks. */
function join(tensors: readonly TensorData[], dim: number): TensorData {
  const [{ dtype, shape }] = tensors
  const outer = numElements(shape.slice(0, dim))
  const block = numElements(shape.slice(dim))
  const joined = Array.from({ length: outer }, (_, row) =>
    tensors.flatMap(({ data }) => Array.from(data.slice(row * block, (row + 1) * block))),
  )
  const whole: Shape = shape.map((size, d) => (d === dim ? size * tensors.length : size))
  return tensorData(dtype, whole, joined.flat())
}

function part(tensor: TensorData, dim: number, index: number, numParts: number): TensorData {
  const { dtype, shape, data } = tensor
  const outer = numElements(shape.slice(0, dim))
  const block = numElements(shape.slice(dim))
  const size = block / numParts
  const rows = Array.from({ length: outer }, (_, row) =>
    Array.from(data.slice(row * block + index * size, row * block + (index + 1) * size)),
  )
  return tensorData(
    dtype,
    shape.map((s, d) => (d === dim ? s / numParts : s)),
    rows.flat(),
  )
}

/** From what the members of a group hold, in order, to what member `me` gets. */
const rules: {
  readonly [O in Exchange]: (group: readonly TensorData[], me: number, attributes: OperationAttributes[O]) => TensorData
} = {
  allReduce: (group, _, { kind }) => reduceAll(group, kind),
  allGather: (group, _, { dim }) => join(group, dim),
  reduceScatter: (group, me, { kind, dim, size }) => part(reduceAll(group, kind), dim, me, size),
  // Who gets nothing has zeros.
  collectivePermute: (group, me, { pairs }) => {
    const source = pairs.find(([, target]) => target === me)?.[0]
    return source === undefined ? tensorData(group[me].dtype, group[me].shape) : group[source]
  },
}

function isExchange(operation: OperationName): operation is Exchange {
  return operation in rules
}

/** @param inputs a row for each worker; the graph's first parameter is what is exchanged */
export function expectedExchange(graph: Graph, inputs: readonly (readonly TensorData[])[]): TensorData[][] {
  const mesh = meshOf(graph)
  return inputs.map((_, worker) =>
    graph.results.map(({ value: { node } }) => {
      invariant(isExchange(node.operation), 'every result is an exchange')
      const { axis, size } = node.attributes as CollectiveAttributes
      const stride = mesh
        .slice(mesh.findIndex((one) => one.axis === axis) + 1)
        .reduce((product, one) => product * one.size, 1)
      const me = Math.floor(worker / stride) % size
      const members = Array.from({ length: size }, (_, index) => worker + (index - me) * stride)
      return apply(
        node as Node<Exchange>,
        members.map((member) => inputs[member][0]),
        me,
      )
    }),
  )
}

function apply<O extends Exchange>(node: Node<O>, group: readonly TensorData[], me: number): TensorData {
  return rules[node.operation as O](group, me, node.attributes as OperationAttributes[O])
}
