/** Helpers for the compiler's tests: running a graph on the reference engine, comparing, and engines that know more. */
import assert from 'node:assert/strict'
import { isFloat, type DType } from '../../src/core/dtype.js'
import { numElements, tensorData, type TensorData } from '../../src/core/shape.js'
import {
  compileGraph,
  passNames,
  type PassName,
  type CompiledProgram,
  type CompileOptions,
  type CompileTarget,
} from '../../src/compile/index.js'
import { createReferenceEngine } from '../../src/engine/reference/index.js'
import { parameterName, trace, type AnyTensor, type Graph } from '../../src/graph/index.js'

/** To switch everything off. */
export const allPasses: ReadonlySet<PassName> = new Set(passNames)

export const reference = createReferenceEngine()

/**
 * A target with groups, epilogues and strided operands, as the native engine has them. The reference engine runs what is
 * compiled for it by the composites' bodies.
 */
export const fusing: CompileTarget = {
  name: 'native',
  dtypes: reference.dtypes,
  composites: new Set(['elementwise', 'dotEpilogue', 'gelu', 'erf', 'layerNorm', 'attention', 'attentionGradient']),
  elementwiseComposites: new Set(['erf']),
  bfloat16Composites: new Set(['layerNorm', 'attention', 'attentionGradient', 'gelu', 'geluGradient']),
  stridedInputs: new Set([
    'dotGeneral',
    'elementwise',
    'dotEpilogue',
    'attention',
    'transpose',
    'broadcastInDim',
    'reduce',
  ]),
}

export interface Argument {
  readonly dtype?: DType
  readonly shape: readonly number[]
}

/** The graph of a function of tensors, named `x0`, `x1`, …, with results `y0`, `y1`, …. */
export function graphOf(inputs: readonly Argument[], body: (...xs: AnyTensor[]) => readonly AnyTensor[]): Graph {
  const types = inputs.map(({ dtype = 'f32', shape }, index) => ({ name: `x${index}`, type: { dtype, shape } }))
  return trace('test', types, (...xs) => Object.fromEntries(body(...xs).map((y, index) => [`y${index}`, y])))
}

/** A small deterministic generator, so that a failing case can be run again. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Values for a graph's parameters: floats around 0, small integers. */
export function argumentsFor(graph: Graph, seed = 1): Record<string, TensorData> {
  const next = numbersFrom(seed)
  return Object.fromEntries(
    graph.parameters.map((parameter) => {
      const { dtype, shape } = parameter.type
      const values = Array.from({ length: numElements(shape) }, () => {
        const x = next() * 4 - 2
        return dtype === 'bool' ? Number(x > 0) : isFloat(dtype) ? x : Math.floor(Math.abs(x) * 2)
      })
      return [parameterName(parameter), tensorData(dtype, shape, values)]
    }),
  )
}

/** Runs a compiled program on the reference engine: outputs, and new state by name. */
export async function runProgram(
  { program }: CompiledProgram,
  values: Readonly<Record<string, TensorData>>,
  numSteps = 1,
): Promise<Record<string, TensorData>> {
  const state = new Map(program.state.map(({ name }) => [name, reference.allocate(values[name], values[name])]))
  const executable = await reference.load(program, state)
  const inputs = Object.fromEntries(program.inputs.map(({ name }) => [name, values[name]]))
  let outputs: Record<string, TensorData> = {}
  for (let step = 0; step < numSteps; step++) outputs = await executable.run(inputs)
  const after = await Promise.all(
    [...state].map(async ([name, buffer]) => [`state ${name}`, await buffer.read()] as const),
  )
  return { ...outputs, ...Object.fromEntries(after) }
}

export function compileFor(target: CompileTarget, graph: Graph, options: CompileOptions = {}): CompiledProgram {
  return compileGraph(graph, target, { verify: true, ...options })
}

export function assertClose(
  actual: Readonly<Record<string, TensorData>>,
  expected: Readonly<Record<string, TensorData>>,
  tolerance = 1e-6,
): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort())
  for (const [name, { data, dtype, shape }] of Object.entries(expected)) {
    assert.deepEqual([actual[name].dtype, actual[name].shape], [dtype, shape])
    data.forEach((want, index) => {
      const got = actual[name].data[index]
      const isSame = Object.is(got, want) || Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want))
      assert.ok(isSame, `${name}[${index}] is ${got}, not ${want}`)
    })
  }
}

/** Asserts that compiling with and without the given options' passes computes the same, and returns the former. */
export async function assertSameAsPlain(
  graph: Graph,
  target: CompileTarget,
  options: CompileOptions = {},
  tolerance?: number,
): Promise<CompiledProgram> {
  const plain = compileFor(reference, graph, { ...options, precision: 'f32', disabledPasses: allPasses })
  const compiled = compileFor(target, graph, options)
  const values = argumentsFor(graph)
  assertClose(await runProgram(compiled, values, 2), await runProgram(plain, values, 2), tolerance)
  return compiled
}
