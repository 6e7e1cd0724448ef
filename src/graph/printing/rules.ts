/**
 * How each operation is written in StableHLO: one exhaustive table. The short form is used where StableHLO has one
 * that its parser accepts, the generic form elsewhere. https://openxla.org/stablehlo/spec
 */
import { dtypes, isFloat, type DType } from '../../core/dtype.js'
import { invariant } from '../../core/errors.js'
import {
  binaryOperations,
  unaryOperations,
  type BinaryOperation,
  type ComparisonDirection,
  type ConvolutionAttributes,
  type ConvolutionDimensions,
  type OperationName,
  type ReductionKind,
  type UnaryOperation,
} from '../../core/operations.js'
import { tensorData, tensorType, type TensorType } from '../../core/shape.js'
import type { Graph, Node } from '../graph.js'
import { printComposite } from './composites.js'
import { printArray, printConstant, printList, printRows, printType, printTypes, snakeCase } from './syntax.js'

/** What a rule may ask of the printer while it writes one node. */
export interface Writer {
  /** Writes `%n = text` (or `%n:k = text` for k results) and returns the results' names. */
  readonly emit: (text: string, numResults?: number) => readonly string[]
  /** The symbol of the private function that holds a decomposition. */
  readonly functionFor: (name: string, decomposition: Graph) => string
  /** The groups of workers, by their number in the whole mesh, that exchange along an axis. */
  readonly groupsAlong: (axis: string) => readonly (readonly number[])[]
}

/** A rule writes the node, given the names of its operands, and returns the names of its results. */
export type PrintingRule<O extends OperationName> = (
  node: Node<O>,
  operands: readonly string[],
  writer: Writer,
) => readonly string[]

/** Parameters are written in the function's head. */
export type PrintedOperation = Exclude<OperationName, 'parameter'>

const inputTypes = (node: Node): TensorType[] => node.inputs.map(({ type }) => type)
const outputTypes = (node: Node): TensorType[] => node.outputs.map(({ type }) => type)
/** `(tensor<2xf32>, tensor<f32>) -> tensor<2xf32>` */
const signature = (node: Node): string => `(${printTypes(inputTypes(node))}) -> ${printTypes(outputTypes(node))}`

const changesType: ReadonlySet<OperationName> = new Set(['isFinite', 'convert', 'bitcastConvert'])

const unaryRules = Object.fromEntries(
  unaryOperations.map((operation) => [
    operation,
    (node: Node, [operand]: readonly string[], { emit }: Writer) =>
      emit(
        `stablehlo.${snakeCase(operation)} ${operand} : ${changesType.has(operation) ? signature(node) : printType(node.outputs[0].type)}`,
      ),
  ]),
) as unknown as { readonly [O in UnaryOperation]: PrintingRule<O> }

const binaryRules = Object.fromEntries(
  binaryOperations.map((operation) => [
    operation,
    (node: Node, [left, right]: readonly string[], { emit }: Writer) =>
      emit(`stablehlo.${snakeCase(operation)} ${left}, ${right} : ${printType(node.outputs[0].type)}`),
  ]),
) as unknown as { readonly [O in Exclude<BinaryOperation, 'compare'>]: PrintingRule<O> }

