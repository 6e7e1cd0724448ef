/**
 * A small convolutional network on MNIST: over 99% right in under four minutes on two cores.
 *
 *     npx talweg train examples/convolution.ts
 */
import { defineTraining, nn, ops, optim, type AnyTensor } from 'talweg'
import { digits, lossOf, metricsOf, normalized } from './mnist.js'

class ConvNet extends nn.Module {
  readonly layers = new nn.Sequential(
    new nn.Conv2d(1, 16, 3, { padding: 'same', bias: false }),
    new nn.BatchNorm(16),
    ops.relu,
    new nn.MaxPool2d(2),
    new nn.Conv2d(16, 32, 3, { padding: 'same', bias: false }),
    new nn.BatchNorm(32),
    ops.relu,
    new nn.MaxPool2d(2),
    (x) => ops.flatten(x, 1),
    new nn.Dropout(0.25),
    new nn.Linear(7 * 7 * 32, 128),
    ops.relu,
    new nn.Linear(128, 10),
  )

  forward(images: AnyTensor): AnyTensor {
    return this.layers.forward(images)
  }
}

export default defineTraining({
  model: () => new ConvNet(),
  data: digits,
  loss: (model, batch) => lossOf(model.forward(normalized(batch)), batch),
  metrics: (model, batch) => metricsOf(model.forward(normalized(batch)), batch),
  optimizer: optim.adamw({ learningRate: optim.oneCycle({ peak: 4e-3 }) }),
  batchSize: 128,
  epochs: 4,
  seed: 1,
})
