/**
 * Lets products and sums read their operands as they lie. A transposed operand of `dotGeneral` becomes other dimension
 * numbers, which cost the kernel nothing; so does a transposed result, by exchanging the operands. A transposed operand
 * of `reduce` becomes other dimensions. The order of the dimensions that stay must be what it was.
 */
import type { DotGeneralAttributes } from '../../core/operations.js'
import {
  countUses,
  producedBy,
  rewrite,
  type Graph,
  type GraphBuilder,
  type Node,
  type Value,
} from '../../graph/index.js'

export function foldTransposes(graph: Graph): Graph {
  if (!graph.nodes.some(({ operation }) => operation === 'transpose')) return graph
  const uses = countUses(graph)
  return rewrite(graph, (node, inputs, builder) => {
    if (node.operation === 'dotGeneral') return foldOperands(node, inputs, builder)
    if (node.operation === 'reduce') return foldReduced(node, inputs, builder)
    // The product is computed again with its operands exchanged; nobody else may need the first one.
    if (node.operation === 'transpose' && uses.get(node.inputs[0]) === 1) return foldResult(node, inputs[0], builder)
    return undefined
  })
}

function foldOperands(
  node: Node<'dotGeneral'>,
  inputs: readonly Value[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const { leftBatch, rightBatch, leftContracting, rightContracting, dtype } = node.attributes
  const left = untransposed(inputs[0], leftBatch, leftContracting)
  const right = untransposed(inputs[1], rightBatch, rightContracting)
  if (left === undefined && right === undefined) return undefined
  const attributes: DotGeneralAttributes = {
    leftBatch: left?.batch ?? leftBatch,
    rightBatch: right?.batch ?? rightBatch,
    leftContracting: left?.contracting ?? leftContracting,
    rightContracting: right?.contracting ?? rightContracting,
    dtype,
  }
  return builder.add('dotGeneral', [left?.value ?? inputs[0], right?.value ?? inputs[1]], attributes, {
    location: node.location,
  })
}

interface Untransposed {
  readonly value: Value
  readonly batch: readonly number[]
  readonly contracting: readonly number[]
}

/** The operand before its transposition, and its roles there; undefined if its free dimensions would change order. */
function untransposed(
  operand: Value,
  batch: readonly number[],
  contracting: readonly number[],
): Untransposed | undefined {
  const transposed = producedBy(operand, 'transpose')
  if (transposed === undefined) return undefined
  const { permutation } = transposed.attributes
  const free = permutation.filter((_, dim) => !batch.includes(dim) && !contracting.includes(dim))
  if (!isIncreasing(free)) return undefined
  return {
    value: transposed.inputs[0],
    batch: batch.map((dim) => permutation[dim]),
    contracting: contracting.map((dim) => permutation[dim]),
  }
}

function foldReduced(
  node: Node<'reduce'>,
  [operand]: readonly Value[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const transposed = producedBy(operand, 'transpose')
  if (transposed === undefined) return undefined
  const { permutation } = transposed.attributes
  const { kind, dims } = node.attributes
  if (!isIncreasing(permutation.filter((_, dim) => !dims.includes(dim)))) return undefined
  return builder.add(
    'reduce',
    transposed.inputs,
    { kind, dims: dims.map((dim) => permutation[dim]) },
    { location: node.location },
  )
}

/** (left right)ᵀ = right left, with the roles of the free dimensions exchanged. */
function foldResult(node: Node<'transpose'>, operand: Value, builder: GraphBuilder): readonly Value[] | undefined {
  const product = producedBy(operand, 'dotGeneral')
  if (product === undefined) return undefined
  const { leftBatch, rightBatch, leftContracting, rightContracting, dtype } = product.attributes
  const numBatch = leftBatch.length
  const numLeft = product.inputs[0].type.shape.length - numBatch - leftContracting.length
  const { permutation } = node.attributes
  const numDims = permutation.length
  const isExchange = permutation.every((from, dim) => {
    if (dim < numBatch) return from === dim
    return (
      from === (dim - numBatch < numDims - numBatch - numLeft ? dim + numLeft : dim - (numDims - numBatch - numLeft))
    )
  })
  if (!isExchange) return undefined
  const exchanged = {
    leftBatch: rightBatch,
    rightBatch: leftBatch,
    leftContracting: rightContracting,
    rightContracting: leftContracting,
    dtype,
  }
  return builder.add('dotGeneral', [product.inputs[1], product.inputs[0]], exchanged, { location: node.location })
}

function isIncreasing(dims: readonly number[]): boolean {
  return dims.every((dim, index) => index === 0 || dims[index - 1] < dim)
}
