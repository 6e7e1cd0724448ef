/** What the GPT cases have in common: AdamW at a constant rate, the loss of the next token, a text of 65 characters. */
import { data, nn, optim, type AnyTensor, type BatchTensors } from 'talweg'
import { bookOf65Characters } from './book.js'

export const optimizer = optim.adamw({ learningRate: 3e-4, beta1: 0.9, beta2: 0.95, weightDecay: 0.1 })

export function nextTokenLoss(model: nn.GPT, batch: BatchTensors): AnyTensor {
  return nn.crossEntropy(model.forward(batch.tokens), batch.targets)
}

export function characters(context: number): ReturnType<typeof data.characters> {
  return data.characters(bookOf65Characters(), { context })
}
