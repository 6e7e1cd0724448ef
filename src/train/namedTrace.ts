/** Traces whose inputs go by name: there are too many of them to be told apart by their order. */
import { invariant } from '../core/errors.js'
import { trace, type AnyTensor, type Graph, type NamedType } from '../graph/index.js'

export type Tensors = ReadonlyMap<string, AnyTensor>

export function get(tensors: Tensors, name: string): AnyTensor {
  const tensor = tensors.get(name)
  invariant(tensor !== undefined, `the graph has ${name}`)
  return tensor
}

export function traceNamed(
  name: string,
  inputs: readonly NamedType[],
  body: (tensors: Tensors) => Readonly<Record<string, AnyTensor>>,
): Graph {
  return trace(name, inputs, (...tensors) => body(new Map(inputs.map((input, index) => [input.name, tensors[index]]))))
}
