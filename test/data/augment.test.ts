/** Pictures changed at random: what each change does, and what decides. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tensorData } from '../../src/core/shape.js'
import { arrays } from '../../src/data/arrays.js'
import { augmentImages } from '../../src/data/augmentImages.js'
import { changeColours, drawChange, type AugmentOptions } from '../../src/data/images/augment.js'
import { BatchReader, readInOrder } from '../../src/data/reader.js'
import { allocateBatch, type DataSource } from '../../src/data/source.js'
import { StackedBatches } from '../../src/train/stackedBatches.js'
import { assertFails } from './support.js'

const [numSamples, height, width] = [40, 6, 5]
const form = { height, width, channels: 3 }
const size = height * width * 3
/** No two pixels of a picture are the same. */
const pixels = Uint8Array.from({ length: numSamples * size }, (_, place) => (place * 89) % 251)
const images = tensorData('u8', [numSamples, height, width, 3], pixels)
const labels = Int32Array.from({ length: numSamples }, (_, index) => index % 4)

function source(): DataSource {
  const heldOut = { images: tensorData('u8', [1, height, width, 3], pixels.slice(0, size)), labels: labels.slice(0, 1) }
  return arrays({ images, labels }, { numClasses: 4, validation: heldOut })
}

function pictureOf(augmented: DataSource, sample: number, epoch: number): Uint8Array {
  const batch = allocateBatch(augmented.element, 3)
  augmented.gatherSync!([sample], batch, 1, [epoch])
  assert.equal(batch.labels.data[1], labels[sample])
  assert.ok(
    (batch.images.data as Uint8Array).subarray(0, size).every((value) => value === 0),
    'other rows stay',
  )
  return (batch.images.data as Uint8Array).slice(size, 2 * size)
}

const original = (sample: number): Uint8Array => pixels.slice(sample * size, (sample + 1) * size)
const all: AugmentOptions = {
  shift: 2,
  flip: true,
  brightness: 0.3,
  contrast: 0.3,
  saturation: 0.3,
  hue: 0.1,
  fill: 7,
  seed: 5,
}
const none = { shift: 0, crop: 1, flip: false, brightness: 0, contrast: 0, saturation: 0, hue: 0, fill: 0, seed: 5 }

test('moved and mirrored pictures are cut out of the padded one, at every place and as often each way', () => {
  const augmented = augmentImages(source(), { shift: 2, flip: true, fill: 7, seed: 5 })
  const seen = new Map<string, number>()
  for (let sample = 0; sample < numSamples; sample++) {
    for (let epoch = 0; epoch < 50; epoch++) {
      const { down, right, isFlipped } = drawChange({ ...none, shift: 2, flip: true }, form, sample, epoch)
      const picture = pictureOf(augmented, sample, epoch)
      const key = `${down} ${right} ${isFlipped}`
      seen.set(key, (seen.get(key) ?? 0) + 1)
      for (let place = 0; place < size; place++) {
        const [row, column, channel] = [Math.floor(place / 3 / width), Math.floor(place / 3) % width, place % 3]
        const [y, x] = [row - down, column - right]
        const isOutside = y < 0 || y >= height || x < 0 || x >= width
        const from = (y * width + (isFlipped ? width - 1 - x : x)) * 3 + channel
        assert.equal(picture[place], isOutside ? 7 : original(sample)[from])
      }
    }
  }
  assert.equal(seen.size, 5 * 5 * 2)
  const expected = (numSamples * 50) / 50
  for (const count of seen.values()) assert.ok(Math.abs(count - expected) < 5 * Math.sqrt(expected), String([...seen]))
})