export const printingRules: { readonly [O in PrintedOperation]: PrintingRule<O> } = {
  ...unaryRules,
  ...binaryRules,
  compare: (node, [left, right], { emit }) => {
    const direction: ComparisonDirection = node.attributes.direction
    return emit(
      `stablehlo.compare ${direction}, ${left}, ${right}, ${comparisonType(node.inputs[0].type.dtype)} : ${signature(node)}`,
    )
  },
  select: (node, [predicate, whenTrue, whenFalse], { emit }) =>
    emit(`stablehlo.select ${predicate}, ${whenTrue}, ${whenFalse} : ${printTypes(inputTypes(node).slice(0, 2))}`),

  constant: ({ attributes }, _, { emit }) => emit(`stablehlo.constant ${printConstant(attributes.value)}`),
  iota: ({ attributes }, _, { emit }) => printIota(attributes.type, attributes.dim, emit),
  rngBitGenerator: (node, [state], writer) => printRandomBits(node, state, writer),

  broadcastInDim: (node, [operand], { emit }) =>
    emit(`stablehlo.broadcast_in_dim ${operand}, dims = ${printList(node.attributes.dims)} : ${signature(node)}`),
  reshape: (node, [operand], { emit }) => emit(`stablehlo.reshape ${operand} : ${signature(node)}`),
  transpose: (node, [operand], { emit }) =>
    emit(`stablehlo.transpose ${operand}, dims = ${printList(node.attributes.permutation)} : ${signature(node)}`),
  slice: (node, [operand], { emit }) => {
    const { starts, limits, strides } = node.attributes
    const ranges = starts.map((start, dim) => `${start}:${limits[dim]}${strides[dim] === 1 ? '' : `:${strides[dim]}`}`)
    return emit(`stablehlo.slice ${operand} [${ranges.join(', ')}] : ${signature(node)}`)
  },
  concatenate: (node, operands, { emit }) =>
    emit(`stablehlo.concatenate ${operands.join(', ')}, dim = ${node.attributes.dim} : ${signature(node)}`),
  pad: (node, [operand, padding], { emit }) => {
    const { low, high, interior } = node.attributes
    const amounts = `low = ${printList(low)}, high = ${printList(high)}, interior = ${printList(interior)}`
    return emit(`stablehlo.pad ${operand}, ${padding}, ${amounts} : ${signature(node)}`)
  },
  reverse: (node, [operand], { emit }) =>
    emit(
      `stablehlo.reverse ${operand}, dims = ${printList(node.attributes.dims)} : ${printType(node.outputs[0].type)}`,
    ),
  gather: (node, operands, { emit }) => emit(gatherText(node, operands)),
  scatter: (node, operands, { emit }) => emit(scatterText(node, operands)),

  dotGeneral: (node, [left, right], { emit }) => {
    const { leftBatch, rightBatch, leftContracting, rightContracting } = node.attributes
    const batch = leftBatch.length === 0 ? '' : `batching_dims = ${printList(leftBatch)} x ${printList(rightBatch)}, `
    const contracting = `contracting_dims = ${printList(leftContracting)} x ${printList(rightContracting)}`
    return emit(`stablehlo.dot_general ${left}, ${right}, ${batch}${contracting} : ${signature(node)}`)
  },
  convolution: (node, operands, { emit }) => printConvolution(node, operands, emit),
  reduce: (node, [operand], { emit }) => {
    const { kind, dims } = node.attributes
    const { dtype } = node.outputs[0].type
    const [initial] = emit(`stablehlo.constant ${initialValue(kind, dtype)}`)
    const types = `(${printType(node.inputs[0].type)}, ${printType(scalar(dtype))}) -> ${printType(node.outputs[0].type)}`
    return emit(
      `stablehlo.reduce(${operand} init: ${initial}) applies stablehlo.${kind} across dimensions = ${printList(dims)} : ${types}`,
    )
  },
  reduceWindow: (node, [operand], { emit }) => {
    const [initial] = emit(`stablehlo.constant ${initialValue(node.attributes.kind, node.outputs[0].type.dtype)}`)
    return emit(reduceWindowText(node, operand, initial))
  },

  optimizationBarrier: (node, operands, { emit }) => {
    const text = `stablehlo.optimization_barrier ${operands.join(', ')} : ${printTypes(outputTypes(node))}`
    return emit(text, node.outputs.length)
  },
  composite: (node, operands, writer) => {
    const { decomposition, attributes: call } = node
    invariant(decomposition !== undefined, 'a composite has a decomposition')
    const symbol = writer.functionFor(call.name, decomposition)
    const results = node.outputs.length === 1 ? printType(node.outputs[0].type) : `(${printTypes(outputTypes(node))})`
    return writer.emit(
      `${printComposite(call, symbol, operands)} : (${printTypes(inputTypes(node))}) -> ${results}`,
      node.outputs.length,
    )
  },

  allReduce: (node, operands, { emit, groupsAlong }) => {
    const { axis, kind } = node.attributes
    const groups = `replica_groups = ${printRows(groupsAlong(axis))}`
    const results =
      operands.length === 1
        ? signature(node)
        : `(${printTypes(inputTypes(node))}) -> (${printTypes(outputTypes(node))})`
    return emit(
      `"stablehlo.all_reduce"(${operands.join(', ')}) <{${groups}}> (${region(kind, node.inputs[0].type.dtype)}) : ${results}`,
      node.outputs.length,
    )
  },
  allGather: (node, [operand], { emit, groupsAlong }) => {
    const { axis, dim } = node.attributes
    const groups = `replica_groups = ${printRows(groupsAlong(axis))}`
    return emit(`"stablehlo.all_gather"(${operand}) <{all_gather_dim = ${dim} : i64, ${groups}}> : ${signature(node)}`)
  },
  reduceScatter: (node, [operand], { emit, groupsAlong }) => {
    const { axis, kind, dim } = node.attributes
    const settings = `scatter_dimension = ${dim} : i64, replica_groups = ${printRows(groupsAlong(axis))}`
    return emit(
      `"stablehlo.reduce_scatter"(${operand}) <{${settings}}> (${region(kind, node.inputs[0].type.dtype)}) : ${signature(node)}`,
    )
  },
  collectivePermute: (node, [operand], { emit, groupsAlong }) => {
    const { axis, pairs } = node.attributes
    const rows = groupsAlong(axis).flatMap((group) => pairs.map(([source, target]) => [group[source], group[target]]))
    return emit(
      `"stablehlo.collective_permute"(${operand}) <{source_target_pairs = ${printRows(rows)}}> : ${signature(node)}`,
    )
  },
}

