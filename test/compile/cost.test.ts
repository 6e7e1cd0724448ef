import assert from 'node:assert/strict'
import { test } from 'node:test'
import { programCost } from '../../src/compile/index.js'
import * as ops from '../../src/ops/index.js'
import { compileFor, fusing, graphOf, reference } from './support.js'

test('a product costs two operations for each term', () => {
  const graph = graphOf([{ shape: [3, 5] }, { shape: [5, 7] }], (x, w) => [ops.matmul(x, w)])
  assert.deepEqual(programCost(compileFor(reference, graph).program).total, {
    flops: 2 * 3 * 5 * 7,
    bytes: 4 * (15 + 35 + 21),
  })
})

test('a group costs what is inside, and moves only its operands and results', () => {
  const graph = graphOf([{ shape: [8, 4] }, { shape: [4] }], (x, b) => [ops.exp(ops.add(x, b))])
  assert.deepEqual(programCost(compileFor(fusing, graph).program).total, { flops: 64, bytes: 4 * (32 + 4 + 32) })
})

test('causal attention costs half of the full one', () => {
  const heads = { shape: [2, 8, 2, 4] }
  const cost = (causal: boolean): number => {
    const graph = graphOf([heads, heads, heads], (q, k, v) => [ops.attention(q, k, v, { causal })])
    return programCost(compileFor(fusing, graph).program).total.flops
  }
  const products = 4 * 2 * 2 * 8 * 8 * 4
  assert.ok(cost(false) >= products && cost(false) < 1.6 * products)
  assert.ok(cost(true) <= 0.52 * cost(false))
})

test('a convolution costs two operations for each element of its kernel and each result', () => {
  const graph = graphOf([{ shape: [2, 8, 8, 3] }, { shape: [3, 3, 3, 5] }], (x, k) => [
    ops.convolution2d(x, k, { padding: 1 }),
  ])
  assert.equal(programCost(compileFor(reference, graph).program).total.flops, 2 * (2 * 8 * 8 * 5) * (3 * 3 * 3))
})

test('a gather moves the rows that it takes', () => {
  const graph = graphOf([{ shape: [100, 4] }, { shape: [3], dtype: 'i32' }], (table, rows) => [
    ops.takeRows(table, rows as never),
  ])
  const { each } = programCost(compileFor(reference, graph).program)
  assert.ok(each.reduce((sum, { bytes }) => sum + bytes, 0) < 4 * 400)
})
