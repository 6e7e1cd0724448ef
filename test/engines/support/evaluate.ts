/** Runs a graph, or one operation, on an engine. */
import type { OperationAttributes, OperationName } from '../../../src/core/operations.js'
import type { TensorData } from '../../../src/core/shape.js'
import type { DType } from '../../../src/core/dtype.js'
import type { Engine } from '../../../src/engine/engine.js'
import { GraphBuilder, type Graph } from '../../../src/graph/index.js'
import { lower, type LowerOptions } from './lower.js'

/** The graph of one operation on parameters `x0`, `x1`, …, with results `y0`, `y1`, …. */
export function graphOf<O extends OperationName>(
  operation: O,
  operands: readonly TensorData[],
  attributes: OperationAttributes[O],
): Graph {
  const builder = new GraphBuilder(operation)
  const inputs = operands.map(({ dtype, shape }, index) => builder.parameter(`x${index}`, { dtype, shape }))
  const results = builder.add(operation, inputs, attributes)
  return builder.build(results.map((value, index) => ({ name: `y${index}`, value })))
}

export function named(operands: readonly TensorData[]): Record<string, TensorData> {
  return Object.fromEntries(operands.map((operand, index) => [`x${index}`, operand]))
}

/** All results of a graph whose parameters are `x0`, `x1`, …, in the order of the graph's results. */
export async function evaluate(
  engine: Engine,
  graph: Graph,
  operands: readonly TensorData[],
  options: LowerOptions = {},
): Promise<TensorData[]> {
  const executable = await engine.load(lower(graph, engine, options), new Map())
  const outputs = await executable.run(named(operands))
  return graph.results.map(({ name }) => outputs[name])
}

/** Why an engine can't run a case: an element type that it lacks. Undefined where it can. */
export function lacking(engine: Engine, types: readonly { readonly dtype: DType }[]): string | undefined {
  const missing = types.find(({ dtype }) => !engine.dtypes.has(dtype))
  return missing && `${engine.name} has no ${missing.dtype}`
}
