/**
 * A step that goes wrong keeps the old state: each result of an optimiser's update is followed by a choice between it
 * and the old value. Where that is all that is done with it, the update is told the condition and chooses itself, so
 * that new and old go through memory once.
 */
import type { CompositeCall } from '../../core/operations.js'
import { findReaders, GraphBuilder, inline, rewrite, type Graph, type Node, type Value } from '../../graph/index.js'
import { repeatScalar, splatScalar } from './constants.js'

/** For each result of an `adamUpdate`, which operand is its old value. */
const oldValues = [0, 2, 3] as const

export function guardUpdates(graph: Graph): Graph {
  const guards = findGuards(graph)
  if (guards.size === 0) return graph
  const guarded = new Map<Node, readonly Value[]>()
  const bodies = new Map<Graph, Graph>()
  return rewrite(graph, (node, inputs, builder) => {
    const update = guards.get(node)
    if (update === undefined) return undefined
    let results = guarded.get(update)
    if (results === undefined) {
      const copied = inputs[1].node as Node<'composite'>
      results = guardUpdate(copied, splatScalar(inputs[0])!, builder, bodies)
      guarded.set(update, results)
    }
    return [results[update.outputs.indexOf(node.inputs[1])]]
  })
}

/** The choices that go into an update, each with that update. */
function findGuards(graph: Graph): Map<Node, Node> {
  const readers = findReaders(graph)
  const results = new Set(graph.results.map(({ value }) => value))
  const guards = new Map<Node, Node>()
  for (const node of graph.nodes) {
    if (node.operation !== 'composite' || node.attributes.name !== 'adamUpdate' || node.attributes.attributes.guarded)
      continue
    const choices = node.outputs.map((output, place) => {
      const [reader, ...others] = readers.get(output) ?? []
      if (reader === undefined || others.length > 0 || results.has(output)) return undefined
      return isGuard(reader, output, node.inputs[oldValues[place]]) ? reader : undefined
    })
    const conditions = new Set(choices.map((choice) => choice && splatScalar(choice.inputs[0])))
    if (conditions.has(undefined) || conditions.size !== 1) continue
    for (const choice of choices) guards.set(choice!, node)
  }
  return guards
}

function isGuard({ operation, inputs }: Node, fresh: Value, old: Value): boolean {
  return operation === 'select' && inputs[1] === fresh && inputs[2] === old && inputs[0] !== fresh
}

/** @param bodies those made before, by the decomposition of the update they guard: updates that are alike share theirs */
function guardUpdate(
  update: Node<'composite'>,
  condition: Value,
  builder: GraphBuilder,
  bodies: Map<Graph, Graph>,
): readonly Value[] {
  const { attributes, location } = update
  const decomposition = bodies.get(update.decomposition!) ?? guardedBody(update, condition)
  bodies.set(update.decomposition!, decomposition)
  const { name, attributes: options } = attributes as CompositeCall<'adamUpdate'>
  const call: CompositeCall = { name, attributes: { ...options, guarded: true } }
  return builder.add('composite', [...update.inputs, condition], call, { decomposition, location })
}

function guardedBody(update: Node<'composite'>, condition: Value): Graph {
  const body = new GraphBuilder('adamUpdate')
  const inputs = [...update.inputs, condition]
  const parameters = inputs.map(({ type }, index) => body.parameter(`input${index}`, type, update.location))
  const fresh = inline(update.decomposition!, parameters.slice(0, -1), body)
  const results = fresh.map((value, place) => {
    const predicate = repeatScalar(parameters.at(-1)!, value.type.shape, body)
    const [chosen] = body.add('select', [predicate, value, parameters[oldValues[place]]], {})
    return { name: `output${place}`, value: chosen }
  })
  return body.build(results)
}
