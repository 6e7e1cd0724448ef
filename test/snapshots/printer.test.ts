import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromBFloat16Bits, toBFloat16Bits } from '../../src/core/dtype.js'
import {
  binaryOperations,
  unaryOperations,
  type BinaryOperation,
  type UnaryOperation,
} from '../../src/core/operations.js'
import { tensorData, tensorType, type TensorType } from '../../src/core/shape.js'
import { GraphBuilder, meshOf, printGraph, type Graph, type Value } from '../../src/graph/index.js'
import { identifier, printFloat } from '../../src/graph/printing/syntax.js'
import { imageDimensions } from '../../src/ops/index.js'
import { assertSnapshot } from './snapshot.js'

const f32 = (...shape: number[]): TensorType => tensorType('f32', shape)

/** A graph whose results are all the values that `body` returns. */
function build(
  name: string,
  types: Readonly<Record<string, TensorType>>,
  body: (builder: GraphBuilder, ...inputs: Value[]) => readonly Value[],
): Graph {
  const builder = new GraphBuilder(name)
  const inputs = Object.entries(types).map(([parameter, type]) => builder.parameter(parameter, type))
  return builder.build(body(builder, ...inputs).map((value, index) => ({ name: `result${index}`, value })))
}

const unaryBits: ReadonlySet<UnaryOperation> = new Set(['not'])
const binaryBits: ReadonlySet<BinaryOperation> = new Set([
  'and',
  'or',
  'xor',
  'shiftLeft',
  'shiftRightLogical',
  'shiftRightArithmetic',
])

