/** What a case is, and how its inputs come about: from Philox by the case's name, so they never change. */
import { compileGraph, type CompileTarget } from '../../../src/compile/index.js'
import { dtypes, isFloat, toBFloat16Bits, type DType } from '../../../src/core/dtype.js'
import type { OperationAttributes, OperationName, ReductionKind } from '../../../src/core/operations.js'
import { hashString, philoxBits } from '../../../src/core/random.js'
import { numElements, tensorData, tensorType, type Shape, type TensorData } from '../../../src/core/shape.js'
import type { Measure } from '../compare.js'
import { GraphBuilder, parameterName, type Graph, type Value } from '../../../src/graph/index.js'

export interface Case {
  readonly name: string
  readonly graph: Graph
  /** A row of inputs for each worker. */
  readonly inputs: readonly (readonly TensorData[])[]
  /** `element` by default. */
  readonly measure?: Measure
  /** Results, by name, that can't be compared. None by default. */
  readonly isIgnored?: (result: string) => boolean
  /** Where the graph is one that a compiler has changed: the case that it was made from, whose results it must have. */
  readonly unchanged?: Case
}

/** What an input's numbers are: uniform in a range (both ends reached by integers), or as given. */
export interface InputSpec {
  readonly dtype: DType
  readonly shape: Shape
  readonly low?: number
  readonly high?: number
  readonly values?: readonly number[]
}

/** An input; f32 from -2 to 2 unless said otherwise. */
export function input(
  shape: Shape,
  dtype: DType = 'f32',
  low = isFloat(dtype) ? -2 : 0,
  high = dtype === 'bool' ? 1 : isFloat(dtype) ? 2 : 9,
): InputSpec {
  return { dtype, shape, low, high }
}

export function randomData(spec: InputSpec, seed: string): TensorData {
  const { dtype, shape, low = -2, high = 2, values } = spec
  const size = numElements(shape)
  const bits = philoxBits([hashString(seed), 0, 0, 0], size)
  const uniform = (index: number): number => bits[index] / 2 ** 32
  const draw = (index: number): number => {
    if (values !== undefined) return values[index]
    return isFloat(dtype) ? low + (high - low) * uniform(index) : low + Math.floor((high - low + 1) * uniform(index))
  }
  const numbers = Array.from({ length: size }, (_, index) =>
    dtype === 'bf16' ? toBFloat16Bits(draw(index)) : draw(index),
  )
  return tensorData(dtype, shape, numbers)
}

/** A case made by building a graph; every value that `body` returns is a result. */
export function makeCase(
  name: string,
  specs: readonly InputSpec[],
  body: (builder: GraphBuilder, inputs: readonly Value[]) => readonly Value[],
  numWorkers = 1,
): Case {
  const builder = new GraphBuilder(name)
  const parameters = specs.map(({ dtype, shape }, index) =>
    builder.parameter(`input${index}`, tensorType(dtype, shape)),
  )
  const results = body(builder, parameters).map((value, index) => ({ name: `output${index}`, value }))
  const row = (worker: number): TensorData[] =>
    specs.map((spec, index) => randomData(spec, `${name}/${worker}/${index}`))
  return { name, graph: builder.build(results), inputs: Array.from({ length: numWorkers }, (_, worker) => row(worker)) }
}

/** The same case as it leaves the compiler's passes, compared with what it was before them. */
export function fused(example: Case, target: CompileTarget): Case {
  const { graph } = compileGraph(example.graph, target)
  const given = new Map(example.graph.parameters.map((parameter, index) => [parameterName(parameter), index]))
  const inputs = example.inputs.map((row) =>
    graph.parameters.map((parameter) => row[given.get(parameterName(parameter))!]),
  )
  return { ...example, name: `${example.name}, fused`, graph, inputs, unchanged: example }
}

/** A case of one operation. */
export function single<O extends OperationName>(
  operation: O,
  note: string,
  attributes: OperationAttributes[O],
  specs: readonly InputSpec[],
  numWorkers = 1,
): Case {
  return makeCase(
    `${operation} ${note}`,
    specs,
    (builder, inputs) => builder.add(operation, inputs, attributes),
    numWorkers,
  )
}

export const elementwiseShapes: readonly Shape[] = [[], [7], [2, 1, 5], [0, 3]]
/** Values at which functions of floats are apt to differ. */
export const special = [0, -0, 1, -1, Infinity, -Infinity, NaN, 0.5, -2.5, 1.5]

export const allDtypes = Object.keys(dtypes) as DType[]

export const reductionKinds: readonly ReductionKind[] = ['add', 'multiply', 'maximum', 'minimum', 'and', 'or']
export const numericKinds: readonly ReductionKind[] = ['add', 'multiply', 'maximum', 'minimum']
export const dtypeOf = (kind: ReductionKind): DType => (kind === 'and' || kind === 'or' ? 'bool' : 'f32')
