/** Tracing: what a trace holds, and what is said to those who use tensors outside of theirs. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TalwegError } from '../../src/core/errors.js'
import { formatType, tensorType } from '../../src/core/shape.js'
import { isTracing, parameterName, Tensor, trace, verify, type AnyTensor } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'

const x = { name: 'x', type: tensorType('f32', [2, 3]) }
const weight = { name: 'weight', type: tensorType('f32', [3]) }

function isMisuse(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof TalwegError && error.code === 'TRACE_MISUSE' && message.test(error.message)
}

describe('a trace', () => {
  test('has its inputs as parameters in order, and its results by name', () => {
    const graph = trace('model', [x, weight], (a, b) => ({ scaled: a.multiply(b), sum: a.sum() }))
    assert.deepEqual(graph.parameters.map(parameterName), ['x', 'weight'])
    assert.deepEqual(
      graph.results.map(({ name, value }) => `${name} ${formatType(value.type)}`),
      ['scaled f32[2,3]', 'sum f32[]'],
    )
    verify(graph)
  })

  test('remembers for each node the line that asked for it', () => {
    const graph = trace('model', [x], (a) => ({ y: a.tanh() }))
    const position = graph.nodes.find(({ operation }) => operation === 'tanh')?.location?.resolve()
    assert.match(position?.file ?? '', /trace\.test\.ts$/)
  })

  test('is over when its function has returned or thrown', () => {
    assert.throws(
      () =>
        trace('model', [x], () => {
          assert.ok(isTracing())
          throw new RangeError('mine')
        }),
      RangeError,
    )
    assert.equal(isTracing(), false)
  })

  test('inside another may use what is around it, at any depth', () => {
    const graph = trace('model', [x, weight], (a, b) => {
      const [outer] = ops.composite('remat', {}, [a], (inner) => {
        const [deepest] = ops.composite('remat', {}, [inner], (innermost) => [innermost.multiply(b)])
        return [deepest.add(b)]
      })
      return { y: outer }
    })
    verify(graph)
    const [composite] = graph.nodes.filter(({ operation }) => operation === 'composite')
    assert.deepEqual(composite.inputs, graph.parameters)
  })
})

describe('misuse', () => {
  test('of an operation without operands outside of any trace', () => {
    assert.throws(() => ops.zeros([2]), isMisuse(/called outside a traced function.*Hint: call it inside/))
  })

  test('of a tensor that was kept from an earlier trace', () => {
    let kept: AnyTensor | undefined
    trace('first', [x], (a) => ({ y: (kept = a.tanh()) }))
    assert.throws(
      () => trace('second', [x], (a) => ({ y: a.add(kept!) })),
      isMisuse(
        /add: an operand belongs to another trace \(first, while tracing second\).*Hint: pass the tensor.*trace\.test\.ts:\d+/,
      ),
    )
  })

  test('of the result of another trace as a result of this one', () => {
    let kept: AnyTensor | undefined
    trace('first', [x], (a) => ({ y: (kept = a.tanh()) }))
    assert.throws(() => trace('second', [x], () => ({ y: kept! })), isMisuse(/belongs to another trace/))
  })

  test("of a tensor of a composite's inside after it", () => {
    let kept: AnyTensor | undefined
    assert.throws(
      () =>
        trace('model', [x], (a) => {
          ops.composite('remat', {}, [a], (inner) => [(kept = inner.tanh())])
          return { y: a.add(kept!) }
        }),
      isMisuse(/another trace \(remat, while tracing model\)/),
    )
  })

  test('of a tensor that stands for nothing', () => {
    assert.throws(() => new Tensor(undefined).shape, isMisuse(/stands for nothing/))
  })
})
