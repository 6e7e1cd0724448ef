/** What the MLP cases have in common: 784-512-256-10 on digits, SGD with momentum. */
import { defineTraining, nn, type Training } from 'talweg'
import { digits, optimizer } from './digits.js'

export function mlpTraining(batchSize: number): Training<nn.MLP> {
  return defineTraining({
    model: () => new nn.MLP({ inputs: 784, hidden: [512, 256], outputs: 10 }),
    data: () => digits([784]),
    loss: (model, batch) => nn.crossEntropy(model.forward(batch.images), batch.labels),
    optimizer,
    batchSize,
    steps: 1000,
    seed: 1,
  })
}
