/**
 * `dotGeneral` and `convolution`.
 *
 * jax-js has one fast kernel, a product with one summed dimension; it runs at 25 GFLOP/s on a core where its result's rows
 * are a multiple of 4 long, 20 times slower where they aren't. Its own convolution is 40 times slower than the same as a
 * sum of such products, one for each element of the kernel, so that is what convolution is here.
 */
import { lax } from '@jax-js/jax'
import type { ConvolutionAttributes, DotGeneralAttributes } from '../../../core/operations.js'
import { numElements, type Shape } from '../../../core/shape.js'
import { portableDType } from '../dtypes.js'
import { isEmpty, type Term } from '../term.js'
import { lowBits } from './integers.js'
import { padWithZeros, stridedSlice } from './movement.js'
import { reduceDim, reduceDims } from './reductions.js'
import type { Rule, Rules } from './rule.js'

type DotDims = Omit<DotGeneralAttributes, 'dtype'>

const dotGeneral: Rule<'dotGeneral'> = ([left, right], attributes, { scope, results: [type] }) => {
  const dtype = portableDType(type, 'dotGeneral')
  if (isEmpty(left) || isEmpty(right)) return scope.full(type.shape, 0, dtype)
  return lowBits(product(left.as(dtype), right.as(dtype), attributes))
}

/** The longest contraction in f32 that is summed in one go; see `reduceDim`. */
const longestContraction = 4096

function product(left: Term, right: Term, dims: DotDims): Term {
  const length = dims.leftContracting.reduce((size, dim) => size * left.shape[dim], 1)
  if (length === 1) return outerProduct(left, right, dims)
  if (left.dtype === 'f32' && length > longestContraction) return productInBlocks(left, right, dims, length)
  return alignedProduct(left, right, dims, length)
}

/** With nothing to sum up it is a multiplication, which `jit` fuses with what reads it. */
function outerProduct(left: Term, right: Term, dims: DotDims): Term {
  const without = (x: Term, contracting: readonly number[]): Term =>
    x.reshape(x.shape.filter((_, dim) => !contracting.includes(dim)))
  const shifted = (batch: readonly number[], contracting: readonly number[]): number[] =>
    batch.map((dim) => dim - contracting.filter((contracted) => contracted < dim).length)
  return plainProduct(without(left, dims.leftContracting), without(right, dims.rightContracting), {
    leftBatch: shifted(dims.leftBatch, dims.leftContracting),
    rightBatch: shifted(dims.rightBatch, dims.rightContracting),
    leftContracting: [],
    rightContracting: [],
  })
}

/** Cuts the longest contracted dimension into blocks, which become a batch dimension in front, and adds up their products. */
function productInBlocks(left: Term, right: Term, dims: DotDims, length: number): Term {
  const sizes = dims.leftContracting.map((dim) => left.shape[dim])
  const which = sizes.indexOf(Math.max(...sizes))
  const size = sizes[which]
  const block = largestDivisor(size, Math.max(1, Math.floor(longestContraction / (length / size))))
  const numBlocks = Math.max(1, Math.floor(size / block))
  const used = numBlocks * Math.min(block, size)
  const [leftDim, rightDim] = [dims.leftContracting[which], dims.rightContracting[which]]
  if (numBlocks === 1) return alignedProduct(left, right, dims, length)
  const behind = (list: readonly number[], dim: number): number[] => list.map((d) => (d >= dim ? d + 1 : d))
  const blocked = alignedProduct(
    splitDim(sliceDim(left, leftDim, 0, used), leftDim, numBlocks),
    splitDim(sliceDim(right, rightDim, 0, used), rightDim, numBlocks),
    {
      leftBatch: [leftDim, ...behind(dims.leftBatch, leftDim)],
      rightBatch: [rightDim, ...behind(dims.rightBatch, rightDim)],
      leftContracting: behind(dims.leftContracting, leftDim),
      rightContracting: behind(dims.rightContracting, rightDim),
    },
    length / numBlocks,
  )
  const sum = reduceDim(blocked, 'add', 0)
  if (used === size) return sum
  return sum.add(product(sliceDim(left, leftDim, used, size), sliceDim(right, rightDim, used, size), dims))
}

/** The largest divisor of `size` that is at most `most`; `most` itself where that would be less than a quarter of it. */
function largestDivisor(size: number, most: number): number {
  for (let divisor = most; divisor > most / 4; divisor--) if (size % divisor === 0) return divisor
  return most
}