const scalar = (dtype: DType): TensorType => tensorType(dtype, [])

function comparisonType(dtype: DType): string {
  if (isFloat(dtype)) return 'FLOAT'
  return dtypes[dtype].kind === 'signed' ? 'SIGNED' : 'UNSIGNED'
}

/** StableHLO counts in numbers only, so booleans are counted as `ui8` and converted. */
function printIota(type: TensorType, dim: number, emit: Writer['emit']): readonly string[] {
  if (type.dtype !== 'bool') return emit(`stablehlo.iota dim = ${dim} : ${printType(type)}`)
  const counted = tensorType('u8', type.shape)
  const [numbers] = emit(`stablehlo.iota dim = ${dim} : ${printType(counted)}`)
  return emit(`stablehlo.convert ${numbers} : (${printType(counted)}) -> ${printType(type)}`)
}

/** Talweg's state is four 32-bit words, StableHLO's two of 64 bits: key, then counter, each little end first. */
function printRandomBits(node: Node<'rngBitGenerator'>, state: string, { emit }: Writer): readonly string[] {
  const [pairs] = emit(`stablehlo.reshape ${state} : (tensor<4xui32>) -> tensor<2x2xui32>`)
  const [words] = emit(`stablehlo.bitcast_convert ${pairs} : (tensor<2x2xui32>) -> tensor<2xui64>`)
  const types = `(tensor<2xui64>) -> (tensor<2xui64>, ${printType(node.outputs[0].type)})`
  const [, bits] = emit(`stablehlo.rng_bit_generator ${words}, algorithm = PHILOX : ${types}`, 2)
  return [bits]
}

/** The identity of each kind of reduction. */
function initialValue(kind: ReductionKind, dtype: DType): string {
  const least: { readonly [D in DType]: number } = {
    f64: -Infinity,
    f32: -Infinity,
    bf16: 0xff80,
    i32: -0x80000000,
    u32: 0,
    u8: 0,
    bool: 0,
  }
  const greatest: { readonly [D in DType]: number } = {
    f64: Infinity,
    f32: Infinity,
    bf16: 0x7f80,
    i32: 0x7fffffff,
    u32: 0xffffffff,
    u8: 0xff,
    bool: 1,
  }
  const one = dtype === 'bf16' ? 0x3f80 : 1
  const initial = { add: 0, multiply: one, maximum: least[dtype], minimum: greatest[dtype], and: 1, or: 0 }
  return printConstant(tensorData(dtype, [], [initial[kind]]))
}

/** The function of two scalars that a reduction, a scatter or a collective applies. */
function region(kind: ReductionKind | 'replace', dtype: DType): string {
  const type = printType(scalar(dtype))
  const body =
    kind === 'replace'
      ? [`    stablehlo.return %_right : ${type}`]
      : [`    %_both = stablehlo.${kind} %_left, %_right : ${type}`, `    stablehlo.return %_both : ${type}`]
  return ['{', `  ^bb0(%_left: ${type}, %_right: ${type}):`, ...body, '}'].join('\n')
}

/** Names that `region` uses, which no value outside it may have. */
export const regionNames: readonly string[] = ['_left', '_right', '_both']

function gatherText(node: Node<'gather'>, [operand, starts]: readonly string[]): string {
  const { offsetDims, collapsedSliceDims, startIndexMap, indexVectorDim, sliceSizes } = node.attributes
  const numbers = [
    `offset_dims = ${printList(offsetDims)}`,
    `collapsed_slice_dims = ${printList(collapsedSliceDims)}`,
    `start_index_map = ${printList(startIndexMap)}`,
    `index_vector_dim = ${indexVectorDim}`,
  ]
  const settings = `dimension_numbers = #stablehlo.gather<${numbers.join(', ')}>, indices_are_sorted = false, slice_sizes = ${printArray(sliceSizes)}`
  return `"stablehlo.gather"(${operand}, ${starts}) <{${settings}}> : ${signature(node)}`
}

function scatterText(node: Node<'scatter'>, [operand, starts, updates]: readonly string[]): string {
  const { updateWindowDims, insertedWindowDims, scatterDimsToOperandDims, indexVectorDim, kind } = node.attributes
  const numbers = [
    `update_window_dims = ${printList(updateWindowDims)}`,
    `inserted_window_dims = ${printList(insertedWindowDims)}`,
    `scatter_dims_to_operand_dims = ${printList(scatterDimsToOperandDims)}`,
    `index_vector_dim = ${indexVectorDim}`,
  ]
  const settings = `indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<${numbers.join(', ')}>, unique_indices = false`
  const body = region(kind, node.inputs[0].type.dtype)
  return `"stablehlo.scatter"(${operand}, ${starts}, ${updates}) <{${settings}}> (${body}) : ${signature(node)}`
}

