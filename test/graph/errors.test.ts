/** What a user reads when something doesn't fit: both types, a hint, and the line of their own file. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TalwegError, type ErrorCode } from '../../src/core/errors.js'
import { tensorType, type Shape } from '../../src/core/shape.js'
import { GraphBuilder, trace, type AnyTensor } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'

function caught(body: () => unknown): TalwegError {
  try {
    body()
  } catch (error) {
    assert.ok(error instanceof TalwegError, String(error))
    return error
  }
  assert.fail('nothing was thrown')
}

/** The line of this file on which it is called. */
function lineHere(): number {
  const match = /errors\.test\.ts:(\d+)/.exec(new Error('here').stack!.split('\n')[2])
  return Number(match![1])
}

function traced(shapes: readonly Shape[], body: (...tensors: AnyTensor[]) => AnyTensor): () => unknown {
  const inputs = shapes.map((shape, index) => ({ name: `x${index}`, type: tensorType('f32', shape) }))
  return () => trace('test', inputs, (...tensors) => ({ y: body(...tensors) }))
}

describe('the message', () => {
  test('is operation, problem, both types, hint and line, in that order', () => {
    const builder = new GraphBuilder('test')
    const left = builder.parameter('left', tensorType('f32', [8, 64]))
    const right = builder.parameter('right', tensorType('f32', [16, 64]))
    const contracting = {
      leftBatch: [],
      rightBatch: [],
      leftContracting: [1],
      rightContracting: [0],
      dtype: 'f32',
    } as const
    let line = 0
    const error = caught(() => {
      line = lineHere() + 1
      builder.add('dotGeneral', [left, right], contracting)
    })
    const start =
      'dotGeneral: contracting sizes differ: left dimension 1 is 64, right dimension 0 is 16 ' +
      '(left f32[8,64], right f32[16,64]). Hint: transpose the right operand. At '
    assert.equal(error.message.slice(0, start.length), start)
    assert.match(error.message.slice(start.length), new RegExp(`^\\S*errors\\.test\\.ts:${line}$`))
    assert.equal(error.code, 'SHAPE_MISMATCH')
    assert.equal(error.exitCode, 2)
    assert.equal(error.place?.line, line)
  })

  test('names the line that called the function on tensors, not one within Talweg', () => {
    let line = 0
    const error = caught(
      traced([[8, 64], [32, 16]], (a, b) => {
        line = lineHere() + 1
        return ops.matmul(a, b) as AnyTensor
      }), // prettier-ignore
    )
    assert.equal(error.place?.line, line)
    assert.match(error.message, /f32\[8,64\].*f32\[32,16\]/)
  })

  test('names the line of a method, and of a function within the function traced', () => {
    let line = 0
    const layer = (x: AnyTensor, weight: AnyTensor): AnyTensor => {
      line = lineHere() + 1
      return x.add(weight) as AnyTensor
    }
    const error = caught(traced([[4, 3], [2]], (x, w) => layer(x, w).tanh())) // prettier-ignore
    assert.equal(error.place?.line, line)
    assert.match(
      error.message,
      /^add: shapes don't broadcast: left dimension 1 is 3, right dimension 0 is 2 \(left f32\[4,3\], right f32\[2\]\)/,
    )
  })

  test('names the line inside the body of a composite', () => {
    let line = 0
    const error = caught(
      traced([[2, 3]], (x) =>
        ops.composite('remat', {}, [x], (inner) => {
          line = lineHere() + 1
          return [inner.reshape([5])]
        })[0],
      ), // prettier-ignore
    )
    assert.equal(error.place?.line, line)
    assert.match(error.message, /reshape.*6 elements.*\[5\]/)
  })
})

const refused: readonly (readonly [what: string, code: ErrorCode, message: RegExp, body: () => unknown])[] = [
  ['a product of unlike inner sizes', 'SHAPE_MISMATCH', /contracting sizes differ: left dimension 1 is 256, right dimension 0 is 512/, traced([[3, 256], [512, 4]], (a, b) => ops.matmul(a, b) as AnyTensor)],
  ['a product with a scalar', 'SHAPE_MISMATCH', /matmul: a scalar is no matrix.*Hint: use multiply/, traced([[3], []], (a, b) => ops.matmul(a, b) as AnyTensor)],
  ['leading dimensions that do not broadcast', 'SHAPE_MISMATCH', /leading dimensions don't broadcast/, traced([[2, 3, 4], [5, 4, 6]], (a, b) => ops.matmul(a, b) as AnyTensor)],
  ['a sum over a dimension that is not there', 'SHAPE_MISMATCH', /reduce: there is no dimension 2 in f32\[2,3\]. Hint: dimensions are -2 to 1/, traced([[2, 3]], (x) => x.sum(2))],
  ['a transposition that forgets a dimension', 'SHAPE_MISMATCH', /no permutation/, traced([[2, 3]], (x) => x.transpose([0]))],
  ['a split into unequal parts', 'SHAPE_MISMATCH', /split.*7/, traced([[2, 7]], (x) => x.split(2)[0])],
  ['the logarithm of integers', 'DTYPE_MISMATCH', /log: takes floating-point elements, not i32.*Hint: convert/, traced([[2]], (x) => x.convert('i32').log())],
  ['the sum of two element types', 'DTYPE_MISMATCH', /add: element types differ: f32 and f64/, traced([[2]], (x) => ops.add(x, x.convert('f64') as AnyTensor) as AnyTensor)],
  ['images without channels', 'SHAPE_MISMATCH', /takes images \[N, H, W, C\], not f32\[2,8,8\].*Hint: add a dimension/, traced([[2, 8, 8], [3, 3, 1, 4]], (x, k) => ops.convolution2d(x, k))],
] // prettier-ignore

describe('refused, with a code and both values', () => {
  for (const [what, code, message, body] of refused) {
    test(what, () => {
      const error = caught(body)
      assert.equal(error.code, code)
      assert.match(error.message, message)
      assert.match(error.place?.file ?? '', /errors\.test\.ts$/)
    })
  }
})
