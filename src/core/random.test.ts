import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { philox4x32, philoxBits } from './random.js'

describe('Philox', () => {
  it('gives the words of Random123', () => {
    // From Random123's own known answers for philox4x32-10.
    const answers: [[number, number], [number, number, number, number], number[]][] = [
      [
        [0, 0],
        [0, 0, 0, 0],
        [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
      ],
      [
        [0xffffffff, 0xffffffff],
        [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
        [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
      ],
      [
        [0xa4093822, 0x299f31d0],
        [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
        [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
      ],
    ]
    for (const [key, counter, expected] of answers) {
      const words = new Uint32Array(4)
      philox4x32(key, counter, words, 0)
      assert.deepEqual([...words], expected)
    }
  })

  it("gives the bits of XLA's rng_bit_generator, measured in bench/xla", () => {
    const state = [0x9abcdef0, 0x12345678, 0x87654321, 0x0fedcba9]
    const expected = [
      0xff2403f1, 0x0e3e6ba8, 0x405ce119, 0xaed8669e, 0x9e057f2a, 0x4d5d28bd, 0xe1d88e71, 0xf750aa57, 0xb1d9eb97,
      0x7134fc94, 0x1db3ed74, 0x32589c1e,
    ]
    assert.deepEqual([...philoxBits(state, 12)], expected)
    assert.deepEqual([...philoxBits(state, 5)], expected.slice(0, 5))
  })

  it('carries into the upper half of the counter, as XLA does', () => {
    const expected = [
      0xe404ea31, 0xae9e750f, 0xf06e4c03, 0x33a71289, 0xa2221dce, 0x1d55ad4c, 0x0da7336f, 0x46b55614, 0xfbd6bae8,
      0x4fa3d97a, 0x752b7046, 0x8c3391b6,
    ]
    assert.deepEqual([...philoxBits([7, 0, 0xffffffff, 0xffffffff], 12)], expected)
  })
})