test('brightness multiplies, contrast moves from the mean, saturation from the grey', () => {
  const greyOf = (picture: ArrayLike<number>, place: number): number => {
    const start = place - (place % 3)
    return 0.299 * picture[start] + 0.587 * picture[start + 1] + 0.114 * picture[start + 2]
  }
  const meanOf = (picture: Uint8Array): number =>
    picture.reduce((sum, _, place) => sum + greyOf(picture, place), 0) / picture.length
  const formulas = {
    brightness: (p: Uint8Array, place: number, factor: number) => p[place] * factor,
    contrast: (p: Uint8Array, place: number, factor: number) => meanOf(p) + (p[place] - meanOf(p)) * factor,
    saturation: (p: Uint8Array, place: number, factor: number) => greyOf(p, place) + (p[place] - greyOf(p, place)) * factor,
  } // prettier-ignore
  for (const [name, formula] of Object.entries(formulas) as [keyof typeof formulas, (typeof formulas)['contrast']][]) {
    const augmented = augmentImages(source(), { [name]: 0.4, seed: 5 })
    const factors: number[] = []
    for (let sample = 0; sample < numSamples; sample++) {
      const factor = drawChange({ ...none, [name]: 0.4 }, form, sample, 2)[name]
      factors.push(factor)
      const picture = pictureOf(augmented, sample, 2)
      picture.forEach((value, place) => {
        const exact = Math.min(255, Math.max(0, formula(original(sample), place, factor)))
        assert.ok(Math.abs(value - exact) <= 0.5 + 1e-6, `${name} by ${factor}: ${value}, not ${exact}`)
      })
    }
    assert.ok(Math.min(...factors) >= 0.6 && Math.min(...factors) < 0.75, name)
    assert.ok(Math.max(...factors) <= 1.4 && Math.max(...factors) > 1.25, name)
  }
})

test('a piece of any size is enlarged to the whole, linear between the centres of pixels', () => {
  const augmented = augmentImages(source(), { crop: 0.25, flip: true, seed: 5 })
  const areas: number[] = []
  for (let sample = 0; sample < numSamples; sample++) {
    const { piece, isFlipped } = drawChange({ ...none, crop: 0.25, flip: true }, form, sample, 1)
    const { top, left, height: rows, width: columns } = piece!
    assert.ok(top >= 0 && left >= 0 && top + rows <= height && left + columns <= width)
    areas.push((rows * columns) / (height * width))
    const at = (y: number, x: number, channel: number): number => {
      const [row, column] = [Math.min(rows - 1, Math.max(0, y)), Math.min(columns - 1, Math.max(0, x))]
      return original(sample)[((top + row) * width + left + column) * 3 + channel]
    }
    pictureOf(augmented, sample, 1).forEach((value, place) => {
      const [row, column, channel] = [Math.floor(place / 3 / width), Math.floor(place / 3) % width, place % 3]
      const y = ((row + 0.5) * rows) / height - 0.5
      const x = (((isFlipped ? width - 1 - column : column) + 0.5) * columns) / width - 0.5
      // A tent of width 1 on each pixel of the piece, which goes on at its edges as it ends.
      let exact = 0
      for (let a = -1; a <= rows; a++)
        for (let b = -1; b <= columns; b++)
          exact += Math.max(0, 1 - Math.abs(y - a)) * Math.max(0, 1 - Math.abs(x - b)) * at(a, b, channel)
      assert.ok(Math.abs(value - exact) <= 0.5 + 1e-6, `sample ${sample} at ${place}: ${value}, not ${exact}`)
    })
  }
  assert.ok(Math.min(...areas) < 0.4 && Math.max(...areas) > 0.8, areas.join())
})

test('hues are turned as Python’s colorsys turns them', () => {
  // colorsys.hsv_to_rgb((h + share) % 1, s, v) of colorsys.rgb_to_hsv, in 255ths.
  const turned: readonly [share: number, before: number[], after: number[]][] = [
    [1 / 3, [255, 0, 0], [0, 255, 0]],
    [-1 / 3, [255, 0, 0], [0, 0, 255]],
    [0.1, [200, 100, 50], [200, 190, 50]],
    [-0.25, [30, 180, 90], [180, 165, 30]],
    [0.5, [12, 34, 56], [56, 34, 12]],
    [0.2, [77, 77, 77], [77, 77, 77]],
  ]
  for (const [hue, before, after] of turned) {
    const picture = Uint8Array.from(before)
    const change = {
      down: 0,
      right: 0,
      isFlipped: false,
      piece: undefined,
      brightness: 1,
      contrast: 1,
      saturation: 1,
      hue,
    }
    changeColours(picture, { height: 1, width: 1, channels: 3 }, change)
    assert.deepEqual([...picture], after, `${before} by ${hue}`)
  }
  const drawn = Array.from({ length: 200 }, (_, sample) => drawChange({ ...none, hue: 0.2 }, form, sample, 0).hue)
  assert.ok(Math.min(...drawn) >= -0.2 && Math.min(...drawn) < -0.15 && Math.max(...drawn) <= 0.2 && Math.max(...drawn) > 0.15) // prettier-ignore
})

