/** What goes into batch norm's composites and what stays outside, and that nothing changes by it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gradients } from '../../src/autodiff/index.js'
import type { CompiledProgram } from '../../src/compile/index.js'
import type { PassName } from '../../src/compile/options.js'
import type { CompositeCall } from '../../src/core/operations.js'
import type { Shape } from '../../src/core/shape.js'
import type { AnyTensor, Graph, Tensor } from '../../src/graph/index.js'
import * as ops from '../../src/ops/index.js'
import { assertSameAsPlain, fusing, graphOf } from './support.js'

const target = {
  ...fusing,
  composites: new Set([...fusing.composites, 'batchNorm', 'batchNormGradient', 'batchNormRelu', 'batchNormReluGradient', 'maxPoolGradient'] as const), // prettier-ignore
}

const images = { shape: [2, 4, 4, 3] }
const channel = { shape: [3] }

/** The gradients of a sum of squares of what `after` makes of batch norm and ReLU. */
function training(after: (rectified: AnyTensor) => AnyTensor): Graph {
  return graphOf([images, channel, channel], (x, weight, bias) => {
    const rectified = ops.relu(ops.batchNorm(x, weight, bias).output as Tensor<Shape, 'f32'>)
    return gradients(ops.sum(ops.square(after(rectified))), [x, weight, bias])
  })
}

async function compiled(graph: Graph, ...disabled: PassName[]): Promise<CompiledProgram> {
  return assertSameAsPlain(graph, target, { disabledPasses: new Set(disabled) }, 2e-5)
}

/** The composites of batch norm with their windows, and whether anything of pooling or masking is outside. */
function summaryOf({ program }: CompiledProgram): string[] {
  return program.instructions.flatMap(({ operation, attributes, label }) => {
    if (operation === 'reduceWindow') return ['pool']
    if (/select/.test(label)) return ['mask']
    if (operation !== 'composite') return []
    const call = attributes as CompositeCall
    if (call.name === 'maxPoolGradient') return ['poolGradient']
    if (call.name === 'batchNormRelu' || call.name === 'batchNormReluGradient') return [`${call.name} ${call.attributes.window}`] // prettier-ignore
    return call.name.startsWith('batchNorm') ? [call.name] : []
  })
}

const pooled = training((x) => ops.maxPool2d(x, 2))

test('ReLU and windows side by side go into batch norm, both ways', async () => {
  assert.deepEqual(summaryOf(await compiled(pooled)), ['batchNormRelu 2,2', 'batchNormReluGradient 2,2'])
})

test('so they do where the mask asks for the sign of what is normalised', async () => {
  const names = summaryOf(await compiled(pooled, 'maskByResult'))
  assert.deepEqual(names, ['batchNormRelu 2,2', 'batchNormReluGradient 2,2'])
})

test('the pass is switched off by name', async () => {
  const names = summaryOf(await compiled(pooled, 'fuseBatchNorm'))
  assert.deepEqual(names.toSorted(), ['batchNorm', 'batchNormGradient', 'mask', 'pool', 'poolGradient'])
})

test('a pool whose windows overlap stays outside', async () => {
  const graph = training((x) => ops.maxPool2d(x, 3, { stride: 1 }))
  const names = summaryOf(await compiled(graph))
  assert.deepEqual(names, ['batchNormRelu 1,1', 'pool', 'poolGradient', 'batchNormReluGradient 1,1'])
})

test("where ReLU's result is asked for beside the pool, it is kept", async () => {
  const graph = training((x) => ops.add(ops.sum(ops.maxPool2d(x, 2)), ops.sum(ops.square(x))))
  const names = summaryOf(await compiled(graph))
  assert.deepEqual(names, ['batchNormRelu 1,1', 'pool', 'poolGradient', 'batchNormReluGradient 1,1'])
})

test('without a gradient too', async () => {
  const graph = graphOf([images, channel, channel], (x, weight, bias) => {
    const { output, mean } = ops.batchNorm(x, weight, bias)
    return [ops.maxPool2d(ops.relu(output as Tensor<Shape, 'f32'>), 2), mean]
  })
  assert.deepEqual(summaryOf(await compiled(graph)), ['batchNormRelu 2,2'])
})

test('where what is normalised is asked for itself, ReLU stays outside', async () => {
  const graph = graphOf([images, channel, channel], (x, weight, bias) => {
    const { output } = ops.batchNorm(x, weight, bias)
    const loss = ops.sum(ops.square(ops.relu(output as Tensor<Shape, 'f32'>)))
    return [output, ...gradients(loss, [x, weight, bias])]
  })
  const names = summaryOf(await compiled(graph))
  assert.deepEqual(names.filter((name) => name !== 'mask'), ['batchNorm', 'batchNormGradient']) // prettier-ignore
})
