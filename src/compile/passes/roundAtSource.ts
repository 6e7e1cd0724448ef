/**
 * Where all that is done with an f32 result is to round it to bf16, the product or composite that computes it writes
 * bf16 in the first place: the same numbers, half the memory, and one pass less.
 */
import type { CompositeName } from '../../core/operations.js'
import { rewrite, type Graph, type GraphBuilder, type Node, type Value } from '../../graph/index.js'
import { retype } from './retype.js'

/** For each composite, which of its results is an activation. */
const roundedResults: { readonly [N in CompositeName]?: number } = {
  softmax: 0,
  softmaxGradient: 0,
  layerNorm: 0,
  layerNormGradient: 0,
  rmsNorm: 0,
  rmsNormGradient: 0,
  softmaxCrossEntropyGradient: 0,
}

export function roundAtSource(graph: Graph, composites: ReadonlySet<CompositeName> = new Set()): Graph {
  const onlyRounded = findOnlyRounded(graph)
  const isRounded = (value: Value | undefined): boolean => value !== undefined && onlyRounded.has(value)
  return rewrite(graph, (node, inputs, builder) => {
    if (node.operation === 'convert') return node.attributes.dtype === inputs[0].type.dtype ? inputs : undefined
    if (node.operation === 'dotGeneral' || node.operation === 'convolution') {
      return isRounded(node.outputs[0]) ? roundedProduct(node, inputs, builder) : undefined
    }
    if (node.operation !== 'composite' || !composites.has(node.attributes.name)) return undefined
    const place = roundedResults[node.attributes.name]
    if (place === undefined || !isRounded(node.outputs[place])) return undefined
    const decomposition = retype(node.decomposition!, new Set(), new Set([place]))
    return builder.add('composite', inputs, node.attributes, { decomposition, location: node.location })
  })
}

function roundedProduct(
  node: Node<'dotGeneral' | 'convolution'>,
  inputs: readonly Value[],
  builder: GraphBuilder,
): readonly Value[] {
  const attributes = { ...node.attributes, dtype: 'bf16' }
  return builder.add(node.operation, inputs, attributes as never, { location: node.location })
}

/** Values of f32 that are read by conversions to bf16 alone. */
function findOnlyRounded(graph: Graph): Set<Value> {
  const rounded = new Set<Value>()
  const otherwise = new Set<Value>(graph.results.map(({ value }) => value))
  for (const node of graph.nodes) {
    const isRounding = node.operation === 'convert' && node.attributes.dtype === 'bf16'
    for (const input of node.inputs) {
      if (isRounding && input.type.dtype === 'f32') rounded.add(input)
      else otherwise.add(input)
    }
  }
  otherwise.forEach((value) => rounded.delete(value))
  return rounded
}
