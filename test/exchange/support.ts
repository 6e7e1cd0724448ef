/** Models as others saved them, with what they computed (fixtures/README.md). */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gradients } from '../../src/autodiff/index.js'
import { compileGraph } from '../../src/compile/index.js'
import { numberAt, type Shape, type TensorData } from '../../src/core/shape.js'
import type { Engine } from '../../src/engine/engine.js'
import { readSafetensors } from '../../src/exchange/safetensors/index.js'
import { trace, type AnyTensor, type Graph, type Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'

export const fixtures = path.join(import.meta.dirname, 'fixtures')

export interface Expected {
  readonly inputs: ReadonlyMap<string, TensorData>
  readonly targets: TensorData
  readonly logits: TensorData
  readonly gradients: ReadonlyMap<string, TensorData>
  readonly loss: number
}

export async function readExpected(name: string): Promise<Expected> {
  const tensors = await readSafetensors(path.join(fixtures, name, 'expected.safetensors'))
  const group = (prefix: string): Map<string, TensorData> =>
    new Map([...tensors].flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])))
  const { losses } = JSON.parse(readFileSync(path.join(fixtures, 'losses.json'), 'utf8')) as {
    losses: Record<string, number>
  }
  return {
    inputs: group('inputs/'),
    targets: tensors.get('targets')!,
    logits: tensors.get('logits')!,
    gradients: group('gradients/'),
    loss: losses[name],
  }
}

/** How a fixture's model is called with its inputs, by their own names. */
export type Forward = (model: nn.Module, inputs: ReadonlyMap<string, AnyTensor>) => AnyTensor

/** Logits of the model in use; loss and gradients, by path, of the model in training. */
export async function compute(
  engine: Engine,
  model: nn.Module,
  forward: Forward,
  { inputs, targets }: Expected,
): Promise<Record<'logits' | 'trained', Record<string, TensorData>>> {
  const values = new Map(Array.from(model.namedParameters(), ([name, { loaded }]) => [name, loaded!]))
  const given = new Map([...values, ...inputs, ['targets', targets]])
  const run = async (graph: Graph): Promise<Record<string, TensorData>> => {
    const { program } = compileGraph(graph, engine, { verify: true })
    const executable = await engine.load(program, new Map())
    return executable.run(Object.fromEntries(program.inputs.map(({ name }) => [name, given.get(name)!])))
  }
  const traced = (
    training: boolean,
    body: (
      parameters: ReadonlyMap<string, AnyTensor>,
      batch: ReadonlyMap<string, AnyTensor>,
    ) => Record<string, AnyTensor>,
  ): Graph =>
    // prettier-ignore
    traceModel(model, [...inputs, ['targets', targets]], training, body)
  const logits = await run(traced(false, (_, batch) => ({ logits: forward(model, batch) })))
  const trained = await run(
    traced(true, (parameters, batch) => {
      const wanted = batch.get('targets') as AnyTensor as Tensor<Shape, 'i32'>
      const loss = nn.crossEntropy(forward(model, batch), wanted, { ignoredTarget: -100 })
      const named = [...parameters].filter(([name]) => model.namedParameters().get(name)!.trainable)
      const found = gradients(loss, named.map(([, tensor]) => tensor)) // prettier-ignore
      return { loss, ...Object.fromEntries(named.map(([name], index) => [name, found[index]])) }
    }),
  )
  return { logits, trained }
}

function traceModel(
  model: nn.Module,
  batch: readonly (readonly [string, TensorData])[],
  training: boolean,
  body: (
    parameters: ReadonlyMap<string, AnyTensor>,
    batch: ReadonlyMap<string, AnyTensor>,
  ) => Record<string, AnyTensor>,
): Graph {
  const parameters = Array.from(model.namedParameters())
  const types = [...parameters.map(([name, { type }]) => ({ name, type })), ...batch.map(([name, type]) => ({ name, type }))] // prettier-ignore
  return trace('fixture', types, (...tensors) => {
    const values = new Map(parameters.map(([, parameter], index) => [parameter, tensors[index]]))
    const byName = new Map(types.map(({ name }, index) => [name, tensors[index]]))
    const own = new Map(parameters.map(([name]) => [name, byName.get(name)!]))
    return nn.withParameters({ training, values, updates: new Map() }, () => body(own, byName))
  })
}

/** Each number to 1e-4 of the largest, or to 1e-4 where all are below 1. */
export function assertNear(actual: TensorData, expected: TensorData, what: string): void {
  assertWithin(actual, expected, 1e-4 * Math.max(1, largestOf(expected)), what)
}

/**
 * Each number to 1e-4 of the largest. That of an attention's key bias is zero, since softmax does not see what is added to all
 * scores of a query; rounding is all that is in it.
 */
export function assertGradient(actual: TensorData, expected: TensorData, what: string): void {
  const largest = largestOf(expected)
  assertWithin(actual, expected, largest < 1e-12 ? 1e-7 : 1e-4 * largest, what)
}

function largestOf({ data }: TensorData): number {
  return Array.from(data, Math.abs).reduce((most, size) => Math.max(most, size), 0)
}

function assertWithin(actual: TensorData, expected: TensorData, allowed: number, what: string): void {
  assert.deepEqual(actual.shape, expected.shape, what)
  for (let index = 0; index < expected.data.length; index++) {
    const [found, wanted] = [numberAt(actual, index), numberAt(expected, index)]
    assert.ok(
      Math.abs(found - wanted) <= allowed,
      `${what}: number ${index} is ${found}, not ${wanted} (to ${allowed})`,
    )
  }
}
