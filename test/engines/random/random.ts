/** Cases with random numbers, whose results the reference engine gives. */
import type { DType } from '../../../src/core/dtype.js'
import type { OperationAttributes } from '../../../src/core/operations.js'
import type { Shape, TensorData } from '../../../src/core/shape.js'
import type { KnownOperation } from '../known/known.js'
import { randomTensor, type Range } from '../support/data.js'

export interface RandomCase<A = OperationAttributes[KnownOperation]> {
  readonly what: string
  readonly operands: readonly TensorData[]
  readonly attributes: A
}

/** The cases of each operation for an element type: none where the operation doesn't take it. */
export type RandomCases<O extends KnownOperation> = {
  readonly [K in O]: (dtype: DType) => readonly RandomCase<OperationAttributes[K]>[]
}

export const floats: readonly DType[] = ['f32', 'bf16', 'f64']
export const integers: readonly DType[] = ['i32', 'u32', 'u8']
export const numbers: readonly DType[] = [...floats, ...integers]
export const all: readonly DType[] = [...numbers, 'bool']

/** All numbers of a kind: for integers every bit, for floats what `range` says. */
export const everyBit: Readonly<Partial<Record<DType, Range>>> = {
  i32: { least: -(2 ** 31), most: 2 ** 31 },
  u32: { least: 0, most: 2 ** 32 },
  u8: { least: 0, most: 256 },
}

/** A random tensor; the same name, type and place give the same numbers. */
export function draw(name: string, dtype: DType, shape: Shape, range?: Range): TensorData {
  return randomTensor(`${name} ${dtype} ${shape}`, { dtype, shape }, range ?? everyBit[dtype])
}
