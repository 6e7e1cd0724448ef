/** A GPT of 10.8 million parameters, characters. */
import { defineTraining, nn } from 'talweg'
import { characters, nextTokenLoss, optimizer } from './gpt.js'

const context = 256

export default defineTraining({
  model: ({ vocabulary }) => new nn.GPT({ vocabulary, context, layers: 6, heads: 6, width: 384 }),
  data: () => characters(context),
  loss: nextTokenLoss,
  optimizer,
  batchSize: 8,
  steps: 1000,
  seed: 1,
})
