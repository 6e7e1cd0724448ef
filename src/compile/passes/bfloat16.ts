/**
 * Mixed precision: products, convolutions and attention read their operands in bf16 and sum in f32. Weights, sums,
 * normalisations and the optimiser stay in f32, so a small update is never lost. What the conversions cost is little:
 * they are fused into what computes the operands.
 */
import type { CompositeName } from '../../core/operations.js'
import { tensorType } from '../../core/shape.js'
import { GraphBuilder, inline, rewrite, type Graph, type NamedValue, type Node, type Value } from '../../graph/index.js'

/** Composites made of products, whose operands and results of four dimensions (all but statistics) go in bf16. */
const ofProducts: ReadonlySet<CompositeName> = new Set<CompositeName>(['attention', 'attentionGradient'])

export function useBFloat16(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, builder) => {
    if (node.operation === 'dotGeneral' || node.operation === 'convolution') {
      if (node.outputs[0].type.dtype !== 'f32' || inputs.some(({ type }) => type.dtype !== 'f32')) return undefined
      const operands = inputs.map((input) => convert(input, 'bf16', node, builder))
      return builder.add(node.operation, operands, node.attributes as never, { location: node.location })
    }
    if (node.operation !== 'composite' || !ofProducts.has(node.attributes.name)) return undefined
    const operands = inputs.map((input) => (isWide(input) ? convert(input, 'bf16', node, builder) : input))
    const decomposition = narrowed(node.decomposition!)
    const results = builder.add('composite', operands, node.attributes, { decomposition, location: node.location })
    return results.map((result, index) =>
      isWide(node.outputs[index]) ? convert(result, 'f32', node, builder) : result,
    )
  })
}

function isWide({ type }: Value): boolean {
  return type.dtype === 'f32' && type.shape.length === 4
}

function convert(value: Value, dtype: 'bf16' | 'f32', { location }: Node, builder: GraphBuilder): Value {
  return builder.add('convert', [value], { dtype }, { location })[0]
}

/** The same function of bf16 operands, computed in f32 and rounded at the end. */
function narrowed(graph: Graph): Graph {
  const builder = new GraphBuilder(graph.name)
  const args = graph.parameters.map((parameter, index) => {
    const type = isWide(parameter) ? tensorType('bf16', parameter.type.shape) : parameter.type
    const given = builder.parameter(`input${index}`, type, parameter.node.location)
    return isWide(parameter) ? convert(given, 'f32', parameter.node, builder) : given
  })
  const results = inline(graph, args, builder).map((value, index): NamedValue => {
    const { name, value: before } = graph.results[index]
    return { name, value: isWide(before) ? convert(value, 'bf16', before.node, builder) : value }
  })
  return builder.build(results)
}