test('each epoch changes a picture otherwise, the same one the same, whatever batch it is in', async () => {
  const augmented = augmentImages(source(), all)
  const first = pictureOf(augmented, 3, 0)
  assert.deepEqual(pictureOf(augmented, 3, 0), first)
  assert.notDeepEqual(pictureOf(augmented, 3, 1), first)
  assert.notDeepEqual(pictureOf(augmentImages(source(), { ...all, seed: 6 }), 3, 0), first)
  const read = async (batchSize: number): Promise<string[]> => {
    const reader = new BatchReader(augmented, { seed: 1, batchSize })
    const found: string[] = []
    while (found.length < 2 * numSamples) {
      const { data } = (await reader.next()).images
      for (let row = 0; row < batchSize; row++) found.push(data.slice(row * size, (row + 1) * size).join())
    }
    return found.slice(0, 2 * numSamples)
  }
  const alone = await read(1)
  assert.deepEqual(await read(16), alone)
  assert.equal(new Set(alone).size, 2 * numSamples, 'no picture comes twice in two epochs')
})

test('a training that begins in the middle sees the pictures that it would have seen', async () => {
  const augmented = augmentImages(source(), all)
  const options = { seed: 3, batchSize: 7, capacity: 4 }
  const whole = new StackedBatches(augmented, { ...options, position: 0 })
  await whole.next(4)
  const { inputs: expected } = await whole.next(4)
  const { inputs } = await new StackedBatches(augmented, { ...options, position: 28 }).next(4)
  assert.deepEqual(inputs.images, expected.images)
})

test('held-out pictures, and all that are read in order, stay as they are', async () => {
  const augmented = augmentImages(source(), all)
  for await (const batch of readInOrder(augmented, numSamples)) assert.deepEqual(batch.images.data, pixels)
  for await (const batch of readInOrder(augmented.validation!, 1)) assert.deepEqual(batch.images.data, original(0))
  assert.equal(augmented.resident, undefined)
  assert.notEqual(augmented.fingerprint, augmentImages(source(), {}).fingerprint)
})

test('what can’t be done to these pictures is refused', async () => {
  const refuse = (options: AugmentOptions, ...parts: string[]) =>
    assertFails('INVALID_SETTING', ['data.augmentImages', ...parts], () => augmentImages(source(), options))
  await refuse({ shift: 5 }, 'shift is 5', `${form.height} × ${form.width}`)
  await refuse({ brightness: 1.5 }, 'brightness is 1.5; it takes a number from 0 to 1')
  await refuse({ crop: 0 }, 'crop is 0; it takes a number above 0 and at most 1')
  await refuse({ crop: 0.5, shift: 1 }, 'crop is 0.5 and shift is 1')
  await refuse({ hue: 0.6 }, 'hue is 0.6; it takes a number from 0 to 0.5')
  await refuse({ fill: 256 }, 'fill is 256')
  await refuse({ seed: -1 }, 'seed is -1')
  const grey = arrays({ images: tensorData('u8', [2, 4, 4, 1]) })
  await assertFails('INVALID_SETTING', ['saturation', 'no colours'], () => augmentImages(grey, { saturation: 0.1 }))
  await assertFails('INVALID_SETTING', ['hue', 'no colours'], () => augmentImages(grey, { hue: 0.1 }))
  await assertFails('INVALID_SETTING', ['these are f32[4]'], () =>
    augmentImages(arrays({ images: [[1, 2, 3, 4]] }), {}),
  )
  await assertFails('INVALID_SETTING', ['this data has none'], () => augmentImages(arrays({ x: [1, 2] }), {}))
})
