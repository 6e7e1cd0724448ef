/**
 * Tracing: running a user's function once on tensors that record what is done to them.
 *
 * The trace in progress is kept in a stack, because operations without operands (constants, random numbers) and a
 * module's parameters have nothing else to find it by. Tracing is synchronous, so the stack is empty between turns.
 */
import { TalwegError } from '../core/errors.js'
import type { TensorType } from '../core/shape.js'
import { GraphBuilder } from './builder.js'
import type { Graph, NamedValue, Value } from './graph.js'
import { Tensor, type AnyTensor } from './tensor.js'

const stack: GraphBuilder[] = []

/** The builder of the innermost trace. `operation` is for the message when there is none. */
export function currentBuilder(operation: string): GraphBuilder {
  const builder = stack.at(-1)
  if (builder !== undefined) return builder
  throw new TalwegError({
    code: 'TRACE_MISUSE',
    operation,
    problem: 'called outside a traced function',
    hint: 'call it inside a model, a loss, or a function given to trace() or evaluate()',
  })
}

export function isTracing(): boolean {
  return stack.length > 0
}

/** Runs `body` with `builder` as the trace in progress. */
export function withBuilder<T>(builder: GraphBuilder, body: () => T): T {
  stack.push(builder)
  try {
    return body()
  } finally {
    stack.pop()
  }
}

export interface NamedType {
  readonly name: string
  readonly type: TensorType
}

/**
 * The graph of a function.
 *
 * @param body gets a tensor for each of `inputs`, returns the results by name
 * @param keepsLocations whether nodes remember the line that asked for them, for messages while they run
 * @example
 * const graph = trace('square', [{ name: 'x', type: tensorType('f32', [3]) }], (x) => ({ y: x.multiply(x) }))
 */
export function trace(
  name: string,
  inputs: readonly NamedType[],
  body: (...inputs: AnyTensor[]) => { readonly [result: string]: AnyTensor },
  keepsLocations = true,
): Graph {
  const builder = new GraphBuilder(name, undefined, keepsLocations)
  return withBuilder(builder, () => {
    const tensors = inputs.map((input) => new Tensor(builder.parameter(input.name, input.type)))
    const results = Object.entries(body(...tensors)).map(([result, tensor]): NamedValue => ({
      name: result,
      value: tensor.value,
    }))
    return builder.build(results)
  })
}

export interface NestedTrace {
  readonly graph: Graph
  /** Values of the surrounding trace that the body used without being given them: arguments after its own. */
  readonly captures: readonly Value[]
}

/** Traces the inside of a composite. The body may use tensors of the trace around it, a module's parameters among them. */
export function traceNested(
  name: string,
  types: readonly TensorType[],
  body: (...inputs: AnyTensor[]) => readonly AnyTensor[],
): NestedTrace {
  const builder = new GraphBuilder(name, currentBuilder(name))
  return withBuilder(builder, () => {
    const tensors = types.map((type, index) => new Tensor(builder.parameter(`input${index}`, type)))
    const outputs = body(...tensors)
    const graph = builder.build(
      outputs.map((tensor, index): NamedValue => ({ name: `output${index}`, value: tensor.value })),
    )
    return { graph, captures: builder.captures }
  })
}

/** As `traceNested`, but only once in a trace for all that have the same `key`, which must say all that `body` depends on. */
export function traceShared(
  key: string,
  name: string,
  types: readonly TensorType[],
  body: (...inputs: AnyTensor[]) => readonly AnyTensor[],
): NestedTrace {
  const { shared } = currentBuilder(name)
  const known = shared.get(key)
  if (known !== undefined) return { graph: known, captures: [] }
  const traced = traceNested(name, types, body)
  if (traced.captures.length === 0) shared.set(key, traced.graph)
  return traced
}

export function tensorOf(value: Value): AnyTensor {
  return new Tensor(value)
}
