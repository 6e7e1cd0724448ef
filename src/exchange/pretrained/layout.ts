/** The same numbers in another order: what others keep transposed, in Talweg's layouts and back. */
import { fromBFloat16Bits } from '../../core/dtype.js'
import { invariant } from '../../core/errors.js'
import { contiguousStrides, numElements, type Shape, type TensorData } from '../../core/shape.js'

/** How a tensor of others lies, given Talweg's: dimension i of theirs is dimension `order[i]` of ours. */
export const layouts = {
  /** As ours. */
  same: undefined,
  /** PyTorch's `Linear`: [outputs, inputs]; ours are [inputs, outputs]. */
  transposed: [1, 0],
  /** PyTorch's `Conv2d`: [outputs, inputs, height, width]; ours are [height, width, inputs, outputs]. */
  kernel: [3, 2, 0, 1],
} as const satisfies Record<string, readonly number[] | undefined>

export type Layout = keyof typeof layouts

export function theirShape(ours: Shape, layout: Layout): Shape {
  const order = layouts[layout]
  return order === undefined ? ours : order.map((dim) => ours[dim])
}

export function toTheirs(ours: TensorData, layout: Layout): TensorData {
  const order = layouts[layout]
  return order === undefined ? ours : transpose(ours, order)
}

export function toOurs(theirs: TensorData, layout: Layout): TensorData {
  const order = layouts[layout]
  if (order === undefined) return theirs
  const inverse = order.map((_, dim) => (order as readonly number[]).indexOf(dim))
  return transpose(theirs, inverse)
}

/** Side of the squares that a matrix is turned in, so that both sides' lines stay in cache. */
const tile = 32

function transpose({ dtype, shape, data }: TensorData, order: readonly number[]): TensorData {
  invariant(dtype === 'f32', 'weights are f32 when they are laid out anew')
  const result = new Float32Array(data.length)
  const newShape = order.map((dim) => shape[dim])
  const strides = contiguousStrides(shape)
  const steps = order.map((dim) => strides[dim])
  const [rows, columns] = newShape.slice(-2)
  const [rowStep, columnStep] = steps.slice(-2)
  const outer = newShape.slice(0, -2)
  const outerSteps = steps.slice(0, -2)
  for (let block = 0; block < numElements(outer); block++) {
    const from = offsetOf(block, outer, outerSteps)
    const to = block * rows * columns
    for (let row0 = 0; row0 < rows; row0 += tile) {
      for (let column0 = 0; column0 < columns; column0 += tile) {
        const [rowEnd, columnEnd] = [Math.min(rows, row0 + tile), Math.min(columns, column0 + tile)]
        for (let row = row0; row < rowEnd; row++) {
          for (let column = column0; column < columnEnd; column++)
            result[to + row * columns + column] = data[from + row * rowStep + column * columnStep]
        }
      }
    }
  }
  return { dtype, shape: newShape, data: result }
}

/** Of the element that has number `index` in row-major order of `shape`. */
function offsetOf(index: number, shape: Shape, steps: readonly number[]): number {
  let offset = 0
  let left = index
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    offset += (left % shape[dim]) * steps[dim]
    left = Math.floor(left / shape[dim])
  }
  return offset
}

/** Tensors side by side along the last dimension. */
export function joinColumns(parts: readonly TensorData[]): TensorData {
  if (parts.length === 1) return parts[0]
  const widths = parts.map(({ shape }) => shape[shape.length - 1])
  const width = widths.reduce((sum, each) => sum + each, 0)
  const rows = parts[0].data.length / widths[0]
  const data = new Float32Array(rows * width)
  let start = 0
  for (const [index, part] of parts.entries()) {
    for (let row = 0; row < rows; row++)
      data.set(part.data.subarray(row * widths[index], (row + 1) * widths[index]), row * width + start)
    start += widths[index]
  }
  return { dtype: 'f32', shape: [...parts[0].shape.slice(0, -1), width], data }
}

/** The reverse: parts of the given shapes. */
export function splitColumns(joined: TensorData, shapes: readonly Shape[]): TensorData[] {
  if (shapes.length === 1) return [joined]
  const width = joined.shape[joined.shape.length - 1]
  let start = 0
  return shapes.map((shape) => {
    const size = shape[shape.length - 1]
    const data = new Float32Array(numElements(shape))
    for (let row = 0; row * size < data.length; row++)
      data.set(joined.data.subarray(row * width + start, row * width + start + size), row * size)
    start += size
    return { dtype: 'f32', shape, data }
  })
}

/** The numbers of any float type as f32. */
export function asFloat32({ dtype, shape, data }: TensorData): TensorData {
  if (dtype === 'f32') return { dtype, shape, data }
  const numbers = dtype === 'bf16' ? Float32Array.from(data, fromBFloat16Bits) : Float32Array.from(data)
  return { dtype: 'f32', shape, data: numbers }
}