function sliceDim(x: Term, dim: number, start: number, end: number): Term {
  return x.slice(x.shape.map((_, d) => (d === dim ? start : 0)), x.shape.map((size, d) => (d === dim ? end : size))) // prettier-ignore
}

/** Dimension `dim` becomes two, the first of `count`. */
function splitDim(x: Term, dim: number, count: number): Term {
  return x.reshape([...x.shape.slice(0, dim), count, x.shape[dim] / count, ...x.shape.slice(dim + 1)])
}

/** Makes the result's rows a multiple of 4 long, by columns of zeros, where that is what the fast kernel needs. */
function alignedProduct(left: Term, right: Term, dims: DotDims, length: number): Term {
  const free = [...right.shape.keys()].filter(
    (dim) => !dims.rightBatch.includes(dim) && !dims.rightContracting.includes(dim),
  )
  const last = free.at(-1)
  const isAlong = (x: Term, contracting: readonly number[]): boolean => contracting.at(-1) === x.shape.length - 1
  // With both summed along their rows the kernel takes 4 of the summed elements at once instead.
  const goesAlong = length % 4 === 0 && isAlong(left, dims.leftContracting) && isAlong(right, dims.rightContracting)
  const size = last === undefined ? 4 : right.shape[last]
  const isWide = last !== undefined && size > 4 && size % 4 !== 0
  if (left.dtype === 'f64' || goesAlong || !isWide) return plainProduct(left, right, dims)
  const extra = 4 - (size % 4)
  const zeros = right.scope.full(right.shape.with(last, extra), 0, right.dtype)
  const wide = plainProduct(left, right.scope.concatenate([right, zeros], last), dims)
  const lastOf = wide.shape.length - 1
  return sliceDim(wide, lastOf, 0, wide.shape[lastOf] - extra)
}

function plainProduct(left: Term, right: Term, dims: DotDims): Term {
  const array = lax.dot(left.array.ref, right.array.ref, {
    lhsContractingDims: [...dims.leftContracting],
    rhsContractingDims: [...dims.rightContracting],
    lhsBatchDims: [...dims.leftBatch],
    rhsBatchDims: [...dims.rightBatch],
  })
  return left.scope.own(array, left.dtype)
}

/** A convolution in one layout: input [G, N, ...spatial, C], kernel [G, ...spatial, C, O], G groups side by side. */
interface Grouped {
  readonly input: Term
  readonly kernel: Term
  readonly kernelShape: Shape
  readonly outputShape: Shape
  readonly strides: readonly number[]
  readonly kernelDilation: readonly number[]
}

const convolution: Rule<'convolution'> = ([input, kernel], attributes, { scope, results: [type] }) => {
  const dtype = portableDType(type, 'convolution')
  const { dimensions: d, strides, kernelDilation } = attributes
  if (isEmpty(input) || isEmpty(kernel)) return scope.full(type.shape, 0, dtype)
  const grouped: Grouped = {
    input: groupedInput(input.as(dtype), attributes),
    kernel: groupedKernel(kernel.as(dtype), attributes),
    kernelShape: d.kernelSpatial.map((dim) => kernel.shape[dim]),
    outputShape: d.outputSpatial.map((dim) => type.shape[dim]),
    strides,
    kernelDilation,
  }
  const isWide = numElements(grouped.outputShape) >= numElements(grouped.kernelShape)
  const output = isWide ? sumOverKernel(grouped) : placeByPlace(grouped)
  return lowBits(ungroup(output, attributes))
}

/** Padded and dilated; its features or its batch split into groups. */
function groupedInput(
  input: Term,
  { dimensions: d, padding, inputDilation, featureGroups, batchGroups }: ConvolutionAttributes,
): Term {
  const x = input.transpose([d.inputBatch, ...d.inputSpatial, d.inputFeature])
  // Stored, since a kernel that pads as it reads is not vectorised.
  const padded = padWithZeros(x, {
    low: [0, ...padding.map(([low]) => low), 0],
    high: [0, ...padding.map(([, high]) => high), 0],
    interior: [0, ...inputDilation.map((dilation) => dilation - 1), 0],
  }).stored()
  const [batch, ...others] = padded.shape
  if (batchGroups > 1) return padded.reshape([batchGroups, batch / batchGroups, ...others])
  const features = others.at(-1)! // there is always a feature dimension
  const split = padded.reshape([batch, ...others.slice(0, -1), featureGroups, features / featureGroups])
  const rank = split.shape.length
  return split.transpose([rank - 2, ...Array.from({ length: rank - 2 }, (_, dim) => dim), rank - 1])
}

