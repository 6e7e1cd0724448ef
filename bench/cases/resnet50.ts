/**
 * torchvision's ResNet-50, pictures of 224 × 224 points, 4 in a batch. Blocks begin as their shortcuts: with other first
 * values and so few pictures f32 says little, PyTorch's gradients in f32 are a tenth off its own in f64.
 */
import { defineTraining, nn, optim } from 'talweg'
import { pictures } from './digits.js'

export default defineTraining({
  model: () => new nn.ResNet({ ...nn.ResNet.configs.resnet50, numClasses: 10, zeroInitResidual: true }),
  data: () => pictures({ numImages: 64, size: 224 }),
  loss: (model, batch) => nn.crossEntropy(model.forward(batch.images), batch.labels),
  optimizer: optim.sgd({ learningRate: 1e-4, momentum: 0.9 }),
  batchSize: 4,
  steps: 1000,
  seed: 1,
})
