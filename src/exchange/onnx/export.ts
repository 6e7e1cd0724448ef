/**
 * A model as ONNX, for ONNX Runtime and for the browser: its forward graph with the weights in it. The batch's size, and what
 * other sizes are named, are left open.
 */
import path from 'node:path'
import { eliminateDeadCode, inlineComposites } from '../../compile/index.js'
import type { DType } from '../../core/dtype.js'
import type { TensorData } from '../../core/shape.js'
import { parameterName, trace, type AnyTensor, type Graph, type Value } from '../../graph/index.js'
import { parameterValue, withParameters, type Module } from '../../nn/index.js'
import { replaceFile } from '../disk.js'
import { onnxComposites, onnxRules, type OnnxRule } from './rules.js'
import { dataTypes, encodeModel, externalLocation, int64Type, type DimensionProto, type TensorProto, type ValueInfoProto } from './schema.js' // prettier-ignore
import { constantDim, evaluate, fixedSize, SymbolicSizes, type Dim, type SizeValues, type Term } from './sizes.js'
import { OnnxWriter, type Initializer, type SizeSource } from './writer.js'

/** A dimension's size, or the name of one that is left open, or the names of those that it is the sum of. */
export type OpenSize = number | string | readonly string[]

export interface OnnxInput {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly OpenSize[]
}

export interface OnnxExport {
  readonly model: Module
  /** Parameters by path. */
  readonly weights: ReadonlyMap<string, TensorData>
  /** In f32, or i32 for indices, which callers give as 64-bit integers, as is usual. */
  readonly inputs: readonly OnnxInput[]
  /** The results by name, given the inputs in order. */
  readonly forward: (...inputs: AnyTensor[]) => Readonly<Record<string, AnyTensor>>
  /** Sizes that the model is traced with where they are left open; by default 3. */
  readonly traceSizes?: SizeValues
  /** Weights that are larger together than this are in a file of their own beside: ONNX's messages end at 2 GB. */
  readonly maxInlineBytes?: number
}

/** ONNX 1.15: `Gelu` and all that is written here; read by every runtime since. */
const irVersion = 9
const operatorSet = 20

/**
 * Writes a model as ONNX.
 *
 * @param file its name ends in `.onnx`; larger weights are in `FILE.data`
 * @throws UNSUPPORTED_BY_ENGINE naming the operation that ONNX has no like of; DISK_FULL
 */
export async function exportOnnx(file: string, definition: OnnxExport): Promise<ExportedOnnx> {
  const { maxInlineBytes = 500e6 } = definition
  const written = writeGraph(definition)
  const weightBytes = written.initializers.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const dataName = weightBytes > maxInlineBytes ? `${path.basename(file)}.data` : undefined
  const { tensors, parts } = placeTensors(written.initializers, dataName)
  if (dataName !== undefined) await replaceFile(path.join(path.dirname(file), dataName), parts)
  const { node, input, output } = written
  const bytes = await encodeModel({
    irVersion,
    producerName: 'talweg',
    opsetImport: [{ domain: '', version: operatorSet }],
    graph: { name: definition.model.constructor.name, node, initializer: tensors, input, output },
  })
  await replaceFile(file, [bytes])
  const files = [path.basename(file), ...(dataName === undefined ? [] : [dataName])]
  return { files, inputs: written.inputs }
}

/** What was written. */
export interface ExportedOnnx {
  /** Names of the files, the model's first. */
  readonly files: readonly string[]
  /** Those of the inputs that the model asks for. */
  readonly inputs: readonly OnnxInput[]
}

interface WrittenGraph {
  readonly inputs: readonly OnnxInput[]
  readonly node: OnnxWriter['nodes']
  readonly initializers: readonly Initializer[]
  readonly input: readonly ValueInfoProto[]
  readonly output: readonly ValueInfoProto[]
}

function writeGraph(definition: OnnxExport): WrittenGraph {
  const { traceSizes = {} } = definition
  const open = new Set(
    definition.inputs.flatMap(({ shape }) => shape.flat().filter((size) => typeof size === 'string')),
  )
  const values = Object.fromEntries(Array.from(open, (name) => [name, traceSizes[name] ?? 3]))
  const sizes = new SymbolicSizes(values, (given) => traceForward(definition, given))
  const { graph } = sizes
  const used = new Set([...graph.nodes.flatMap((node) => node.inputs), ...graph.results.map(({ value }) => value)])
  const asked = new Set(graph.parameters.filter((value) => used.has(value)).map(parameterName))
  const inputs = definition.inputs.filter(({ name }) => asked.has(inputPrefix + name))
  const writer = new OnnxWriter(sizes, sourcesOf(inputs), used)
  for (const { name } of inputs) writer.newName(name)
  // A result keeps its name, which no node may take before.
  for (const { name } of graph.results) writer.newName(name)
  nameParameters(writer, graph, used, definition)
  for (const node of graph.nodes) {
    if (node.operation !== 'parameter') (onnxRules[node.operation] as OnnxRule<typeof node.operation>)(node, writer)
  }
  const output = graph.results.map(({ name, value }) => nameResult(writer, name, value))
  const input = inputs.map(({ name, dtype, shape }) => valueInfo(name, dtype === 'i32' ? int64Type : dataTypes[dtype], shape.map(asDim))) // prettier-ignore
  return { inputs, node: writer.nodes, initializers: writer.initializers, input, output }
}

