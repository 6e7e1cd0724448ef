/** A GPT of 0.8 million parameters, characters. */
import { defineTraining, nn } from 'talweg'
import { characters, nextTokenLoss, optimizer } from './gpt.js'

const context = 64

export default defineTraining({
  model: ({ vocabulary }) => new nn.GPT({ vocabulary, context, layers: 4, heads: 4, width: 128 }),
  data: () => characters(context),
  loss: nextTokenLoss,
  optimizer,
  batchSize: 12,
  steps: 1000,
  seed: 1,
})
