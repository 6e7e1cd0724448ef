/** The graph room: nodes, tracing, shape inference, verifying, printing. */
export type { Graph, NamedValue, Node, Value } from './graph.js'
export { countUses, findReaders, isSource, parameterName, producedBy } from './graph.js'
export { GraphBuilder } from './builder.js'
export type { Location, SourcePosition } from './location.js'
export { inferTypes } from './inference/index.js'
export { meshOf, printGraph, type PrintedMesh, type PrintOptions } from './printer.js'
export { copyNode, inline, insideLocation, rewrite, type Replace } from './rewrite.js'
export { isTensor, Tensor, type AnyTensor } from './tensor.js'
export {
  currentBuilder,
  isTracing,
  tensorOf,
  trace,
  traceNested,
  withBuilder,
  type NamedType,
  type NestedTrace,
} from './trace.js'
export { verify } from './verifier.js'