function groupedKernel(
  kernel: Term,
  { dimensions: d, reversal, featureGroups, batchGroups }: ConvolutionAttributes,
): Term {
  const numGroups = Math.max(featureGroups, batchGroups)
  const k = kernel.transpose([...d.kernelSpatial, d.kernelInputFeature, d.kernelOutputFeature])
  const forward = k.reverse([...reversal.keys()].filter((dim) => reversal[dim]))
  const rank = k.shape.length
  const split = forward.reshape([...k.shape.slice(0, -1), numGroups, k.shape[rank - 1] / numGroups])
  return split.transpose([rank - 1, ...Array.from({ length: rank - 1 }, (_, dim) => dim), rank])
}

/** For each element of the kernel, the input that it meets times its matrix [C, O]; all added up. */
function sumOverKernel({ input, kernel, kernelShape, outputShape, strides, kernelDilation }: Grouped): Term {
  const [groups, batch, features] = [input.shape[0], input.shape[1], input.shape.at(-1)!]
  const last = input.shape.length - 1
  const terms = indices(kernelShape).map((index) => {
    const starts = [0, 0, ...index.map((k, dim) => k * kernelDilation[dim]), 0]
    const met = stridedSlice(input, starts, [groups, batch, ...outputShape, features], [1, 1, ...strides, 1])
    const element = kernel.slice([0, ...index, 0, 0], [groups, ...index.map((k) => k + 1), ...kernel.shape.slice(-2)])
    const matrix = element.reshape([groups, ...kernel.shape.slice(-2)])
    return product(met, matrix, { leftBatch: [0], rightBatch: [0], leftContracting: [last], rightContracting: [1] })
  })
  return terms.reduce((sum, term) => sum.add(term))
}

/**
 * For each place of the result, the window that it sees times the whole kernel: for kernels as large as images (gradients).
 * The fast kernel wants what it sums to lie side by side, so only the features and the last spatial dimension are summed by
 * it; the other spatial dimensions are a batch, added up afterwards.
 */
function placeByPlace({ input, kernel, kernelShape, outputShape, strides, kernelDilation }: Grouped): Term {
  const [groups, batch, features] = [input.shape[0], input.shape[1], input.shape.at(-1)!]
  const rank = kernelShape.length
  const numOuter = kernelDilation.at(-1) === 1 ? rank - 1 : rank
  const outer = Array.from({ length: numOuter }, (_, dim) => dim)
  const inner = Array.from({ length: rank + 1 - numOuter }, (_, dim) => dim + numOuter)
  const dims: DotDims = {
    leftBatch: [0, ...outer.map((dim) => dim + 2)],
    rightBatch: [0, ...outer.map((dim) => dim + 1)],
    leftContracting: inner.map((dim) => dim + 2),
    rightContracting: inner.map((dim) => dim + 1),
  }
  const columns = indices(outputShape).map((index) => {
    const starts = [0, 0, ...index.map((place, dim) => place * strides[dim]), 0]
    const seen = stridedSlice(input, starts, [groups, batch, ...kernelShape, features], [1, 1, ...kernelDilation, 1])
    const rows = product(seen, kernel, dims)
    return reduceDims(rows, 'add', outer.map((dim) => dim + 1)).reshape([groups, batch, 1, kernel.shape.at(-1)!]) // prettier-ignore
  })
  return input.scope.concatenate(columns, 2).reshape([groups, batch, ...outputShape, kernel.shape.at(-1)!])
}

/** From [G, N, ...spatial, O] to the layout that was asked for: batch, spatial, G · O features. */
function ungroup(output: Term, { dimensions: d }: ConvolutionAttributes): Term {
  const [groups, batch, ...others] = output.shape
  const spatial = others.slice(0, -1)
  const rank = output.shape.length
  const together = output
    .transpose([...Array.from({ length: rank - 2 }, (_, dim) => dim + 1), 0, rank - 1])
    .reshape([batch, ...spatial, groups * others.at(-1)!])
  const order = new Array<number>(rank - 1)
  order[d.outputBatch] = 0
  order[d.outputFeature] = rank - 2
  d.outputSpatial.forEach((dim, i) => (order[dim] = i + 1))
  return together.transpose(order)
}

/** Every index into `shape`, in row-major order. */
function indices(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (found, size) => found.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  )
}

export const productRules: Rules<'dotGeneral' | 'convolution'> = { dotGeneral, convolution }