describe('the printer', () => {
  it('writes every elementwise operation', () => {
    const graph = build(
      'elementwise',
      {
        x: f32(2, 3),
        y: f32(2, 3),
        i: tensorType('i32', [4]),
        j: tensorType('i32', [4]),
        p: tensorType('bool', [2, 3]),
      },
      (builder, x, y, i, j, p) => {
        const unary = unaryOperations.map((operation) => {
          const attributes = { convert: { dtype: 'bf16' }, bitcastConvert: { dtype: 'u32' } }[operation as string] ?? {}
          return builder.add(operation, [unaryBits.has(operation) ? i : x], attributes as never)[0]
        })
        const binary = binaryOperations.map((operation) => {
          const attributes = operation === 'compare' ? { direction: 'GE' } : {}
          return builder.add(operation, binaryBits.has(operation) ? [i, j] : [x, y], attributes as never)[0]
        })
        const comparisons = [
          [i, j],
          [p, p],
        ].map((operands) => builder.add('compare', operands, { direction: 'EQ' })[0])
        return [...unary, ...binary, ...comparisons, ...builder.add('select', [p, x, y], {})]
      },
    )
    assertSnapshot('printer/elementwise.mlir', printGraph(graph))
  })

  it('writes sources and every kind of constant', () => {
    const graph = build('sources', { state: tensorType('u32', [4]) }, (builder, state) => {
      const constants = [
        tensorData('f32', [], [0.1]),
        tensorData('f32', [2, 3], [0, -0, 1, 1e-7, Infinity, NaN]),
        tensorData('f64', [2], [1 / 3, -1e300]),
        tensorData('bf16', [3], [0x3f80, 0xff80, 0x3dcd]),
        tensorData('i32', [2], [-0x80000000, 7]),
        tensorData('bool', [2, 1], [1, 0]),
        tensorData('f32', [4, 4], new Array(16).fill(2)),
        tensorData(
          'u8',
          [5, 13],
          Array.from({ length: 65 }, (_, index) => index),
        ),
        tensorData('f32', [0, 3]),
      ].map((value) => builder.add('constant', [], { value })[0])
      return [
        ...constants,
        ...builder.add('iota', [], { type: tensorType('i32', [2, 3]), dim: 1 }),
        ...builder.add('iota', [], { type: tensorType('bool', [2]), dim: 0 }),
        ...builder.add('rngBitGenerator', [state], { shape: [2, 6] }),
      ]
    })
    assertSnapshot('printer/sources.mlir', printGraph(graph))
  })

  it('writes every movement of elements', () => {
    const rows = { offsetDims: [1], collapsedSliceDims: [0], startIndexMap: [0], indexVectorDim: 1, sliceSizes: [1, 3] }
    const into = { updateWindowDims: [1], insertedWindowDims: [0], scatterDimsToOperandDims: [0], indexVectorDim: 1 }
    const graph = build(
      'movement',
      { x: f32(4, 3), fill: f32(), starts: tensorType('i32', [5]), updates: f32(5, 3) },
      (builder, x, fill, starts, updates) => [
        ...builder.add('broadcastInDim', [x], { shape: [2, 4, 3], dims: [1, 2] }),
        ...builder.add('reshape', [x], { shape: [12] }),
        ...builder.add('transpose', [x], { permutation: [1, 0] }),
        ...builder.add('slice', [x], { starts: [0, 1], limits: [4, 3], strides: [2, 1] }),
        ...builder.add('concatenate', [x, updates], { dim: 0 }),
        ...builder.add('pad', [x, fill], { low: [1, 0], high: [-1, 2], interior: [0, 1] }),
        ...builder.add('reverse', [x], { dims: [0] }),
        ...builder.add('gather', [x, starts], rows),
        ...builder.add('scatter', [x, starts, updates], { ...into, kind: 'add' }),
        ...builder.add('scatter', [x, starts, updates], { ...into, kind: 'replace' }),
        ...builder.add('optimizationBarrier', [x, fill], {}),
      ],
    )
    assertSnapshot('printer/movement.mlir', printGraph(graph))
  })

  it('writes products, convolutions and reductions', () => {
    const graph = build(
      'products',
      { left: f32(2, 4, 8), right: f32(2, 8, 16), images: f32(2, 8, 8, 3), kernel: f32(3, 3, 3, 5) },
      (builder, left, right, images, kernel) => [
        ...builder.add('dotGeneral', [left, right], {
          leftBatch: [0],
          rightBatch: [0],
          leftContracting: [2],
          rightContracting: [1],
          dtype: 'f32',
        }),
        ...builder.add('dotGeneral', [left, right], {
          leftBatch: [],
          rightBatch: [],
          leftContracting: [0, 2],
          rightContracting: [0, 1],
          dtype: 'f32',
        }),
        ...builder.add('convolution', [images, kernel], {
          strides: [2, 1],
          padding: [
            [1, 1],
            [0, 2],
          ],
          inputDilation: [1, 1],
          kernelDilation: [1, 2],
          featureGroups: 1,
          batchGroups: 1,
          reversal: [false, true],
          dimensions: imageDimensions,
          dtype: 'f32',
        }),
        ...builder.add('convolution', [images, kernel], {
          strides: [1, 1],
          padding: [
            [-1, 2],
            [1, 1],
          ],
          inputDilation: [2, 1],
          kernelDilation: [1, 1],
          featureGroups: 1,
          batchGroups: 1,
          reversal: [false, false],
          dimensions: imageDimensions,
          dtype: 'f32',
        }),
        ...builder.add('reduce', [left], { kind: 'maximum', dims: [0, 2] }),
        ...builder.add('reduce', [left], { kind: 'add', dims: [] }),
        ...builder.add('reduceWindow', [images], {
          kind: 'minimum',
          window: [1, 2, 2, 1],
          strides: [1, 2, 2, 1],
          padding: [
            [0, 0],
            [0, 1],
            [0, 1],
            [0, 0],
          ],
          baseDilation: [1, 1, 1, 1],
          windowDilation: [1, 1, 1, 1],
        }),
      ],
    )
    assertSnapshot('printer/products.mlir', printGraph(graph))
  })

  it('writes a composite as a call of a private function, equal ones once', () => {
    const gelu = (operation: 'tanh' | 'logistic', size: number): Graph =>
      build('inside', { x: f32(size) }, (builder, x) => builder.add(operation, [x], {}))
    const outer = build('outer', { x: f32(2) }, (builder, x) => {
      const inner = builder.add(
        'composite',
        [x],
        { name: 'gelu', attributes: { approximate: 'tanh' } },
        { decomposition: gelu('tanh', 2) },
      )
      return [...inner, x]
    })
    const graph = build('composites', { x: f32(2), y: f32(3) }, (builder, x, y) => [
      ...builder.add(
        'composite',
        [x],
        { name: 'gelu', attributes: { approximate: 'tanh' } },
        { decomposition: gelu('tanh', 2) },
      ),
      ...builder.add(
        'composite',
        [x],
        { name: 'gelu', attributes: { approximate: 'tanh' } },
        { decomposition: gelu('tanh', 2) },
      ),
      ...builder.add(
        'composite',
        [y],
        { name: 'gelu', attributes: { approximate: 'none' } },
        { decomposition: gelu('logistic', 3) },
      ),
      ...builder.add('composite', [x], { name: 'remat', attributes: {} }, { decomposition: outer }),
      ...builder.add(
        'composite',
        [x],
        { name: 'softmaxCrossEntropy', attributes: { labelSmoothing: 0.1, ignoredTarget: -1 } },
        { decomposition: gelu('tanh', 2) },
      ),
      ...builder.add(
        'composite',
        [x],
        { name: 'softmaxCrossEntropy', attributes: { labelSmoothing: 0, ignoredTarget: null } },
        { decomposition: gelu('tanh', 2) },
      ),
    ])
    assertSnapshot('printer/composites.mlir', printGraph(graph))
  })

  it('writes exchanges between workers by the groups of their mesh', () => {
    const graph = build('exchange', { x: f32(4, 2) }, (builder, x) => [
      ...builder.add('allReduce', [x], { axis: 'data', size: 2, kind: 'add' }),
      ...builder.add('allGather', [x], { axis: 'model', size: 3, dim: 1 }),
      ...builder.add('reduceScatter', [x], { axis: 'data', size: 2, kind: 'add', dim: 0 }),
      ...builder.add('collectivePermute', [x], {
        axis: 'model',
        size: 3,
        pairs: [
          [0, 1],
          [1, 2],
        ],
      }),
    ])
    assert.deepEqual(meshOf(graph), [
      { axis: 'data', size: 2 },
      { axis: 'model', size: 3 },
    ])
    assertSnapshot('printer/exchange.mlir', printGraph(graph))
    const modelOutside = [
      { axis: 'model', size: 3 },
      { axis: 'data', size: 2 },
    ]
    assertSnapshot('printer/exchange-model-outside.mlir', printGraph(graph, { mesh: modelOutside }))
  })

  it('keeps the names of parameters, made unlike each other and unlike the names inside reductions', () => {
    const graph = build(
      'names',
      { 'blocks.0.mlp.up.weight': f32(), 'a b': f32(), a_b: f32(), _left: f32(), '2nd': f32() },
      (builder, weight, ...rest) =>
        builder.add(
          'concatenate',
          [weight, ...rest].map((value) => builder.add('reshape', [value], { shape: [1] })[0]),
          { dim: 0 },
        ),
    )
    const names = [...printGraph(graph).matchAll(/%([^: ]+): tensor/g)].map(([, name]) => name)
    assert.deepEqual(names, ['blocks.0.mlp.up.weight', 'a_b', 'a_b_1', '_left_1', '_2nd'])
  })

  it('writes the same text for the same graph', () => {
    const make = (): Graph =>
      build('same', { x: f32(3) }, (builder, x) => builder.add('add', [x, ...builder.add('tanh', [x], {})], {}))
    assert.equal(printGraph(make()), printGraph(make()))
  })
})