function reduceWindowText(node: Node<'reduceWindow'>, operand: string, initial: string): string {
  const { kind, window, strides, padding, baseDilation, windowDilation } = node.attributes
  const { dtype } = node.outputs[0].type
  const settings = [
    `base_dilations = ${printArray(baseDilation)}`,
    `padding = ${printRows(padding)}`,
    `window_dilations = ${printArray(windowDilation)}`,
    `window_dimensions = ${printArray(window)}`,
    `window_strides = ${printArray(strides)}`,
  ]
  const types = `(${printType(node.inputs[0].type)}, ${printType(scalar(dtype))}) -> ${printType(node.outputs[0].type)}`
  return `"stablehlo.reduce_window"(${operand}, ${initial}) <{${settings.join(', ')}}> (${region(kind, dtype)}) : ${types}`
}

/**
 * XLA's CPU (as of 2026) reads outside the image where padding cuts at the front and adds at the end of one dimension;
 * so such a padding is written as an operation of its own.
 */
function printConvolution(
  node: Node<'convolution'>,
  [input, kernel]: readonly string[],
  emit: Writer['emit'],
): readonly string[] {
  const { attributes } = node
  const [image, weights] = inputTypes(node)
  const convolve = (operand: string, type: TensorType, settings: ConvolutionAttributes): readonly string[] =>
    emit(
      `stablehlo.convolution(${operand}, ${kernel}) ${convolutionText(settings)} : (${printTypes([type, weights])}) -> ${printType(node.outputs[0].type)}`,
    )
  if (attributes.padding.every(([low, high]) => low >= 0 || high <= 0)) return convolve(input, image, attributes)
  const perDim = (spatial: (index: number) => number): number[] =>
    image.shape.map((_, dim) =>
      attributes.dimensions.inputSpatial.includes(dim) ? spatial(attributes.dimensions.inputSpatial.indexOf(dim)) : 0,
    )
  const low = perDim((index) => attributes.padding[index][0])
  const high = perDim((index) => attributes.padding[index][1])
  const interior = perDim((index) => attributes.inputDilation[index] - 1)
  const shape = image.shape.map((size, dim) => low[dim] + size + Math.max(size - 1, 0) * interior[dim] + high[dim])
  const padded = tensorType(image.dtype, shape)
  const [zero] = emit(`stablehlo.constant ${printConstant(tensorData(image.dtype, []))}`)
  const amounts = `low = ${printList(low)}, high = ${printList(high)}, interior = ${printList(interior)}`
  const types = `(${printTypes([image, scalar(image.dtype)])}) -> ${printType(padded)}`
  const [operand] = emit(`stablehlo.pad ${input}, ${zero}, ${amounts} : ${types}`)
  const none = attributes.padding.map(() => [0, 0] as const)
  return convolve(operand, padded, { ...attributes, padding: none, inputDilation: none.map(() => 1) })
}

function convolutionText(attributes: ConvolutionAttributes): string {
  const { strides, padding, inputDilation, kernelDilation, reversal, featureGroups, batchGroups } = attributes
  const window = [
    `stride = ${printList(strides)}`,
    `pad = [${padding.map(printList).join(', ')}]`,
    `lhs_dilate = ${printList(inputDilation)}`,
    `rhs_dilate = ${printList(kernelDilation)}`,
    `reverse = ${printList(reversal)}`,
  ]
  const groups = `{batch_group_count = ${batchGroups} : i64, feature_group_count = ${featureGroups} : i64}`
  return `dim_numbers = ${convolutionDimensions(attributes.dimensions)}, window = {${window.join(', ')}} ${groups}`
}

/** `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]` for NHWC and HWIO. */
function convolutionDimensions(d: ConvolutionDimensions): string {
  const labels = (
    first: number,
    firstLabel: string,
    second: number,
    secondLabel: string,
    spatial: readonly number[],
  ): string => {
    const list = new Array<string>(spatial.length + 2)
    list[first] = firstLabel
    list[second] = secondLabel
    spatial.forEach((dim, index) => (list[dim] = String(index)))
    return `[${list.join(', ')}]`
  }
  const input = labels(d.inputBatch, 'b', d.inputFeature, 'f', d.inputSpatial)
  const kernel = labels(d.kernelInputFeature, 'i', d.kernelOutputFeature, 'o', d.kernelSpatial)
  const output = labels(d.outputBatch, 'b', d.outputFeature, 'f', d.outputSpatial)
  return `${input}x${kernel}->${output}`
}
