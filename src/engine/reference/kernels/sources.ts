/** Operations that make numbers from nothing but their attributes or a key. */
import { philoxBits } from '../../../core/random.js'
import { contiguousStrides, numElements } from '../../../core/shape.js'
import { numbersOf } from '../tensor.js'
import type { Kernel, Kernels } from './kernel.js'

/** Each element is its own index along `dim`. */
const iota: Kernel<'iota'> = (_, { dim }, [type]) => {
  const result = numbersOf(type)
  const stride = contiguousStrides(type.shape)[dim]
  for (let i = 0; i < result.length; i++) result[i] = Math.floor(i / stride) % type.shape[dim]
  return [result]
}

const rngBitGenerator: Kernel<'rngBitGenerator'> = ([state], { shape }) => [philoxBits(state.data, numElements(shape))]

export const sourceKernels: Kernels<'iota' | 'rngBitGenerator'> = { iota, rngBitGenerator }
