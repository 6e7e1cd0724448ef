/** Convolutions and windows: ONNX has channels before the image's sides, the graph usually after. */
import type { Padding } from '../../../core/operations.js'
import type { Node } from '../../../graph/index.js'
import { unsupported, type OnnxWriter } from '../writer.js'

/** Padding as ONNX has it: all before, then all after. */
function padsOf(node: Node, padding: Padding): number[] {
  const pads = [...padding.map(([low]) => low), ...padding.map(([, high]) => high)]
  if (pads.some((size) => size < 0)) throw unsupported(node, 'its padding is negative')
  return pads
}

export function convolution(node: Node<'convolution'>, writer: OnnxWriter): void {
  const [input, kernel] = node.inputs
  const { strides, padding, inputDilation, kernelDilation, featureGroups, batchGroups, reversal, dimensions } =
    node.attributes
  if (batchGroups !== 1 || inputDilation.some((step) => step !== 1) || reversal.includes(true))
    throw unsupported(node, 'it is a transposed convolution')
  const { inputBatch, inputFeature, inputSpatial, kernelOutputFeature, kernelInputFeature, kernelSpatial } = dimensions
  const images = transposed(writer, writer.full(input), [inputBatch, inputFeature, ...inputSpatial])
  const weights = transposed(writer, writer.full(kernel), [kernelOutputFeature, kernelInputFeature, ...kernelSpatial])
  const convolved = writer.add('Conv', [images, weights], {
    strides,
    pads: padsOf(node, padding),
    dilations: kernelDilation,
    group: featureGroups,
  })
  const theirs = [dimensions.outputBatch, dimensions.outputFeature, ...dimensions.outputSpatial]
  writer.name(node.outputs[0], transposed(writer, convolved, inverse(theirs)))
}

/** Largest or sum over windows of two sides of an image. */
export function reduceWindow(node: Node<'reduceWindow'>, writer: OnnxWriter): void {
  const { kind, window, strides, padding, baseDilation, windowDilation } = node.attributes
  const sides = window.map((_, dim) => dim).filter((dim) => dim > 0 && dim < window.length - 1)
  const isPlain = (dim: number): boolean =>
    window[dim] === 1 && strides[dim] === 1 && padding[dim][0] === 0 && padding[dim][1] === 0
  const isOfImages = window.every((_, dim) => sides.includes(dim) || isPlain(dim))
  if (sides.length === 0 || !isOfImages || baseDilation.some((step) => step !== 1))
    throw unsupported(node, 'its windows are not of images [N, H, W, C]')
  if (kind !== 'maximum' && kind !== 'add') throw unsupported(node, `ONNX has no ${kind} of windows`)
  const of = (numbers: readonly number[]): number[] => sides.map((dim) => numbers[dim])
  const order = [0, window.length - 1, ...sides]
  const images = transposed(writer, writer.full(node.inputs[0]), order)
  const attributes = {
    kernel_shape: of(window),
    strides: of(strides),
    pads: padsOf(node, sides.map((dim) => padding[dim])), // prettier-ignore
    dilations: of(windowDilation),
  }
  const pooled = kind === 'maximum' ? writer.add('MaxPool', [images], attributes) : sumPool(writer, images, attributes)
  writer.name(node.outputs[0], transposed(writer, pooled, inverse(order)))
}

/** ONNX has means of windows; padding counts as zeros. */
function sumPool(writer: OnnxWriter, images: string, attributes: { readonly kernel_shape: readonly number[] }): string {
  const area = attributes.kernel_shape.reduce((product, size) => product * size, 1)
  const means = writer.add('AveragePool', [images], { ...attributes, count_include_pad: 1 })
  return writer.add('Mul', [means, writer.tensor('number', { dtype: 'f32', shape: [], data: Float32Array.of(area) })])
}

function transposed(writer: OnnxWriter, name: string, order: readonly number[]): string {
  return order.every((dim, index) => dim === index) ? name : writer.add('Transpose', [name], { perm: order })
}

function inverse(order: readonly number[]): number[] {
  return order.map((_, dim) => order.indexOf(dim))
}