/** The forward graph for given sizes, taken apart as far as ONNX needs it. */
function traceForward({ model, inputs, forward }: OnnxExport, sizes: SizeValues): Graph {
  const parameters = Array.from(model.namedParameters())
  const types = [
    ...parameters.map(([name, { type }]) => ({ name, type })),
    ...inputs.map(({ name, dtype, shape }) => ({
      name: inputPrefix + name,
      type: { dtype, shape: shape.map((size) => evaluate(asDim(size), sizes)) },
    })),
  ]
  const graph = trace('forward', types, (...tensors) => {
    const values = new Map(parameters.map(([, parameter], index) => [parameter, tensors[index]]))
    return withParameters({ training: false, values, updates: new Map() }, () =>
      forward(...tensors.slice(parameters.length)),
    )
  })
  return eliminateDeadCode(inlineComposites(graph, onnxComposites))
}

/** Tells inputs from parameters, whose names may be the same. */
const inputPrefix = 'input '

function sourcesOf(inputs: readonly OnnxInput[]): Map<string, SizeSource> {
  const sources = new Map<string, SizeSource>()
  for (const { name, shape } of inputs) {
    for (const [dim, size] of shape.entries())
      if (typeof size === 'string' && !sources.has(size)) sources.set(size, { input: name, dim })
  }
  return sources
}

function nameParameters(writer: OnnxWriter, graph: Graph, used: ReadonlySet<Value>, definition: OnnxExport): void {
  for (const value of graph.parameters) {
    const name = parameterName(value)
    if (!used.has(value)) continue
    if (name.startsWith(inputPrefix)) {
      const given = name.slice(inputPrefix.length)
      const isIndex = value.type.dtype === 'i32'
      writer.name(value, isIndex ? writer.add('Cast', [given], { to: dataTypes.i32 }) : given)
    } else {
      writer.name(value, writer.tensor(name, parameterValue('onnx', name, value.type, definition.weights)))
    }
  }
}

function nameResult(writer: OnnxWriter, name: string, value: Value): ValueInfoProto {
  const inner = writer.full(value)
  writer.nodes.push({
    input: [inner],
    output: [name],
    name: writer.newName('result'),
    opType: 'Identity',
    attribute: [],
  })
  return valueInfo(name, dataTypes[value.type.dtype], writer.dimsOf(value))
}

function asDim(size: OpenSize): Dim {
  if (typeof size === 'number') return constantDim(size)
  return [size].flat().map((name) => ({ factor: 1, symbols: [name] }))
}

function valueInfo(name: string, elemType: number, dims: readonly Dim[]): ValueInfoProto {
  const dim = dims.map((each): DimensionProto => {
    const size = fixedSize(each)
    return size === undefined ? { dimParam: each.map(describeTerm).join(' + ') } : { dimValue: size }
  })
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}

function describeTerm({ factor, symbols }: Term): string {
  return [...(factor === 1 && symbols.length > 0 ? [] : [factor]), ...symbols].join(' * ')
}

/** Each tensor with its numbers, or with their place in the file of weights. */
function placeTensors(
  initializers: readonly Initializer[],
  dataName: string | undefined,
): { tensors: TensorProto[]; parts: Uint8Array[] } {
  const parts: Uint8Array[] = []
  let offset = 0
  const tensors = initializers.map(({ name, dataType, dims, bytes }): TensorProto => {
    // Runtimes want small constants, such as shapes, where they can see them.
    if (dataName === undefined || bytes.length < 1024) return { name, dataType, dims, rawData: bytes }
    const place = { location: dataName, offset: String(offset), length: String(bytes.length) }
    const gap = -bytes.length & (alignment - 1)
    parts.push(bytes, new Uint8Array(gap))
    offset += bytes.length + gap
    const externalData = Object.entries(place).map(([key, value]) => ({ key, value }))
    return { name, dataType, dims, externalData, dataLocation: externalLocation }
  })
  return { tensors, parts }
}

/** Where tensors begin in the file of weights, so that it can be mapped. */
const alignment = 4096
