/** Cases of what has no operands but constants: constants themselves and random bits. */
import { toBFloat16Bits } from '../../../src/core/dtype.js'
import { tensorData, type TensorData } from '../../../src/core/shape.js'
import { allDtypes, input, randomData, single, special, type Case } from './case.js'

export function constantCases(): Case[] {
  const of = (note: string, value: TensorData): Case => single('constant', note, { value }, [])
  const words = allDtypes.map((dtype) => of(`${dtype} in words`, randomData(input([3, 4], dtype), `constant ${dtype}`)))
  const bytes = allDtypes.map((dtype) =>
    of(`${dtype} in bytes`, randomData(input([9, 11], dtype), `constant bytes ${dtype}`)),
  )
  const splat = allDtypes.map((dtype) =>
    of(`${dtype} all alike`, randomData(input([2, 3], dtype, 1, 1), `constant splat ${dtype}`)),
  )
  const extreme = [...special, 1e-7, 1e-38, 3.4e38, 1e21, 123456789, 0.1, 1 / 3]
  const f32 = of('f32 special', tensorData('f32', [extreme.length], extreme))
  const f64 = of('f64 special', tensorData('f64', [extreme.length + 2], [...extreme, 1e-300, Number.MAX_VALUE]))
  const bf16 = of('bf16 special', tensorData('bf16', [extreme.length], extreme.map(toBFloat16Bits)))
  const i32 = of('i32 extremes', tensorData('i32', [3], [-0x80000000, 0x7fffffff, -1]))
  return [
    ...words,
    ...bytes,
    ...splat,
    f32,
    f64,
    bf16,
    i32,
    of('nothing', tensorData('f32', [0, 3])),
    of('scalar', tensorData('f32', [], [0.1])),
  ]
}

export function randomBitsCases(): Case[] {
  const states = [
    [0, 0, 0, 0],
    [0x9abcdef0, 0x12345678, 0x87654321, 0x0fedcba9],
    [7, 0, 0xffffffff, 0xffffffff],
  ]
  return states.flatMap((values, index) =>
    [[], [1], [4], [5], [2, 6], [3, 5, 7]].map((shape) =>
      single('rngBitGenerator', `state ${index} [${shape}]`, { shape }, [{ dtype: 'u32', shape: [4], values }]),
    ),
  )
}
