/** Trainings that take a few hundred megabytes in a few seconds: large beside what a process's memory varies by anyhow. */
import * as data from '../../../src/data/index.js'
import * as nn from '../../../src/nn/index.js'
import * as ops from '../../../src/ops/index.js'
import * as optim from '../../../src/optim/index.js'
import type { AnyTensor } from '../../../src/graph/index.js'
import { defineTraining, type Training } from '../../../src/train/index.js'

const optimizer = optim.adamw({ learningRate: 1e-3 })
const rhythm = { steps: 6, validateEvery: 3, checkpointEvery: 2, seed: 1 }

function gpt(): Training<nn.GPT> {
  const context = 128
  const text = 'It is not down in any map; true places never are. '.repeat(600)
  return defineTraining({
    model: ({ vocabulary }) => new nn.GPT({ vocabulary, context, layers: 4, heads: 4, width: 256 }),
    data: () => data.characters({ text }, { context, validation: 0.1 }),
    loss: (model, batch) => nn.crossEntropy(model.forward(batch.tokens), batch.targets),
    optimizer,
    batchSize: 16,
    ...rhythm,
  })
}

function perceptron(): Training<nn.MLP> {
  const x = { dtype: 'f32', shape: [4096, 512], data: new Float32Array(4096 * 512).fill(0.5) } as const
  const y = { dtype: 'f32', shape: [4096, 1], data: new Float32Array(4096).fill(1) } as const
  return defineTraining({
    model: () => new nn.MLP({ inputs: 512, hidden: [2048, 2048], outputs: 1 }),
    data: () => data.arrays({ x, y }, { validation: 0.25 }),
    loss: (model, batch) => nn.squaredError(model.forward(batch.x), batch.y),
    optimizer,
    batchSize: 1024,
    ...rhythm,
  })
}

class Convolutional extends nn.Module {
  readonly layers = new nn.Sequential(
    new nn.Conv2d(3, 32, 3, { padding: 'same' }),
    new nn.BatchNorm(32),
    ops.relu,
    new nn.Conv2d(32, 32, 3, { padding: 'same' }),
    ops.relu,
    new nn.MaxPool2d(2),
    (x) => ops.flatten(x, 1),
    new nn.Linear(32 * 16 * 16, 10),
  )

  forward(images: AnyTensor): AnyTensor {
    return this.layers.forward(images)
  }
}

function convolution(): Training<Convolutional> {
  const numSamples = 256
  const images = new Uint8Array(numSamples * 32 * 32 * 3).map((_, index) => (index * 37) % 256)
  return defineTraining({
    model: () => new Convolutional(),
    data: () =>
      data.arrays(
        {
          images: { dtype: 'u8', shape: [numSamples, 32, 32, 3], data: images },
          labels: Int32Array.from({ length: numSamples }, (_, index) => index % 10),
        },
        { validation: 0.25 },
      ),
    loss: (model, batch) =>
      nn.crossEntropy(model.forward(ops.divide(ops.convert(batch.images, 'f32') as AnyTensor, 255)), batch.labels),
    optimizer,
    batchSize: 128,
    ...rhythm,
  })
}

/** By name; as with the export of a training file, nobody knows their models' types. */
export const trainings = { gpt, perceptron, convolution } as unknown as Readonly<Record<string, () => Training>>
