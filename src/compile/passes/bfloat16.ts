/**
 * Mixed precision: products, convolutions, attention, GELU and batch norm read their operands in bf16 and sum in f32.
 * Weights, sums, statistics, the other normalisations and the optimiser stay in f32, so a small update is never lost. What the conversions cost is
 * little: they are fused into what computes the operands, or done by it (`roundAtSource`).
 */
import type { CompositeName } from '../../core/operations.js'
import { rewrite, type Graph, type GraphBuilder, type Node, type Value } from '../../graph/index.js'
import { retype } from './retype.js'

/** Whether an operand or a result of a composite is an activation, which may be rounded, or a statistic. */
type IsActivation = (value: Value) => boolean

const ofFourDimensions: IsActivation = ({ type }) => type.dtype === 'f32' && type.shape.length === 4
const ofSeveralDimensions: IsActivation = ({ type }) => type.dtype === 'f32' && type.shape.length > 1
const any: IsActivation = ({ type }) => type.dtype === 'f32'

/** Composites that work in bf16, as products do. */
const rounded: { readonly [N in CompositeName]?: IsActivation } = {
  attention: ofFourDimensions,
  attentionGradient: ofFourDimensions,
  gelu: any,
  geluGradient: any,
  batchNorm: ofSeveralDimensions,
  batchNormGradient: ofSeveralDimensions,
  batchNormRelu: ofSeveralDimensions,
  batchNormReluGradient: ofSeveralDimensions,
}

export function useBFloat16(graph: Graph, composites: ReadonlySet<CompositeName> = new Set()): Graph {
  return rewrite(graph, (node, inputs, builder) => {
    if (node.operation === 'dotGeneral' || node.operation === 'convolution') return roundProduct(node, inputs, builder)
    if (node.operation !== 'composite' || !composites.has(node.attributes.name)) return undefined
    const isActivation = rounded[node.attributes.name]
    return isActivation && roundComposite(node, inputs, builder, isActivation)
  })
}

function roundProduct(
  node: Node<'dotGeneral' | 'convolution'>,
  inputs: readonly Value[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  if (node.outputs[0].type.dtype !== 'f32' || inputs.some(({ type }) => type.dtype !== 'f32')) return undefined
  const operands = inputs.map((input) => convert(input, 'bf16', node, builder))
  return builder.add(node.operation, operands, node.attributes as never, { location: node.location })
}

/** Results are rounded too, as PyTorch's are, and given on in f32 to whoever wants that. */
function roundComposite(
  node: Node<'composite'>,
  inputs: readonly Value[],
  builder: GraphBuilder,
  isActivation: IsActivation,
): readonly Value[] {
  // prettier-ignore
  const operands = inputs.map((input) => (isActivation(input) ? convert(input, 'bf16', node, builder) : input))
  const decomposition = retype(
    node.decomposition!,
    placesOf(inputs, isActivation),
    placesOf(node.outputs, isActivation),
  )
  const results = builder.add('composite', operands, node.attributes, { decomposition, location: node.location })
  return results.map((result, index) =>
    isActivation(node.outputs[index]) ? convert(result, 'f32', node, builder) : result,
  )
}

function placesOf(values: readonly Value[], isActivation: IsActivation): ReadonlySet<number> {
  return new Set(values.map((_, index) => index).filter((index) => isActivation(values[index])))
}

function convert(value: Value, dtype: 'bf16' | 'f32', { location }: Node, builder: GraphBuilder): Value {
  return builder.add('convert', [value], { dtype }, { location })[0]
}
