import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tensorData } from '../../src/core/shape.js'
import { arrays } from '../../src/data/arrays.js'
import { splitRows, ValidationSplit } from '../../src/data/split.js'
import { allocateBatch } from '../../src/data/source.js'
import { assertFails } from './support.js'

test('nested lists become f32, typed arrays keep their type', () => {
  const y = Int32Array.of(1, 2)
  const { element, numSamples } = arrays({
    x: [[[1, 2, 3]], [[4, 5, 6]]],
    y,
    z: tensorData('u8', [2, 2], [1, 2, 3, 4]),
  })
  assert.equal(numSamples, 2)
  assert.deepEqual(element, {
    x: { dtype: 'f32', shape: [1, 3] },
    y: { dtype: 'i32', shape: [] },
    z: { dtype: 'u8', shape: [2] },
  })
})

test('gather writes the wanted samples to the wanted rows, for short and long rows', () => {
  for (const width of [1, 3, 64, 200]) {
    const x = tensorData(
      'f32',
      [5, width],
      Float32Array.from({ length: 5 * width }, (_, index) => index),
    )
    const source = arrays({ x })
    const batch = allocateBatch(source.element, 4)
    source.gatherSync?.([4, 0, 4], batch, 1)
    const expected = new Float32Array(4 * width)
    for (const [row, sample] of [4, 0, 4].entries()) {
      for (let place = 0; place < width; place++) expected[(row + 1) * width + place] = sample * width + place
    }
    assert.deepEqual(batch.x.data, expected)
  }
})

test('a fraction is held out once, spread over the whole set, and keeps its rows when the set grows', () => {
  const rows = splitRows(1000, 0.1)
  assert.equal(rows.validation.length, 100)
  assert.equal(rows.training.length, 900)
  assert.deepEqual(
    [...rows.training, ...rows.validation].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, row) => row),
  )
  for (let block = 0; block < 100; block++) assert.equal(Math.floor(rows.validation[block] / 10), block)
  assert.ok(new Set(rows.validation.map((row) => row % 10)).size > 5, 'no period')
  assert.deepEqual(splitRows(2000, 0.1).validation.slice(0, 100), rows.validation)
  for (const fraction of [0, 0.01, 0.3, 1 / 3, 0.5, 0.75, 0.99]) {
    const { validation } = splitRows(997, fraction)
    assert.ok(Math.abs(validation.length - 997 * fraction) <= 1, `${fraction}: ${validation.length}`)
  }
  assert.throws(() => new ValidationSplit(1), /no fraction/)
})

test('validation by fraction splits the arrays', () => {
  const source = arrays({ x: Array.from({ length: 40 }, (_, row) => [row, -row]) }, { validation: 0.25 })
  assert.equal(source.numSamples, 30)
  assert.equal(source.validation?.numSamples, 10)
})

test('the fingerprint follows the numbers, the names and the held-out part', () => {
  const prints = [
    arrays({ x: [1, 2] }),
    arrays({ x: [1, 3] }),
    arrays({ y: [1, 2] }),
    arrays({ x: Float64Array.of(1, 2) }),
    arrays({ x: [1, 2] }, { validation: { x: [3] } }),
  ].map((source) => source.fingerprint)
  assert.equal(new Set(prints).size, prints.length)
  assert.equal(arrays({ x: [1, 2] }).fingerprint, prints[0])
})

test('what is no data set is refused, naming the array and the sample', async () => {
  await assertFails('INVALID_DATA', ['"x"', 'sample 2', '1 entries', '2 entries'], () => arrays({ x: [[1, 2], [3]] }))
  await assertFails('INVALID_DATA', ['"x" has 2', '"y" has 3'], () => arrays({ x: [1, 2], y: [1, 2, 3] }))
  await assertFails('INVALID_DATA', ['no array'], () => arrays({}))
  await assertFails('INVALID_DATA', ['"x" is empty'], () => arrays({ x: [] }))
  await assertFails('INVALID_DATA', ['"x"', 'f32[2,2]', '3 numbers'], () =>
    arrays({ x: { dtype: 'f32', shape: [2, 2], data: new Float32Array(3) } }),
  )
  await assertFails('INVALID_DATA', ['"x" is f32[2]', 'f32[3]'], () =>
    arrays({ x: [[1, 2]] }, { validation: { x: [[1, 2, 3]] } }),
  )
  const text = [[1, 'a']] as unknown as number[][]
  await assertFails('INVALID_DATA', ['"a"', 'sample 1'], () => arrays({ x: text }))
})

test('a number that is not finite is refused, with its tensor, sample and entry', () => {
  const matrix = tensorData('f32', [3, 2, 2])
  matrix.data[6] = -Infinity
  const halves = tensorData('bf16', [2])
  halves.data[1] = 0x7fc0
  for (const [tensors, message] of [
    [{ x: [[1, 2], [3, Number.NaN]] }, /^data\.arrays: "x" holds NaN in sample 2, entry 2 of 2\./], // prettier-ignore
    [{ x: matrix }, /"x" holds -Infinity in sample 2, entry 3 of 4/],
    [{ y: Float64Array.of(1, 2, Infinity) }, /"y" holds Infinity in sample 3\./],
    [{ y: [1, 1e39] }, /"y" holds Infinity in sample 2\./],
    [{ h: halves }, /"h" holds NaN in sample 2\./],
  ] as const) {
    assert.throws(() => arrays(tensors as never), { code: 'INVALID_DATA', exitCode: 2, message })
  }
  assert.throws(() => arrays({ x: [1, 2] }, { validation: { x: [3, Number.NaN] } }), /"x" holds NaN in sample 2/)
  arrays({ x: Float32Array.of(-0, 3.4e38, 1e-45) })
})
