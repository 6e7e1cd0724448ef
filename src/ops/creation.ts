/** Tensors from nothing: constants and counting. */
import type { DType } from '../core/dtype.js'
import { tensorData, tensorType, type Shape, type TensorData } from '../core/shape.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { apply, full as fullOf } from './lift.js'

export function full<const S extends Shape, D extends DType = 'f32'>(
  shape: S,
  value: number,
  dtype: D = 'f32' as D,
): Tensor<S, D> {
  return fullOf(shape, value, dtype) as AnyTensor as Tensor<S, D>
}

export function zeros<const S extends Shape, D extends DType = 'f32'>(shape: S, dtype: D = 'f32' as D): Tensor<S, D> {
  return full(shape, 0, dtype)
}

export function ones<const S extends Shape, D extends DType = 'f32'>(shape: S, dtype: D = 'f32' as D): Tensor<S, D> {
  return full(shape, 1, dtype)
}

export function zerosLike<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return fullOf(x.shape, 0, x.dtype) as Tensor<S, D>
}

/** Numbers known while tracing. Large ones belong in the data, not here: they become part of the program. */
export function constant<const S extends Shape, D extends DType = 'f32'>(
  values: ArrayLike<number>,
  shape: S,
  dtype: D = 'f32' as D,
): Tensor<S, D> {
  return constantOf(tensorData(dtype, shape, values)) as AnyTensor as Tensor<S, D>
}

export function constantOf(value: TensorData): AnyTensor {
  return apply('constant', [], { value })
}

/** 0, 1, 2, … along dimension `dim`, the same along all others. */
export function iota<const S extends Shape, D extends DType = 'i32'>(
  shape: S,
  dim = 0,
  dtype: D = 'i32' as D,
): Tensor<S, D> {
  return apply('iota', [], { type: tensorType(dtype, shape), dim })
}
