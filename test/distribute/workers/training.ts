/**
 * A worker of a small training with dropout, running statistics, clipping and targets that don't count, so that whatever
 * could depend on the number of workers is in it.
 *
 *     mpirun -n 2 node --import tsx training.ts FOLDER '{"shards":8}' [WORKER '{"seed":2}']
 *
 * The last two arguments are settings that one worker alone has.
 */
import { TalwegError } from '../../../src/core/errors.js'
import * as data from '../../../src/data/index.js'
import type { Shape } from '../../../src/core/shape.js'
import type { Tensor } from '../../../src/graph/index.js'
import * as nn from '../../../src/nn/index.js'
import * as ops from '../../../src/ops/index.js'
import * as optim from '../../../src/optim/index.js'
import { defineTraining, train, type Training } from '../../../src/train/index.js'
import { join, rank } from './join.js'

const numFeatures = 6
const numSamples = 70

class Network extends nn.Module {
  readonly first = new nn.Linear(numFeatures, 24)
  readonly norm = new nn.BatchNorm(24)
  readonly dropout = new nn.Dropout(0.25)
  readonly last = new nn.Linear(24, 3)

  forward(x: Tensor<Shape, 'f32'>): Tensor<Shape, 'f32'> {
    const hidden = ops.relu(this.norm.forward(this.first.forward(x)))
    return this.last.forward(this.dropout.forward(hidden) as typeof hidden)
  }
}

const value = (place: number): number => Math.sin(place * 12.9898) * 2
const x = Array.from({ length: numSamples }, (_, row) =>
  Array.from({ length: numFeatures }, (_, column) => value(row * numFeatures + column)),
)
const labels = Int32Array.from(x.map(([first], row) => (row % 5 === 0 ? -1 : first > 0.5 ? 2 : first > -0.5 ? 1 : 0)))

const training = defineTraining({
  model: () => new Network(),
  data: () => data.arrays({ x, labels }, { validation: 0.2 }),
  loss: (model, batch) =>
    nn.crossEntropy(model.forward(batch.x as never), batch.labels as never, { ignoredTarget: -1 }),
  optimizer: optim.adamw({ learningRate: optim.cosine({ peak: 0.01, warmup: 4 }), clipNorm: 1 }),
  batchSize: 16,
  steps: 12,
  validateEvery: 4,
  checkpointEvery: 6,
  reportEvery: 3,
  seed: 5,
  engine: 'native',
  threads: 1,
})

const [folder, settings, oddWorker, oddSettings] = process.argv.slice(2)
const odd = Number(oddWorker) === rank ? (JSON.parse(oddSettings) as object) : {}
const { resume = false, ...overrides } = { ...(JSON.parse(settings) as { resume?: boolean }), ...odd }
const observer = {
  started: () => undefined,
  progressed: () => undefined,
  reported: () => undefined,
  told: () => undefined,
}
try {
  const communicator = await join()
  await train({
    training: training as unknown as Training,
    overrides,
    folder,
    resume,
    file: undefined,
    observer,
    communicator,
  })
  await communicator?.close()
} catch (error) {
  if (!(error instanceof TalwegError)) throw error
  process.stderr.write(`${error.code}: ${error.message}\n`)
  process.exit(2)
}
