/**
 * BERT learns a language from letters: it guesses words that are hidden from it. 5 million parameters, 7 minutes on two cores.
 * Then `spam.ts` goes on with it.
 *
 *     npx talweg train examples/bert.ts
 *     npx talweg export bert --to hugging-face
 *     npx talweg train examples/spam.ts
 */
import { defineTraining, nn, optim } from 'talweg'
import { context, mail, marks } from './mail.js'

export default defineTraining({
  // The size of BERT-mini. All of BERT would be `nn.BERT.configs['bert-base']`.
  model: ({ vocabulary }) => new nn.BERTMaskedLanguageModel({ vocabulary, context, layers: 4, heads: 4, width: 256 }),
  data: mail,
  loss: (model, batch) => {
    const { padding, before, after, mask } = marks
    const options = {
      vocabulary: model.bert.options.vocabulary,
      maskToken: mask,
      specialTokens: [padding, before, after],
    }
    const { tokens, places, targets } = nn.maskPlaces(batch.tokens, options)
    return nn.crossEntropy(model.forward(tokens, { places, mask: batch.mask }), targets, { ignoredTarget: -1 })
  },
  optimizer: optim.adamw({ learningRate: optim.linear({ peak: 5e-4, warmup: 200 }), weightDecay: 0.01, clipNorm: 1 }),
  batchSize: 16,
  steps: 1500,
  validateEvery: 500,
  seed: 1,
})
