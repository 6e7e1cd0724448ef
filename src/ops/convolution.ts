/** Convolution and pooling of images: NHWC images, HWIO kernels. */
import type { ConvolutionAttributes, Padding, ReduceWindowAttributes } from '../core/operations.js'
import { TalwegError } from '../core/errors.js'
import { formatType, numElements, type Shape } from '../core/shape.js'
import { checkOptions, ranges } from '../graph/checkOptions.js'
import { currentPlace } from '../graph/location.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { zeros, zerosLike } from './creation.js'
import { add, divide, equal, greater, where } from './elementwise.js'
import { apply, full } from './lift.js'
import { pad, slice } from './movement.js'
import { composite } from './structure.js'

/** `'same'`: the result has ceil(size / stride) places; `'valid'`: no padding; a number: on every side. */
export type PaddingOption = 'same' | 'valid' | number | Padding

export interface WindowOptions {
  readonly stride?: number | readonly [number, number]
  readonly padding?: PaddingOption
}

export interface ConvolutionOptions extends WindowOptions {
  readonly dilation?: number | readonly [number, number]
  readonly groups?: number
}

function pair(value: number | readonly [number, number]): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value
}

function resolvePadding(
  operation: string,
  option: PaddingOption,
  sizes: readonly number[],
  window: readonly number[],
  strides: readonly number[],
): Padding {
  if (option === 'valid') return sizes.map(() => [0, 0] as const)
  if (option !== 'same') return givenPadding(operation, option, sizes.length)
  return sizes.map((size, dim) => {
    const total = Math.max((Math.ceil(size / strides[dim]) - 1) * strides[dim] + window[dim] - size, 0)
    return [Math.floor(total / 2), total - Math.floor(total / 2)] as const
  })
}

/** Padding given in numbers: one for every side, or [before, after] of each dimension. */
function givenPadding(operation: string, option: number | Padding, rank: number): Padding {
  const padding = Array.isArray(option) ? (option as Padding) : Array.from({ length: rank }, () => [option, option])
  const isWhole = padding.length === rank && padding.every((sides) => sides.length === 2 && sides.every(isCountOrNone))
  if (isWhole) return padding as Padding
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation,
    problem: `padding is ${JSON.stringify(option)}; it takes 'same', 'valid', ${ranges.countOrNone.words}, or [before, after] for each of ${rank} dimensions`,
    place: currentPlace(),
  })
}

function isCountOrNone(value: unknown): boolean {
  return typeof value === 'number' && ranges.countOrNone.holds(value)
}

/** Checks a number for each of the two dimensions of an image. */
function checkPair(operation: string, name: string, [height, width]: readonly number[]): void {
  checkOptions(operation, { [`${name}[0]`]: [height, ranges.count], [`${name}[1]`]: [width, ranges.count] })
}

/** @throws SHAPE_MISMATCH where the window is larger than the padded image, so that there would be no result */
function checkFits(operation: string, x: AnyTensor, span: readonly number[], padding: Padding): void {
  const padded = padding.map(([before, after], dim) => before + x.shape[dim + 1] + after)
  if (span.every((size, dim) => size <= padded[dim])) return
  throw new TalwegError({
    code: 'SHAPE_MISMATCH',
    operation,
    problem: `the window spans ${span.join(' x ')}, and the image with its padding ${padded.join(' x ')} (${formatType(x.type)})`,
    hint: 'take a smaller window, or add padding',
    place: currentPlace(),
  })
}

/**
 * @param x images [N, H, W, C]
 * @param kernel [KH, KW, C / groups, O]
 * @returns [N, H', W', O]
 */
export function convolution2d(x: AnyTensor, kernel: AnyTensor, options: ConvolutionOptions = {}): AnyTensor {
  requireImages('convolution2d', x)
  const strides = pair(options.stride ?? 1)
  const kernelDilation = pair(options.dilation ?? 1)
  checkPair('convolution2d', 'stride', strides)
  checkPair('convolution2d', 'dilation', kernelDilation)
  checkOptions('convolution2d', { groups: [options.groups, ranges.count] })
  const span = kernel.shape.slice(0, 2).map((size, dim) => (size - 1) * kernelDilation[dim] + 1)
  const padding = resolvePadding('convolution2d', options.padding ?? 'valid', x.shape.slice(1, 3), span, strides)
  checkFits('convolution2d', x, span, padding)
  return convolutionGeneral(x, kernel, {
    strides,
    padding,
    inputDilation: [1, 1],
    kernelDilation,
    featureGroups: options.groups ?? 1,
    batchGroups: 1,
    reversal: [false, false],
    dimensions: imageDimensions,
    dtype: x.dtype,
  })
}

export function convolutionGeneral(x: AnyTensor, kernel: AnyTensor, attributes: ConvolutionAttributes): AnyTensor {
  return apply('convolution', [x, kernel], attributes)
}

/** NHWC x HWIO -> NHWC */
export const imageDimensions: ConvolutionAttributes['dimensions'] = {
  inputBatch: 0,
  inputFeature: 3,
  inputSpatial: [1, 2],
  kernelInputFeature: 2,
  kernelOutputFeature: 3,
  kernelSpatial: [0, 1],
  outputBatch: 0,
  outputFeature: 3,
  outputSpatial: [1, 2],
}

function requireImages(operation: string, x: AnyTensor): void {
  if (x.rank === 4) return
  throw new TalwegError({
    code: 'SHAPE_MISMATCH',
    operation,
    problem: `takes images [N, H, W, C], not ${formatType(x.type)}`,
    hint: x.rank === 3 ? 'add a dimension for the channels with expandDim(x, -1)' : undefined,
    place: currentPlace(),
  })
}

