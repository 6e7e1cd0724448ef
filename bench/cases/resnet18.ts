/** torchvision's ResNet-18 with the stem for small pictures, a 3 × 3 convolution: 32 × 32 points, 64 in a batch. */
import { defineTraining, nn, optim } from 'talweg'
import { pictures } from './digits.js'

export default defineTraining({
  model: () => new nn.ResNet({ ...nn.ResNet.configs.resnet18, numClasses: 10, stem: 'small' }),
  data: () => pictures({ numImages: 1024, size: 32 }),
  loss: (model, batch) => nn.crossEntropy(model.forward(batch.images), batch.labels),
  // Slow enough for rounding not to grow over the steps whose losses are compared: at 0.002 it reaches 5e-3 in ten.
  optimizer: optim.sgd({ learningRate: 1e-4, momentum: 0.9 }),
  batchSize: 64,
  steps: 1000,
  seed: 1,
})