describe('numbers in print', () => {
  const form = /^-?\d+\.\d+(e[+-]\d+)?$/

  it('read back as the same f32', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = printFloat(value, 'f32')
        assert.match(text, form)
        assert.ok(Object.is(Math.fround(Number(text)), value), text)
      }),
    )
  })

  it('read back as the same f64', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = printFloat(value, 'f64')
        assert.match(text, form)
        assert.ok(Object.is(Number(text), value), text)
      }),
    )
  })

  it('read back as the same bf16', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff }).filter((bits) => (bits & 0x7f80) !== 0x7f80),
        (bits) => {
          assert.equal(toBFloat16Bits(Number(printFloat(fromBFloat16Bits(bits), 'bf16'))), bits)
        },
      ),
    )
  })

  it('are bits where they are not finite', () => {
    assert.equal(printFloat(Infinity, 'f32'), '0x7F800000')
    assert.equal(printFloat(-Infinity, 'bf16'), '0xFF80')
    assert.equal(printFloat(NaN, 'f64'), '0x7FF8000000000000')
  })

  it('make identifiers that MLIR takes', () => {
    assert.equal(identifier('2 x (y)'), '_2_x__y_')
    assert.equal(identifier('blocks.0.weight'), 'blocks.0.weight')
  })
})
