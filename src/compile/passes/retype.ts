/** The same composite with some of its operands and results in bf16 instead of f32. */
import { tensorType, type TensorType } from '../../core/shape.js'
import { GraphBuilder, inline, parameterName, type Graph, type NamedValue } from '../../graph/index.js'

/**
 * A decomposition that takes bf16 for the parameters and gives bf16 for the results at these places, and computes in
 * f32 what is in between.
 */
export function retype(graph: Graph, parameters: ReadonlySet<number>, results: ReadonlySet<number>): Graph {
  const builder = new GraphBuilder(graph.name)
  const args = graph.parameters.map((parameter, index) => {
    const { location } = parameter.node
    const given = builder.parameter(
      parameterName(parameter),
      parameters.has(index) ? toBFloat16(parameter.type) : parameter.type,
      location,
    )
    return parameters.has(index)
      ? builder.add('convert', [given], { dtype: parameter.type.dtype }, { location })[0]
      : given
  })
  const values = inline(graph, args, builder).map((value, index): NamedValue => {
    const { name, value: before } = graph.results[index]
    if (!results.has(index)) return { name, value }
    return { name, value: builder.add('convert', [value], { dtype: 'bf16' }, { location: before.node.location })[0] }
  })
  return builder.build(values)
}

function toBFloat16({ shape }: TensorType): TensorType {
  return tensorType('bf16', shape)
}