function poolWindow(
  operation: string,
  x: AnyTensor,
  size: number | readonly [number, number],
  options: WindowOptions,
): Omit<ReduceWindowAttributes, 'kind'> {
  const window = pair(size)
  const strides = pair(options.stride ?? size)
  checkPair(operation, 'size', window)
  checkPair(operation, 'stride', strides)
  const padding = resolvePadding(operation, options.padding ?? 'valid', x.shape.slice(1, 3), window, strides)
  checkFits(operation, x, window, padding)
  const whole = [0, 0] as const
  return {
    window: [1, ...window, 1],
    strides: [1, ...strides, 1],
    padding: [whole, ...padding, whole],
    baseDilation: [1, 1, 1, 1],
    windowDilation: [1, 1, 1, 1],
  }
}

/** The largest of each window of [N, H, W, C]; windows don't overlap unless `stride` says so. */
export function maxPool2d(
  x: AnyTensor,
  size: number | readonly [number, number],
  options: WindowOptions = {},
): AnyTensor {
  requireImages('maxPool2d', x)
  return reduceWindow(x, { kind: 'maximum', ...poolWindow('maxPool2d', x, size, options) })
}

/** The mean of each window; padding counts as zeros that are not counted. */
export function averagePool2d(
  x: AnyTensor,
  size: number | readonly [number, number],
  options: WindowOptions = {},
): AnyTensor {
  requireImages('averagePool2d', x)
  const window = poolWindow('averagePool2d', x, size, options)
  const sums = reduceWindow(x, { kind: 'add', ...window })
  const isPadded = window.padding.some(([low, high]) => low !== 0 || high !== 0)
  if (!isPadded) return divide(sums, numElements(window.window))
  return divide(sums, reduceWindow(full(x.shape, 1, x.dtype), { kind: 'add', ...window }))
}

export function reduceWindow(x: AnyTensor, attributes: ReduceWindowAttributes): AnyTensor {
  return apply('reduceWindow', [x], attributes)
}

type PoolWindow = Omit<ReduceWindowAttributes, 'kind'>

/** Every place of the window in turn: where it starts in the padded operand, and the operand's elements it meets. */
function* windowPlaces({ window, windowDilation }: PoolWindow): Generator<number[]> {
  for (let flat = 0; flat < numElements(window); flat++) {
    let rest = flat
    const place = new Array<number>(window.length)
    for (let dim = window.length - 1; dim >= 0; dim--) {
      place[dim] = (rest % window[dim]) * windowDilation[dim]
      rest = Math.floor(rest / window[dim])
    }
    yield place
  }
}

/** The elements that one place of the window meets as it moves over the padded operand. */
function elementsAt(padded: AnyTensor, place: readonly number[], strides: readonly number[], result: Shape): AnyTensor {
  const limits = place.map((start, dim) => (result[dim] === 0 ? start : start + (result[dim] - 1) * strides[dim] + 1))
  return slice(padded, place, limits, strides)
}

/** The reverse of `elementsAt` and of the padding before it, for gradients: puts each element back, zeros elsewhere. */
function putBack(elements: AnyTensor, place: readonly number[], operand: Shape, attributes: PoolWindow): AnyTensor {
  const { strides, padding } = attributes
  const spread = elements.shape.map((size, dim) => (size === 0 ? 0 : (size - 1) * strides[dim] + 1))
  const low = place.map((start, dim) => start - padding[dim][0])
  const high = operand.map((size, dim) => size - low[dim] - spread[dim])
  return pad(
    elements,
    low,
    high,
    0,
    strides.map((stride) => stride - 1),
  )
}

/**
 * The gradient of max pooling: of the places of a window that hold its largest element, the first gets all of dy.
 *
 * @param dy like y
 * @param x the pooled operand
 * @param y its max pool by `attributes`, whose base dilation must be 1
 */
export function maxPoolGradient(dy: AnyTensor, x: AnyTensor, y: AnyTensor, attributes: PoolWindow): AnyTensor {
  const [result] = composite('maxPoolGradient', attributes, [dy, x, y], (outer, operand, largest) => {
    const { padding, strides } = attributes
    const padded = pad(
      operand,
      padding.map(([low]) => low),
      padding.map(([, high]) => high),
      -Infinity,
    )
    const places = [...windowPlaces(attributes)]
    const elements = places.map((place) => elementsAt(padded, place, strides, largest.shape))
    // Which place is largest is found from x alone: where x is the result of elementwise operations, a compiler may compute
    // it once for the pool and once more here, rounded otherwise, and then no place would be equal to y.
    let found = elements[0]
    let chosen: AnyTensor = full(largest.shape, 0, 'i32')
    for (const [index, element] of elements.entries()) {
      const isLarger = greater(element, found) as Tensor<Shape, 'bool'>
      found = where(isLarger, element, found)
      chosen = where(isLarger, full(largest.shape, index, 'i32'), chosen)
    }
    const shares = places.map((place, index) => {
      const isChosen = equal(chosen, index) as Tensor<Shape, 'bool'>
      return putBack(where(isChosen, outer, 0), place, operand.shape, attributes)
    })
    const sum = shares.reduce((total, share) => add(total, share) as AnyTensor, zerosLike(operand) as AnyTensor)
    return [sum]
  })
  return result
}

/** The gradient of a window's sum: every element that a window met gets that window's dy. */
export function sumPoolGradient(dy: AnyTensor, operand: Shape, attributes: PoolWindow): AnyTensor {
  let sum: AnyTensor = zeros(operand, dy.dtype)
  for (const place of windowPlaces(attributes)) sum = add(sum, putBack(dy, place, operand, attributes))
  return sum
}
