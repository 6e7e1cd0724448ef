/**
 * A loaded program's memory. Each buffer has arrays of its own: the planned places in the arena are ignored, views are
 * not. A buffer that the planner gives to values of several element types, one after the other, has an array for each.
 */
import { dtypes, type DType } from '../../core/dtype.js'
import { contiguousStrides, numElements } from '../../core/shape.js'
import type { Program, ProgramBuffer, ProgramValue } from '../program.js'
import { allocateNumbers, fromHost, pick, stridedPlaces, type Numbers, type ReferenceTensor } from './tensor.js'

type BufferArrays = Map<DType, Numbers>

export class Memory {
  private readonly buffers: readonly BufferArrays[]

  constructor(private readonly program: Program) {
    this.buffers = program.buffers.map(initialArrays)
  }

  /** Makes a buffer be `numbers`, which belong to someone else: state. */
  bind(buffer: number, dtype: DType, numbers: Numbers): void {
    this.buffers[buffer].set(dtype, numbers)
  }

  /** A value's numbers, row-major. */
  read(index: number): ReferenceTensor {
    const value = this.program.values[index]
    const { dtype, shape, offsetElements } = value
    const numbers = this.arrayOf(value)
    const data = isRowMajor(value)
      ? numbers.slice(offsetElements, offsetElements + numElements(shape))
      : pick(dtype, numbers, placesOf(value))
    return { dtype, shape, data }
  }

  write(index: number, data: Numbers): void {
    const value = this.program.values[index]
    const numbers = this.arrayOf(value)
    if (isRowMajor(value)) numbers.set(data, value.offsetElements)
    else placesOf(value).forEach((place, i) => void (numbers[place] = data[i]))
  }

  private arrayOf({ buffer, dtype }: ProgramValue): Numbers {
    const arrays = this.buffers[buffer]
    let numbers = arrays.get(dtype)
    if (numbers === undefined) {
      numbers = allocateNumbers(dtype, Math.floor(this.program.buffers[buffer].sizeBytes / dtypes[dtype].sizeBytes))
      arrays.set(dtype, numbers)
    }
    return numbers
  }
}

function initialArrays({ data }: ProgramBuffer): BufferArrays {
  return new Map(data === undefined ? [] : [[data.dtype, fromHost(data, 0, data.data.length)]])
}

function placesOf({ shape, strides, offsetElements }: ProgramValue): Int32Array {
  return stridedPlaces(shape, strides ?? contiguousStrides(shape), offsetElements)
}

function isRowMajor({ shape, strides }: ProgramValue): boolean {
  return strides === undefined || contiguousStrides(shape).every((stride, dim) => stride === strides[dim])
}
