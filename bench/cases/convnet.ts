/**
 * The network of `examples/convolution.ts`, without its dropout, whose masks no two systems draw alike: in batches of 64
 * digits, SGD with momentum.
 */
import { defineTraining, nn, ops, type AnyTensor } from 'talweg'
import { digits, optimizer } from './digits.js'

class ConvNet extends nn.Module {
  readonly convolution1 = new nn.Conv2d(1, 16, 3, { padding: 'same', bias: false })
  readonly norm1 = new nn.BatchNorm(16)
  readonly convolution2 = new nn.Conv2d(16, 32, 3, { padding: 'same', bias: false })
  readonly norm2 = new nn.BatchNorm(32)
  readonly hidden = new nn.Linear(7 * 7 * 32, 128)
  readonly output = new nn.Linear(128, 10)

  forward(images: AnyTensor): AnyTensor {
    const first = ops.maxPool2d(ops.relu(this.norm1.forward(this.convolution1.forward(images))), 2)
    const second = ops.maxPool2d(ops.relu(this.norm2.forward(this.convolution2.forward(first))), 2)
    const features = ops.flatten(second, 1) as Parameters<nn.Linear['forward']>[0]
    return this.output.forward(ops.relu(this.hidden.forward(features)) as Parameters<nn.Linear['forward']>[0])
  }
}

export default defineTraining({
  model: () => new ConvNet(),
  data: () => digits([28, 28, 1]),
  loss: (model, batch) => nn.crossEntropy(model.forward(batch.images), batch.labels),
  optimizer,
  batchSize: 64,
  steps: 1000,
  seed: 1,
})
